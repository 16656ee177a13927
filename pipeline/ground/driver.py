"""ground: sources -> detections. The driver plans, drops what is done, and runs the graph on the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline import files, fingerprint
from pipeline.configuration import Configuration
from pipeline.faults import EnvironmentFault
from pipeline.ground import attempts, retry
from pipeline.ground.resume import Wanted, agreed
from pipeline.models.cache import Memory
from pipeline.models.identity import models
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import Plan, read_plan
from pipeline.tables import detections
from transforms.settings import DetectorSettings


@dataclass(frozen=True)
class GroundOptions(Wanted):
    """How `ground` deals with what lies in the output folder already, and how it runs.

    retry: rows that failed for this reason are done again; `EVERY_REASON`: for whatever reason; None: none are.
    """

    retry: str | None = None
    quiet: bool = False
    beam: tuple[str, ...] = ()


def ground(configuration: Configuration, inputs: Sequence[str], output: str, options: GroundOptions) -> Plan:
    """Grounds every pair of the inputs that has no committed row yet. The caller holds the output folder.

    Raises:
      CallError: models, inputs or the folder's fingerprint do not fit. EnvironmentFault: the run broke off.
    """
    folder = files.join(output, detections.FOLDER)
    if options.beam or not _is_done(folder, options):
        _check_engine(configuration.detector, options.beam)
    memory = Memory(folder)
    identities = models(configuration, memory)
    found = find_sources(inputs)
    plan = agreed(fingerprint.resolve(configuration, identities), identities, found, folder, options)
    memory.keep()
    retry.reopen(plan, folder, options.retry)
    if _left(plan, folder):
        from pipeline.ground import graph  # with Beam, spaCy and torch, which take seconds: not for a run that is done

        graph.run(plan, folder, options.beam, options.quiet)
        if left := _left(plan, folder):
            raise EnvironmentFault(f"{folder}: the run has ended, but {left} ranges are not done; run it again")
    retry.close(folder)
    attempts.forget(folder)
    return plan


def _is_done(folder: str, options: GroundOptions) -> bool:
    """Whether the plan that is there is done, and this call can only find it so, or refuse it."""
    if options.fresh or options.extend or options.redo_changed or options.retry is not None:
        return False
    plan = read_plan(folder)
    if plan is None or not detections.finished(folder):
        return False
    return not (_left(plan, folder) or retry.pending(folder))


def _left(plan: Plan, folder: str) -> int:
    done = detections.finished(folder)
    return sum(1 for identity in plan.ids() if identity not in done)


def _check_engine(settings: DetectorSettings, arguments: Sequence[str]) -> None:
    """Refuses a wrong Beam option, and a device that is not there, before anything is written."""
    from pipeline.engines import placement, run_pipeline

    placement.check_device(settings, run_pipeline.parse(arguments))
