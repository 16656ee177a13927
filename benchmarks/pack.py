"""The cost of `pack`, compared with a sequential copy with SHA-256 and with webdataset's ShardWriter."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import webdataset

import gritmill
from benchmarks.figures import Figure, interleaved_seconds, processor_seconds, ratio, with_processor_time
from benchmarks.inputs import one_by_one, write_tars
from benchmarks.inputs import photos as pictures_of
from pipeline.tables.detections import open_detections

_PAIRS, _PAIRS_PER_TAR, _ROUNDS = 40_000, 5_000, 2
_FEW = 4_000
_CONFIGURATION: dict[str, Any] = {"detector": {"model": "benchmarks.candidates:make"}, "selection": {"score": 0.25}}
_WITHOUT_CLAIMS = {**_CONFIGURATION, "phrases": {"claims": False}}
_CLAIM_ROUNDS = 5
_MIB = 1 << 20


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Measures 40,000 pairs, 6.6 GB of photos or 4.8 GB of generated images, read from a warm page cache.

    work: a folder on the disk to measure. photos: a folder with `photos.jsonl`.
    """
    work = work / "pack"
    tars, few = work / "in", work / "few"
    single = one_by_one(pictures_of(photos, 120))
    pictures = [single[i % len(single)] for i in range(_PAIRS)]
    write_tars(pictures, tars, pairs_per_tar=_PAIRS_PER_TAR)
    write_tars(pictures[:_FEW], few, pairs_per_tar=_PAIRS_PER_TAR)
    for folder in (tars, few):
        gritmill.ground(_CONFIGURATION, inputs=str(folder / "*.tar"), output=work / f"{folder.name}-ground")
    gritmill.ground(_WITHOUT_CLAIMS, inputs=str(few / "*.tar"), output=work / "without-ground")
    figures = [
        *_speed(work, tars),
        *_one_core(work, few),
        *_claims(work),
        _memory(work),
        _reads(work, tars),
        _rows(work),
    ]
    shutil.rmtree(work)
    return figures


def _speed(work: Path, tars: Path) -> Iterator[Figure]:
    variants: dict[str, Callable[[], object]] = {
        "pack": lambda: _pack(work / "in-ground", work / "packed"),
        "copy": lambda: _copy(tars, work / "copied"),
        "ShardWriter": lambda: _shards(tars, work / "shards"),
    }
    busy: dict[str, list[float]] = {name: [] for name in variants}
    seconds = interleaved_seconds(
        {name: with_processor_time(run, busy[name]) for name, run in variants.items()}, _ROUNDS
    )
    size = sum(path.stat().st_size for path in tars.iterdir())
    rates = ", ".join(f"{name} {size / _MIB / median(took):.0f} MiB/s" for name, took in seconds.items())
    yield Figure("Pack", "bytes per second over those of a copy", ratio(seconds["copy"], seconds["pack"]), "0.5", rates)
    writer = ratio(seconds["ShardWriter"], seconds["pack"])
    yield Figure("Pack", "bytes per second over those of webdataset's ShardWriter", writer, "1", rates)
    wall_ms, processor_ms = (1000 * median(some["pack"]) / _PAIRS for some in (seconds, busy))
    yield Figure(
        "Pack",
        "time per pair",
        f"{wall_ms:.2f} ms",
        "",
        f"{processor_ms:.2f} ms of processor time, including the workers and their start",
    )


def _one_core(work: Path, tars: Path) -> Iterator[Figure]:
    """Compares them on one core, in this process, so without the start."""
    variants: dict[str, Callable[[], object]] = {
        "pack": lambda: _pack(work / "few-ground", work / "packed", beam=["--direct_num_workers=1"]),
        "copy": lambda: _copy(tars, work / "copied"),
        "ShardWriter": lambda: _shards(tars, work / "shards"),
    }
    busy: dict[str, list[float]] = {name: [] for name in variants}
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    seconds = interleaved_seconds(
        {name: with_processor_time(run, busy[name]) for name, run in variants.items()}, _CLAIM_ROUNDS
    )
    os.sched_setaffinity(0, cores)
    each = {name: [1000 * median(found[name]) / _FEW for found in (seconds, busy)] for name in variants}
    detail = ", ".join(f"{name} {wall:.2f} ms, {own:.2f} of the processor" for name, (wall, own) in each.items())
    for name, goal in (("a copy", "0.75"), ("webdataset's ShardWriter", "")):
        share = ratio(seconds[name.split()[-1]], seconds["pack"])
        yield Figure("Pack", f"bytes per second over those of {name}, one core", share, goal, f"per pair: {detail}")


def _claims(work: Path) -> Iterator[Figure]:
    """Compares processor times of a `pack` in this process: other programs disturb them less than the wall time."""
    drop = {"claims": "drop_contradicted"}
    settings: dict[str, dict[str, Any]] = {
        "without claims": _WITHOUT_CLAIMS,
        "with claims": _CONFIGURATION,
        "drop_contradicted": _selecting(drop),
        "drop_contradicted, also counts": _selecting({**drop, "count_claims": "drop_contradicted"}),
    }
    beam = ["--direct_num_workers=1"]
    variants: dict[str, Callable[[], object]] = {}
    for name, chosen in settings.items():
        ground = work / ("without-ground" if chosen is _WITHOUT_CLAIMS else "few-ground")
        variants[name] = partial(_pack, ground, work / "apart", chosen, beam)
    seconds = interleaved_seconds(variants, _CLAIM_ROUNDS, processor_seconds)
    detail = ", ".join(f"{name} {1000 * median(took) / _FEW:.2f}" for name, took in seconds.items())
    for name, goal in zip([*settings][1:], ("1.1", "", ""), strict=True):
        yield Figure(
            "Pack",
            f"processor time of a pack {name}, over that without claims",
            ratio(seconds[name], seconds["without claims"]),
            goal,
            f"ms per pair: {detail}; {_FEW:,} pairs, one process, {_CLAIM_ROUNDS} rounds",
        )


def _selecting(rules: dict[str, str]) -> dict[str, Any]:
    return {**_CONFIGURATION, "selection": {**_CONFIGURATION["selection"], **rules}}


def _pack(
    ground: Path, target: Path, configuration: dict[str, Any] = _CONFIGURATION, beam: Sequence[str] = ()
) -> dict[str, Any]:
    """Runs a complete pack, by default with its default workers, including their start and the report."""
    shutil.rmtree(target, ignore_errors=True)
    return gritmill.pack(configuration, output=target, detections=ground, beam=list(beam))


def _copy(tars: Path, target: Path) -> None:
    """Reads, hashes, writes and syncs each tar."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in sorted(tars.iterdir()):
        sha256 = hashlib.sha256()
        with path.open("rb") as source, (target / path.name).open("wb") as file:
            while block := source.read(_MIB):
                sha256.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())


def _shards(tars: Path, target: Path) -> None:
    """Writes the same members with webdataset, and syncs them like the other variants. Computes no checksum."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    samples = webdataset.WebDataset([str(path) for path in sorted(tars.iterdir())], shardshuffle=False)
    with webdataset.ShardWriter(
        str(target / "%05d.tar"), maxcount=_PAIRS_PER_TAR, maxsize=1 << 40, verbose=0
    ) as writer:
        for sample in samples:
            writer.write({key: sample[key] for key in ("__key__", "jpg", "txt", "json")})
    for path in target.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _memory(work: Path) -> Figure:
    peaks = [_subprocess(work / f"{name}-ground", work / "apart")[0] for name in ("few", "in")]
    detail = f"one process: {peaks[0]:.0f} MiB for {_FEW:,} pairs, {peaks[1]:.0f} MiB for {_PAIRS:,}"
    return Figure(
        "Pack", "peak memory for ten times as many pairs over that for few", f"{peaks[1] / peaks[0]:.2f}", "1", detail
    )


def _reads(work: Path, tars: Path) -> Figure:
    size = sum(path.stat().st_size for path in tars.iterdir())
    read = _subprocess(work / "in-ground", work / "apart")[1] - _subprocess(work / "few-ground", work / "apart")[1]
    share = read / (size * (1 - _FEW / _PAIRS))
    detail = "of the process, including detections; what its start reads is subtracted, as measured with few pairs"
    return Figure("Pack", "bytes read over bytes of the source", f"{share:.2f}", "one pass", detail)


def _subprocess(ground: Path, target: Path) -> tuple[float, int]:
    """Returns peak resident memory in MiB and bytes read of a `pack` in one process."""
    shutil.rmtree(target, ignore_errors=True)
    beam = ["--direct_num_workers=1"]  # other processes would not be measured
    run = f"gritmill.pack({_CONFIGURATION!r}, output={str(target)!r}, detections={str(ground)!r}, beam={beam!r})"
    # The child's ru_maxrss includes the parent's memory at the fork; VmHWM does not.
    print_usage = (
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], open('/proc/self/io').read().split()[1])"
    )
    command = [sys.executable, "-c", f"import gritmill; {run}; {print_usage}"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.split()
    return int(output[-2]) / 1024, int(output[-1])


def _rows(work: Path) -> Figure:
    """Measures a row's bytes in Arrow's layout. On disk whole chunks are compressed, so only their mean is known."""
    folder = str(work / "in-ground/detections")
    chunks = open_detections(folder).all_chunks()
    tables = [open_detections(folder).read(chunk) for chunk in chunks]
    sizes = [table.slice(index, 1).nbytes for table in tables for index in range(len(table))]
    middle, high = np.percentile(sizes, [50, 99])
    disk = sum(os.path.getsize(open_detections(folder).chunk_uri(chunk)) for chunk in chunks) / len(sizes)
    return Figure(
        "Pack",
        "size of a row of the detections",
        f"{middle:.0f} bytes",
        "",
        f"p99 {high:.0f}; mean on disk {disk:.0f}",
    )
