"""ground: sources -> detections. The driver plans, drops what is done, and runs the graph on the rest."""

from collections.abc import Sequence

from pipeline import files, fingerprint
from pipeline.configuration import Configuration
from pipeline.faults import EnvironmentFault
from pipeline.ground import attempts, retry
from pipeline.ground.options import GroundOptions
from pipeline.ground.resume import resume_or_plan
from pipeline.model_identity.cache import ModelCache
from pipeline.model_identity.identify import identify_models
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import Plan, read_plan
from pipeline.tables import detections
from transforms.detectors.settings import DetectorSettings


def ground(configuration: Configuration, inputs: Sequence[str], output: str, options: GroundOptions) -> Plan:
    """Grounds every pair of the inputs that has no committed row yet. The caller holds the output folder.

    Raises:
      CallError: models, inputs or the folder's fingerprint do not fit. EnvironmentFault: the run broke off.
    """
    folder = files.join(output, detections.FOLDER)
    model_cache = ModelCache(folder)
    model_identities = identify_models(configuration, model_cache)
    configuration = fingerprint.resolve(configuration, model_identities)
    old = None if options.fresh else read_plan(folder)
    if options.beam or not _is_done(old, folder, options):
        _check_engine(configuration.detector, options.beam)
    source_files = find_sources(inputs)
    plan = resume_or_plan(old, configuration, model_identities, source_files, folder, options)
    model_cache.save()
    retry.reopen(plan, folder, options.retry)
    if _unfinished_count(plan, folder):
        from pipeline.ground import graph  # with Beam, spaCy and torch, which take seconds: not for a run that is done

        graph.run(plan, folder, options.beam, options.quiet)
        if unfinished := _unfinished_count(plan, folder):
            raise EnvironmentFault(f"{folder}: the run has ended, but {unfinished} ranges are not done; run it again")
    retry.clear(folder)
    attempts.delete_all(folder)
    return plan


def _is_done(plan: Plan | None, folder: str, options: GroundOptions) -> bool:
    """Whether the plan that is there is done, and this call can only find it so, or refuse it."""
    if options.extend or options.redo_changed or options.retry is not None:
        return False
    if plan is None or not detections.finished_ranges(folder):
        return False
    return not (_unfinished_count(plan, folder) or retry.pending(folder))


def _unfinished_count(plan: Plan, folder: str) -> int:
    done = detections.finished_ranges(folder)
    return sum(1 for range_id in plan.range_ids() if range_id not in done)


def _check_engine(settings: DetectorSettings, arguments: Sequence[str]) -> None:
    """Refuses a wrong Beam option, and a device that is not there, before anything is written."""
    from pipeline.engines import placement, run_pipeline

    placement.check_device(settings, run_pipeline.parse_beam_options(arguments))
