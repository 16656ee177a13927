"""The shards of an export, written by this process, or by several, a shard each."""

import hashlib
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial

from PIL import Image

from gritmill.exports.format import ExportCounts, ExportFolder, Format
from gritmill.exports.options import ExportOptions
from gritmill.exports.write_shard import Job, digest_shards, write_in_child, write_shard
from gritmill.reading import TarEntry, read_shard
from pipeline import files
from pipeline.faults import EnvironmentFault
from pipeline.files.guards import ask
from pipeline.files.publish import delete_unfinished
from pipeline.layout import MANIFEST
from pipeline.pack.manifest import Manifest
from transforms.grit_record import COLUMNS
from transforms.isolation.child_pool import map_in_children
from transforms.isolation.child_process import ChildDied


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
        read = partial(read_shard, source, manifest)
        yield ((number, write_shard(export_format, number, read(number), folder)) for number in numbers)
        return
    job = Job(
        to,
        options,
        source,
        hashlib.sha256(files.read_bytes(files.join(source, MANIFEST))).hexdigest(),
        digest_shards(manifest),
        tuple((column.name, column.default) for column in COLUMNS if column.default),
        target,
        os.getpid(),
        Image.MAX_IMAGE_PIXELS,
    )
    # With each task only the entry of its shard: those of ten thousand shards would be 2 MB.
    tasks = ((job, number, TarEntry.of(manifest.shards[number])) for number in numbers)
    # If another run takes over the folder, its guard forbids changes, also those of the children.
    counts = map_in_children(write_in_child, tasks, processes, check=lambda: ask(target))
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
