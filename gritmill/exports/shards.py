"""The shards of an export, written by this process, or by several, a shard each."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

from gritmill.exports import find_format
from gritmill.exports.format import ExportCounts, ExportFolder, Format
from gritmill.exports.options import ExportOptions
from gritmill.reading import read_shard
from gritmill.shard_processes import unseen_run
from pipeline import files
from pipeline.faults import EnvironmentFault
from pipeline.files.guards import ask, guarded
from pipeline.files.publish import delete_unfinished, synced_together
from pipeline.fingerprint import json_digest
from pipeline.pack.manifest import Manifest, read_manifest
from transforms.garbage import collect_rarely
from transforms.isolation.child_pool import map_in_children
from transforms.isolation.child_process import ChildDied


@dataclass(frozen=True)
class _Job:
    """What all children write. run: a digest of the shards' entries. parent: the process that started them."""

    to: str
    options: ExportOptions
    source: str
    run: str
    target: str
    parent: int
    max_image_pixels: int | None


def packed_again(source: str) -> EnvironmentFault:
    """The fault of a run whose shards are not those that the export began with."""
    return EnvironmentFault(f"{source}: the run was packed again during the export; export it into another folder")


@contextmanager
def writing(
    to: str,
    options: ExportOptions,
    export_format: Format,
    source: str,
    manifest: Manifest,
    target: str,
    numbers: Sequence[int],
    processes: int,
) -> Iterator[Iterator[tuple[int, ExportCounts]]]:
    """Iterates over shards as they are written, in order: their number and their counts. With several processes, some
    of the following ones are written meanwhile. All files of such a shard are on the disk.

    When the block ends, no process writes any more. The caller must hold the lock of the target.
    """
    if processes == 1:
        folder = ExportFolder(target)
        yield ((number, _write(export_format, source, manifest, number, folder)) for number in numbers)
        return
    job = _Job(to, options, source, _digest_shards(manifest), target, os.getpid(), Image.MAX_IMAGE_PIXELS)
    tasks = ((job, number) for number in numbers)
    # If another run takes over the folder, its guard forbids changes, also those of the children.
    counts = map_in_children(_write_in_child, tasks, processes, check=lambda: ask(target))
    try:
        with closing(counts):
            yield _naming_deaths(counts, source, manifest, numbers)
    except BaseException:
        with suppress(Exception):  # what ended the export is worth more
            ask(target)
            delete_unfinished(target)  # the children were killed
        raise


def _naming_deaths(
    counts: Generator[ExportCounts, None, None], source: str, manifest: Manifest, numbers: Sequence[int]
) -> Iterator[tuple[int, ExportCounts]]:
    for number in numbers:
        try:
            yield number, next(counts)
        except ChildDied as error:
            raise EnvironmentFault(
                f"{files.join(source, manifest.shards[number].tar)}: the process that exported this shard ended "
                f"({error}); run the same command with fewer --processes, or with --processes 1"
            ) from error


def _write(export_format: Format, source: str, manifest: Manifest, number: int, folder: ExportFolder) -> ExportCounts:
    with synced_together():
        return export_format.shard(number, read_shard(source, manifest, number), folder)


def _write_in_child(job: _Job, number: int) -> ExportCounts:
    export_format, manifest = _open(job)
    # A child can live a moment longer than a parent that was killed. By then, the next call may hold the lock.
    with guarded(job.target, lambda: os.getppid() == job.parent):
        return _write(export_format, job.source, manifest, number, ExportFolder(job.target))


@lru_cache(1)
def _open(job: _Job) -> tuple[Format, Manifest]:
    # Read here: with each task, the entries of ten thousand shards would be 2 MB.
    manifest = read_manifest(job.source)
    if manifest is None:
        raise unseen_run(job.source)
    if _digest_shards(manifest) != job.run:
        raise packed_again(job.source)
    collect_rarely()
    Image.MAX_IMAGE_PIXELS = job.max_image_pixels
    return find_format(job.to, job.options), manifest


def _digest_shards(manifest: Manifest) -> str:
    return json_digest([shard.model_dump() for shard in manifest.shards])
