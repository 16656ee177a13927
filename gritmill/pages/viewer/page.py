"""Writes the folder of the page."""

from importlib.resources import files as package_files
from typing import Any

from gritmill.pages.thumbnails import make_thumbnails
from gritmill.pages.viewer import page_data
from gritmill.pages.viewer.pick_pairs import Picked
from pipeline import files, layout
from pipeline.engines import progress
from pipeline.faults import EnvironmentFault, FolderMismatch
from pipeline.files.lock import is_marked
from pipeline.files.publish import publish_bytes, publish_json
from pipeline.pack.fingerprint import is_packed_from, rows_by_range
from pipeline.pack.manifest import Manifest
from pipeline.pack.statistics import read_statistics
from pipeline.plan.plan import Plan, need_plan
from pipeline.tables.detections import open_detections
from pipeline.tables.table import Table
from transforms.records import Fault

PAGE_NAME = "index.html"
"""Written last, so that a page that exists is complete."""

_IMAGES_FOLDER = "images"
_DATA_NAME = "data.js"
_STATIC_FILES = (
    "viewer.css",
    "select.js",
    "draw.js",
    "claims.js",
    "badges.js",
    "light.js",
    "charts.js",
    "filters.js",
    "viewer.js",
)

_CLICKS_FILES = ("clicks.css", "clicks.js", "clicks.html")
"""Of the page that asks about boxes."""


def packed_plan(folder: str, manifest: Manifest) -> Plan:
    """The plan of the detections that the run was packed from.

    Raises:
      FolderMismatch: `folder` has another plan.
      EnvironmentFault: rows have changed since all of them were packed, or are being replaced.
    """
    plan = need_plan(folder, "set it to the run folder whose detections were packed")
    if plan.fingerprint != manifest.fingerprints.ground:
        raise FolderMismatch(
            f"--detections: {folder}: the run was packed from other detections",
            "set it to their folder, which ground --fresh has renamed to detections.N, or run gritmill pack --fresh",
        )
    if not manifest.partial and not _is_packed(plan, open_detections(folder), manifest):
        raise EnvironmentFault(
            f"{folder}: the detections have changed since the run was packed; run gritmill ground if it was "
            "interrupted, then gritmill pack --fresh"
        )
    return plan


def _is_packed(plan: Plan, table: Table, manifest: Manifest) -> bool:
    """Whether the rows are those that were packed."""
    done = table.finished_ranges()
    return done.issuperset(plan.range_ids()) and is_packed_from(manifest, plan, rows_by_range(plan, table, done))


def has_page(target: str) -> bool:
    """Whether a folder contains an earlier page; raises CallError if it contains anything else."""
    return is_marked(target, layout.VIEW_MARKER, "gritmill view")


def prepare_folder(target: str) -> None:
    """Marks an empty folder, or removes the page and the images of an earlier page, the page first."""
    if has_page(target):
        files.delete([files.join(target, PAGE_NAME)])
        files.delete(info.uri for info in files.list_folder(files.join(target, _IMAGES_FOLDER), "*.jpg"))
    else:
        publish_json(files.join(target, layout.VIEW_MARKER), {"page": PAGE_NAME})


def write_pictures(target: str, picked: list[Picked], plan: Plan, quiet: bool) -> list[tuple[str, Fault | None]]:
    """Publishes each image once. Returns for each pair the name of its image, or "" and the reason."""
    written: dict[str, str] = {}
    pictures: list[tuple[str, Fault | None]] = []
    pairs = [one.pair for one in picked]
    state = lambda: progress.State(len(pictures), len(pictures) / max(1, len(pairs)))  # noqa: E731
    with progress.show_progress("view", "images", state, quiet):
        for pair, thumbnail in zip(pairs, make_thumbnails(pairs, plan), strict=True):
            name = ""
            if not thumbnail.missing:
                new = f"{_IMAGES_FOLDER}/{len(written):05}.jpg"
                name = written.setdefault(pair.image.digest, new)
                if name == new:
                    publish_bytes(files.join(target, name), thumbnail.jpeg)
            pictures.append((name, thumbnail.missing))
    return pictures


def read_run(source: str, manifest: Manifest) -> dict[str, Any]:
    """The data of the page about the whole run."""
    statistics = read_statistics(source)
    return {
        "run": page_data.run_json(manifest, statistics.histograms, files.name(source)),
        "stops": page_data.stops_json(statistics.thresholds, manifest.threshold.score),
    }


def write_page(target: str, content: dict[str, Any]) -> None:
    """Publishes the data and the static files, index.html last."""
    publish_bytes(files.join(target, _DATA_NAME), page_data.to_script(content))
    static = package_files(__package__) / "static"
    for name in (*_STATIC_FILES, *_CLICKS_FILES, PAGE_NAME):
        publish_bytes(files.join(target, name), (static / name).read_bytes())
