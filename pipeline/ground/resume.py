"""Whether a run goes on with what lies in its folder: the plan that is there, taken further if asked, or a new one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline import files, fingerprint
from pipeline.configuration import GROUND, Configuration
from pipeline.faults import CallError, OtherRun
from pipeline.files.publish import publish_json
from pipeline.ground import attempts, retry
from pipeline.plan.limit import limit_plan
from pipeline.plan.plan import NAME, Plan, read_plan
from pipeline.plan.plan_sources import check_readable, compare, plan_sources
from pipeline.sources.base import check_root
from pipeline.tables import detections
from pipeline.threshold import default_threshold


@dataclass(frozen=True)
class Wanted:
    """What a call wants of the plan.

    limit: only so many pairs. extend: take new sources in. redo_changed: read sources anew that have changed.
    fresh: move an old plan and its detections aside.
    """

    limit: int | None = None
    extend: bool = False
    redo_changed: bool = False
    fresh: bool = False


def agreed(
    configuration: Configuration,
    identities: dict[str, str],
    found: Sequence[files.FileInfo],
    folder: str,
    wanted: Wanted,
) -> Plan:
    """The plan in the folder, if its fingerprint and its sources are those of this call; else a new one, if that is
    asked for or the old one has come to nothing.

    Raises:
      OtherRun: the folder holds other work. CallError: as `plan_sources`, or none of the sources can be read.
    """
    mark = fingerprint.ground(configuration, identities, wanted.limit)
    check_root(configuration.source)
    plan = None if wanted.fresh else read_plan(folder)
    if plan is None or not (detections.all_committed(folder) or detections.finished(folder)):
        return _begun(_new_plan(mark, configuration, identities, found, wanted.limit), plan, folder)
    if plan.fingerprint != mark:
        what = _difference(plan, configuration, identities, wanted.limit)
        raise OtherRun(f"--output: {folder} holds detections of another fingerprint ({what} differs)")
    # Device, batch, threads and forward may change from run to run.
    plan = replace(plan, configuration=configuration)
    new, changed = compare(plan, found)
    _check_allowed(new, changed, folder, wanted)
    return _taken_further(plan, new, changed, folder) if new or changed else plan


def _begun(plan: Plan, old: Plan | None, folder: str) -> Plan:
    """A new plan in the place of one that is moved aside, or has come to nothing."""
    if old is None:
        set_aside(folder)
    elif (old.fingerprint, old.sources) != (plan.fingerprint, plan.sources):
        attempts.forget(folder)  # of chunks that were others
    publish_json(files.join(folder, NAME), plan.to_json())
    return plan


def _check_allowed(
    new: Sequence[files.FileInfo], changed: dict[int, files.FileInfo], folder: str, wanted: Wanted
) -> None:
    if changed and (wanted.limit is not None or not wanted.redo_changed):
        what = f"--input: {next(iter(changed.values())).uri} has changed since the run began"
        # Which pairs a limit takes follows from all sources.
        way_out = {} if wanted.limit is not None else {"way_out": "--redo-changed reads what has changed anew"}
        raise OtherRun(f"{what} (size or modification time)", **way_out)
    if new and not wanted.extend:
        raise OtherRun(f"--input: {new[0].uri} is not part of the plan in {folder}", "--extend takes new sources in")
    if new and wanted.limit is not None:
        raise CallError("--extend: a plan with --limit cannot be extended")


def _taken_further(plan: Plan, new: Sequence[files.FileInfo], changed: dict[int, files.FileInfo], folder: str) -> Plan:
    """The plan with new sources behind the others and changed ones as they are now; of these all rows are forgotten."""
    planned = plan_sources([*changed.values(), *new], plan.configuration)
    sources = list(plan.sources)
    for number, source in zip(changed, planned, strict=False):
        sources[number] = source
    sources += planned[len(changed) :]
    check_readable(sources)
    for number in changed:
        detections.forget(folder, number)
    retry.drop(folder, changed)
    plan = replace(plan, sources=tuple(sources))
    # Last of all: as long as the plan tells of the old files, a call that was killed in here is made again.
    publish_json(files.join(folder, NAME), plan.to_json())
    return plan


def _new_plan(
    mark: str,
    configuration: Configuration,
    identities: dict[str, str],
    found: Sequence[files.FileInfo],
    limit: int | None,
) -> Plan:
    sources = plan_sources(found, configuration)
    check_readable(sources)
    if limit is not None:
        sources = limit_plan(sources, limit, configuration.source)
    threshold = default_threshold(configuration.detector)
    return Plan(mark, configuration, identities, limit, tuple(sources), threshold)


def _difference(plan: Plan, configuration: Configuration, identities: dict[str, str], limit: int | None) -> str:
    """What differs between the plan's fingerprint and the one wanted now, by key."""
    old, new = plan.configuration.model_dump(mode="json"), configuration.model_dump(mode="json")
    keys = [f"{s}.{k}" for s in GROUND for k in new[s] if old[s][k] != new[s][k]]
    same = [f"{name}.model" for name in identities if plan.models.get(name) == identities[name]]
    keys = [key for key in keys if key not in (*fingerprint.FREE, *same)]
    keys += [f"the content of {name}" for name in identities if plan.models.get(name) != identities[name]]
    keys += ["--limit"] if plan.limit != limit else []
    return ", ".join(dict.fromkeys(keys)) or "the code of gritmill"


def set_aside(folder: str) -> None:
    """Moves a detections folder to the first free name `detections.1`, `detections.2`, …"""
    if files.exists(files.join(folder, NAME)):
        number = 1
        while files.exists(files.join(f"{folder}.{number}", NAME)):
            number += 1
        files.move_folder(folder, f"{folder}.{number}")
