"""Reads the samples of a finished run from the shards that its manifest lists."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from os import PathLike
from typing import Any, BinaryIO

from PIL import Image

from pipeline import files
from pipeline.faults import EnvironmentFault, first_line
from pipeline.pack.manifest import Manifest, ShardEntry, need_manifest, read_manifest


@dataclass(frozen=True)
class Sample:
    """One grounded pair.

    key: nine digits, as in the record. record: the GRIT record. grounded: the text in the first dialect of the run.
    texts: the texts in the other dialects, by the ending of their tar member without `.txt`.
    """

    key: str
    jpeg: bytes = field(repr=False)
    record: dict[str, Any]
    caption: str
    grounded: str
    texts: dict[str, str]

    @property
    def image(self) -> Image.Image:
        """The decoded image."""
        return Image.open(io.BytesIO(self.jpeg), formats=("JPEG",))


def read(output: str | PathLike[str]) -> Iterator[Sample]:
    """The samples of a run, in order. At the end of each shard, what was read is compared with the manifest.

    Raises:
      CallError: the folder has no manifest.
      EnvironmentFault: a shard is damaged, or the run was packed again while it was read.
    """
    folder, manifest = files.canonical(output), need_manifest(output)
    for number in range(len(manifest.shards)):
        yield from read_shard(folder, manifest, number)


def read_shard(folder: str, manifest: Manifest, number: int) -> Iterator[Sample]:
    """The samples of one shard. A field that is newer than the record has its default. Raises as `read`."""
    entry = manifest.shards[number]
    uri = files.join(folder, entry.tar)
    samples = 0
    try:
        with files.open_read(uri) as file:
            hashed = _HashedFile(file)
            for sample in _samples(hashed):
                samples += 1
                yield sample
            hashed.read_to_end()
        damage = _difference(entry, samples, hashed)
    except (tarfile.TarError, KeyError, ValueError, EOFError) as error:
        damage = f"not a valid shard: {type(error).__name__}: {first_line(error)}"
    except OSError as error:
        damage = f"{type(error).__name__}: {first_line(error)}"
    if damage:
        current = read_manifest(folder)
        if current is None or current.shards != manifest.shards:
            raise EnvironmentFault(f"{folder}: the run was packed again while it was read; start again")
        raise EnvironmentFault(f"{uri}: {damage}; run gritmill pack --fresh to write the shards again")


class _HashedFile:
    """A file that is read forward and hashed meanwhile. size: bytes read so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data

    def read_to_end(self) -> None:
        while self.read(1 << 20):
            pass

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _samples(file: Any) -> Iterator[Sample]:
    from transforms.grit_record import defaults  # imports pyarrow

    with tarfile.open(fileobj=file, mode="r|") as tar:
        for key, members in groupby(tar, lambda member: member.name.partition(".")[0]):
            contents = ((member.name.partition(".")[2], tar.extractfile(member)) for member in members)
            yield _make_sample(key, {ending: data.read() for ending, data in contents if data}, defaults())


def _difference(entry: ShardEntry, samples: int, file: _HashedFile) -> str:
    """How a shard that was read differs from its entry in the manifest; empty if it does not."""
    if samples != entry.samples:
        return f"{samples} samples, but {entry.samples} in the manifest"
    if file.size != entry.bytes:
        return f"{file.size} bytes, but {entry.bytes} in the manifest"
    return "" if file.sha256 == entry.sha256 else "the SHA-256 differs from the manifest"


def _make_sample(key: str, members: dict[str, bytes], defaults: dict[str, Any]) -> Sample:
    texts = {name.removesuffix(".txt"): data.decode() for name, data in members.items() if name.endswith(".txt")}
    record = defaults | json.loads(members["json"])
    return Sample(key, members["jpg"], record, members["txt"].decode(), texts.pop("grounded"), texts)
