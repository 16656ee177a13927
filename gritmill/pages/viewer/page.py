"""view: some pairs of a finished run -> a folder that a browser opens from disk."""

from collections import Counter
from importlib.resources import files as package_files
from os import PathLike, fspath
from typing import Any

from gritmill.pages.thumbnails import make_thumbnails
from gritmill.pages.viewer import page_data
from gritmill.pages.viewer.pick_pairs import Picked, pick_pairs
from pipeline import files
from pipeline.engines import progress
from pipeline.faults import CallError, FolderMismatch
from pipeline.files.lock import hold, is_empty
from pipeline.files.publish import publish_bytes, publish_json
from pipeline.pack.driver import check_dialects, find_detections
from pipeline.pack.manifest import policy_of, read_manifest
from pipeline.pack.statistics import STATISTICS_NAME
from pipeline.plan.plan import Plan, read_plan

FOLDER_NAME = "view"
"""Where the page goes, inside the run's folder."""

PAGE_NAME = "index.html"
"""Written last: where it is, everything is."""

_MARKER_NAME = ".gritmill.view.json"
_IMAGES_FOLDER = "images"
_DATA_NAME = "data.js"
_STATIC_FILES = ("viewer.css", "select.js", "draw.js", "light.js", "charts.js", "filters.js", "viewer.js")


def view(
    run: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    detections: str | PathLike[str] | None = None,
    samples: int = 1000,
    seed: int = 0,
    quiet: bool = True,
) -> dict[str, Any]:
    """Writes the page of a finished run; an earlier page in the same folder is replaced.

    Args:
      run: folder of the run. output: folder of the page; default: `view` inside the run's.
      detections: folder of the run that was packed, if it is another one, as of `gritmill.pack`.
      samples: pairs to show. seed: of their choice. quiet: show no progress on standard error.

    Returns:
      `page`: where it is; `kept`, `rejected`, `failed`: pairs on it; `missing`: those without their picture.

    Raises:
      CallError: no finished run, no detections of it, or the folder holds something else than such a page.
      EnvironmentFault: files of the run are gone or are not what was written.
    """
    if samples < 1:
        raise CallError(f"--samples: {samples} is less than 1")
    source = files.canonical(run)
    manifest = read_manifest(source)
    if manifest is None:
        raise CallError(f"{run}: no manifest.json; it is no finished run")
    folder = find_detections(fspath(detections or source))
    plan = _read_plan(folder, manifest)
    target = files.canonical(output) if output else files.join(source, FOLDER_NAME)
    if target in (source, folder):
        raise CallError(f"--output: {target}: the run itself lies there")
    policy = policy_of(manifest)
    check_dialects(policy.text.dialect)
    _check_free(target)  # before it is locked and swept: another run may be at work there
    with hold(target):
        _prepare_folder(target)
        picked = pick_pairs(folder, plan, policy, samples, seed)
        names, missing = _write_pictures(target, picked, plan, quiet)
        run_data = _read_run(source, manifest)
        samples_json = [
            page_data.sample_json(one, policy, run_data["stops"]["score"], *names[index])
            for index, one in enumerate(picked)
        ]
        _write_page(target, {**run_data, "samples": samples_json, "seed": seed})
    counts = Counter(one.outcome_key[0] for one in picked)
    numbers = {name: counts[name] for name in ("kept", "rejected", "failed")}
    return {"page": files.join(target, PAGE_NAME), **numbers, "missing": missing}


def _read_plan(folder: str, manifest: dict[str, Any]) -> Plan:
    plan = read_plan(folder)
    if plan is None:
        raise CallError(
            f"--detections: {folder}: no plan.json; give the folder of the run whose detections were packed"
        )
    if plan.fingerprint != manifest["fingerprints"]["ground"]:
        raise FolderMismatch(f"--detections: {folder} is not what this run was packed from", "give the folder that was")
    return plan


def _check_free(target: str) -> None:
    """Raises CallError if the folder holds anything but an earlier page."""
    if files.exists(files.join(target, _MARKER_NAME)):
        return
    if not is_empty(target):
        raise CallError(f"--output: {target} is not empty, and what lies there is no gritmill view")


def _prepare_folder(target: str) -> None:
    """Marks an empty folder; of an earlier page removes all that another one would not replace, the page first."""
    uri = files.join(target, _MARKER_NAME)
    if files.exists(uri):
        files.delete([files.join(target, PAGE_NAME)])
        files.delete(info.uri for info in files.list_folder(files.join(target, _IMAGES_FOLDER), "*.jpg"))
    else:
        _check_free(target)
        publish_json(uri, {"page": PAGE_NAME})


def _write_pictures(target: str, picked: list[Picked], plan: Plan, quiet: bool) -> tuple[list[tuple[str, Any]], int]:
    """Publishes each picture once; for each pair its name, or why there is none, and how many there are not."""
    written: dict[str, str] = {}
    pictures: list[tuple[str, Any]] = []
    pairs = [one.pair for one in picked]
    state = lambda: progress.State(len(pictures), len(pictures) / max(1, len(pairs)))  # noqa: E731
    with progress.show_progress("view", "pictures", state, quiet):
        for pair, thumbnail in zip(pairs, make_thumbnails(pairs, plan), strict=True):
            name = ""
            if not thumbnail.missing:
                new = f"{_IMAGES_FOLDER}/{len(written):05}.jpg"
                name = written.setdefault(pair.image.digest, new)
                if name == new:
                    publish_bytes(files.join(target, name), thumbnail.jpeg)
            pictures.append((name, thumbnail.missing))
    return pictures, sum(1 for _, missing in pictures if missing)


def _read_run(source: str, manifest: dict[str, Any]) -> dict[str, Any]:
    uri = files.join(source, STATISTICS_NAME)
    if not files.exists(uri):
        raise CallError(f"{source}: no {STATISTICS_NAME}; pack it again")
    statistics = files.read_json(uri)
    return {
        "run": page_data.run_json(manifest, statistics["histograms"], files.name(source)),
        "stops": page_data.stops_json(statistics["thresholds"], manifest["threshold"]["score"]),
    }


def _write_page(target: str, content: dict[str, Any]) -> None:
    publish_bytes(files.join(target, _DATA_NAME), page_data.to_script(content))
    static = package_files(__package__) / "static"
    for name in (*_STATIC_FILES, PAGE_NAME):
        publish_bytes(files.join(target, name), (static / name).read_bytes())
