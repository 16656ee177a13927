"""Writes one shard of an export, in this process or in a child.

A child imports only this and its format: that takes a quarter of the time that the models of the manifest would take.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from PIL import Image

from gritmill.exports import find_format
from gritmill.exports.format import ExportCounts, ExportFolder, Format
from gritmill.exports.options import ExportOptions
from gritmill.reading import Sample, TarEntry, read_tar
from gritmill.shard_processes import unseen_run
from pipeline import files
from pipeline.faults import EnvironmentFault
from pipeline.files.guards import guarded
from pipeline.files.publish import synced_together
from pipeline.layout import MANIFEST
from transforms.garbage import collect_rarely

if TYPE_CHECKING:
    from pipeline.pack.manifest import Manifest


@dataclass(frozen=True)
class Job:
    """What all children write.

    manifest: SHA-256 of its file. run: a digest of the entries of its shards. defaults: the fields that a record may
    lack, each with what makes its value. parent: the process that started the children.
    """

    to: str
    options: ExportOptions
    source: str
    manifest: str
    run: str
    defaults: tuple[tuple[str, Callable[[], Any]], ...]
    target: str
    parent: int
    max_image_pixels: int | None


def digest_shards(manifest: "Manifest") -> str:
    """A digest of the entries of all shards."""
    from pipeline.fingerprint import json_digest

    return json_digest([shard.model_dump() for shard in manifest.shards])


def packed_again(source: str) -> EnvironmentFault:
    """The fault of a run whose shards are not those that the export began with."""
    return EnvironmentFault(f"{source}: the run was packed again during the export; export it into another folder")


def write_shard(export_format: Format, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
    """Writes a shard. All of its files are on the disk when this returns."""
    with synced_together():
        return export_format.shard(number, samples, folder)


def write_in_child(job: Job, number: int, entry: TarEntry) -> ExportCounts:
    """Reads a shard and writes it.

    Raises:
      EnvironmentFault: this process does not see the run, the run was packed again, or the shard is damaged.
    """
    export_format = _open(job)
    # A child can live a moment longer than a parent that was killed. By then, the next call may hold the lock.
    with guarded(job.target, lambda: os.getppid() == job.parent):

        def defaults() -> dict[str, Any]:
            return {name: make() for name, make in job.defaults}

        samples = read_tar(job.source, entry, defaults, lambda: _is_current(job))
        return write_shard(export_format, number, samples, ExportFolder(job.target))


@lru_cache(1)
def _open(job: Job) -> Format:
    uri = files.join(job.source, MANIFEST)
    if not files.exists(uri):
        raise unseen_run(job.source)
    if hashlib.sha256(files.read_bytes(uri)).hexdigest() != job.manifest and not _is_current(job):
        raise packed_again(job.source)
    collect_rarely()
    Image.MAX_IMAGE_PIXELS = job.max_image_pixels
    return find_format(job.to, job.options)


def _is_current(job: Job) -> bool:
    """Whether the run has the shards that it had when the export began."""
    from pipeline.pack.manifest import read_manifest

    manifest = read_manifest(job.source)
    return manifest is not None and digest_shards(manifest) == job.run
