"""The cost of reading a finished run: `read`, `validate` and each export, compared with a read with SHA-256.

Exports are measured with one process and with one per core, whose start is included.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import gritmill
from benchmarks.figures import Figure, interleaved_seconds, ratio, with_processor_time
from benchmarks.inputs import Photo, one_by_one, photos, scenes, write_tars
from gritmill.exports import formats
from gritmill.exports.export import export
from gritmill.exports.options import USED_BY, ExportOptions
from gritmill.validation.validate import validate
from transforms.devices import available_cores
from transforms.garbage import collect_rarely

_PAIRS = {"photos": 8_000, "scenes": 8_000}
_PAIRS_PER_SHARD = 1_000
_ROUNDS = 3
_GOAL = 0.5
_CONFIGURATION: dict[str, Any] = {
    "detector": {"model": "benchmarks.candidates:make"},
    "selection": {"score": 0.25},
    "filters": {"duplicates": None},
    "shards": {"pairs": _PAIRS_PER_SHARD},
}
_MIB = 1 << 20


def measure(work: Path, folder: Path | None) -> Iterator[Figure]:
    """Measures runs of photos and of bundled scenes, whose records are a large part of the bytes, from a warm page
    cache. The figures are without the start of this process."""
    collect_rarely()  # as the command does
    work = work / "reading"
    pictures = {"photos": one_by_one(photos(folder, 120)), "scenes": scenes(_PAIRS["scenes"])}
    for name, number in _PAIRS.items():
        run = _packed(work / name, [pictures[name][i % len(pictures[name])] for i in range(number)])
        yield from _compare(name, run, work / "export")
    shutil.rmtree(work)


def _packed(folder: Path, pictures: list[Photo]) -> Path:
    inputs = write_tars(pictures, folder / "in", pairs_per_tar=2_000)
    gritmill.ground(_CONFIGURATION, inputs=inputs, output=folder / "run")
    gritmill.pack(_CONFIGURATION, output=folder / "run", beam=["--direct_num_workers=1"])
    return folder / "run"


def _compare(name: str, run: Path, target: Path) -> Iterator[Figure]:
    shards = sorted(run.glob("shards/*.tar"))
    size = sum(path.stat().st_size for path in shards)
    alone = run.parent / "alone"  # without the detections, less is compared
    alone.mkdir()
    for path in (*run.glob("*.json"), run / "shards"):
        (alone / path.name).symlink_to(path)
    variants: dict[str, Callable[[], object]] = {
        "sha256": partial(_read_bytes, shards),
        "read": lambda: sum(1 for _ in gritmill.read(run)),
        "validate": partial(_validate, run, 1),
        "validate, 2 processes": partial(_validate, run, 2),
        "validate --decode": partial(_validate, run, 1, decode=True),
        "validate --decode, 2 processes": partial(_validate, run, 2, decode=True),
        "validate, without the detections": partial(_validate, alone, 1),
        "validate, without the detections, 2 processes": partial(_validate, alone, 2),
    }
    for one in formats():
        for images in (True, False)[one not in USED_BY["images"] :]:
            what = f"export {one}{'' if images or one == 'hf' else ', no image files'}"
            for processes in (1, available_cores()):
                cores = "" if processes == 1 else f", {processes} processes"
                variants[what + cores] = partial(_export, run, target, one, images, processes)
    busy: dict[str, list[float]] = {what: [] for what in variants}
    seconds = interleaved_seconds(
        {what: with_processor_time(call, busy[what]) for what, call in variants.items()},
        _ROUNDS,
        before=lambda: shutil.rmtree(target, ignore_errors=True),
    )
    pairs = _PAIRS[name]
    for what in [*variants][1:]:
        rate, cpu = size / _MIB / median(seconds[what]), 1000 * median(busy[what]) / pairs
        yield Figure(
            "Reading a finished run",
            f"{what}: bytes per second over those of a read with SHA-256, {name}",
            ratio(seconds["sha256"], seconds[what]),
            str(_GOAL) if name == "photos" and what.startswith(("validate", "export")) else "",
            f"{rate:.0f} MiB/s, {cpu:.2f} ms of processor time per pair; SHA-256 "
            f"{size / _MIB / median(seconds['sha256']):.0f} MiB/s; {size / pairs / 1000:.0f} kB per pair",
        )


def _read_bytes(shards: list[Path]) -> None:
    for path in shards:
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")


def _validate(run: Path, processes: int, decode: bool = False) -> None:
    faults = [finding for finding in validate(run, processes=processes, decode=decode) if finding.text]
    assert not faults, faults[:3]


def _export(run: Path, target: Path, to: str, images: bool, processes: int) -> None:
    export(run, to, target, ExportOptions(images=images, allow_blind=to == "relations"), processes=processes)
