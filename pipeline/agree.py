"""Whether a run goes on with what lies in its folder: the plan that is there, taken further if asked, or a new one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline import detections, files, fingerprint, retry
from pipeline.configuration import GROUND, Configuration
from pipeline.faults import CallError, OtherRun
from pipeline.limit import limit_plan
from pipeline.plan import NAME, Plan, compare, plan_sources, read_plan
from pipeline.publish import publish_json
from pipeline.sources.base import check_root
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
    """The plan in the folder, if it is of the same fingerprint and sources; else a new one, if that is asked for or
    nothing has been committed under the old one.

    Raises:
      OtherRun: the folder holds other work. CallError: as `plan_sources`.
    """
    mark = fingerprint.ground(configuration, identities, wanted.limit)
    check_root(configuration.source)
    plan = None if wanted.fresh else read_plan(folder)
    if plan is None:
        plan = _new_plan(mark, configuration, identities, found, wanted.limit)
        set_aside(folder)
        return _published(plan, folder)
    if plan.fingerprint != mark and not detections.all_committed(folder):
        return _published(_new_plan(mark, configuration, identities, found, wanted.limit), folder)
    if plan.fingerprint != mark:
        what = _difference(plan, configuration, identities, wanted.limit)
        raise OtherRun(f"--output: {folder} holds detections of another fingerprint ({what} differs)")
    # Device, batch and threads may change from run to run.
    plan = replace(plan, configuration=configuration)
    new, changed = compare(plan, found)
    if changed:
        plan = _with_changed(plan, changed, folder, wanted)
    return _with_new(plan, new, folder, wanted) if new else plan


def _with_changed(plan: Plan, changed: dict[int, files.FileInfo], folder: str, wanted: Wanted) -> Plan:
    """The plan with sources as they are now; what was found in them before is forgotten."""
    if not wanted.redo_changed:
        what = f"--input: {next(iter(changed.values())).uri} has changed since the run began"
        raise OtherRun(f"{what} (size or modification time)", "--redo-changed reads what has changed anew")
    if wanted.limit is not None:
        raise CallError("--redo-changed: not with --limit, whose pairs were chosen over all sources; use --fresh")
    sources = list(plan.sources)
    for number, source in zip(changed, plan_sources(changed.values(), plan.configuration), strict=True):
        sources[number] = source
    for number in changed:
        detections.forget(folder, number)
    retry.drop(folder, changed)
    # Last of all: as long as the plan tells of the old file, a call that was killed in here is made again.
    return _published(replace(plan, sources=tuple(sources)), folder)


def _with_new(plan: Plan, new: Sequence[files.FileInfo], folder: str, wanted: Wanted) -> Plan:
    if not wanted.extend:
        raise OtherRun(f"--input: {new[0].uri} is not part of the plan in {folder}", "--extend takes new sources in")
    if wanted.limit is not None:
        raise CallError("--extend: a plan with --limit cannot be extended")
    return _published(replace(plan, sources=(*plan.sources, *plan_sources(new, plan.configuration))), folder)


def _new_plan(
    mark: str,
    configuration: Configuration,
    identities: dict[str, str],
    found: Sequence[files.FileInfo],
    limit: int | None,
) -> Plan:
    sources = plan_sources(found, configuration)
    if limit is not None:
        sources = limit_plan(sources, limit, configuration.source)
    threshold = default_threshold(configuration.detector)
    return Plan(mark, configuration, identities, limit, tuple(sources), threshold)


def _published(plan: Plan, folder: str) -> Plan:
    publish_json(files.join(folder, NAME), plan.to_json())
    return plan


def _difference(plan: Plan, configuration: Configuration, identities: dict[str, str], limit: int | None) -> str:
    """What differs between the plan's fingerprint and the one wanted now, by key."""
    old, new = plan.configuration.model_dump(mode="json"), configuration.model_dump(mode="json")
    keys = [f"{s}.{k}" for s in GROUND for k in new[s] if old[s][k] != new[s][k]]
    same = [f"{name}.model" for name in identities if plan.models.get(name) == identities[name]]
    keys = [key for key in keys if key not in ("detector.device", "detector.batch", "detector.threads", *same)]
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
