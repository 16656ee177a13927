"""Reads the samples of a finished run from the shards that its manifest lists."""

import hashlib
import io
import json
import tarfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from os import PathLike
from typing import Any, BinaryIO

from PIL import Image

from pipeline import files
from pipeline.faults import EnvironmentFault, first_line
from pipeline.pack.manifest import Manifest, ShardEntry, how_to_repack, need_manifest, read_manifest

_BLOCK = 4 << 20
_BLOCKS_AHEAD = 2


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
        with files.open_read(uri) as file, ThreadPoolExecutor(1, "hash") as thread:
            hashed = _HashedFile(file, thread)
            blocks = io.BufferedReader(hashed, _BLOCK)
            for sample in _samples(blocks):
                samples += 1
                yield sample
            while blocks.read(_BLOCK):  # what comes behind the end mark
                pass
            sha256 = hashed.sha256
        damage = _difference(entry, samples, hashed.size, sha256)
    except (tarfile.TarError, KeyError, ValueError, EOFError) as error:
        damage = f"not a valid shard: {type(error).__name__}: {first_line(error)}"
    except OSError as error:
        if not files.is_missing(error):
            raise EnvironmentFault(f"{uri}: {type(error).__name__}: {first_line(error)}; read it again") from error
        damage = "is missing"
    if damage:
        current = read_manifest(folder)
        if current is None or current.shards != manifest.shards:
            raise EnvironmentFault(f"{folder}: the run was packed again while it was read; start again")
        raise EnvironmentFault(f"{uri}: {damage}; {how_to_repack(folder)}")


class _HashedFile(io.RawIOBase):
    """A file that is read forward. A thread reads and hashes some blocks ahead of the one that is being used.

    Large blocks, because the thread gets the interpreter's lock late after each one, and the reader would wait for it:
    a pass over 288 MiB takes 0.90 s with blocks of 4 MiB, 1.11 s with blocks of 1 MiB, and 0.81 s without a hash.
    """

    def __init__(self, file: BinaryIO, thread: Executor) -> None:
        self._file, self._thread = file, thread
        self._hash = hashlib.sha256()
        self._ahead = deque(thread.submit(self._read_block) for _ in range(_BLOCKS_AHEAD))
        self._block = memoryview(b"")
        self.size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._block:
            self._block = memoryview(self._ahead.popleft().result())
            self._ahead.append(self._thread.submit(self._read_block))
        size = min(len(buffer), len(self._block))
        buffer[:size] = self._block[:size]
        self._block = self._block[size:]
        self.size += size
        return size

    def _read_block(self) -> bytes:
        data = self._file.read(_BLOCK)
        self._hash.update(data)
        return data

    @property
    def sha256(self) -> str:
        """Of what was read, at the end of the file."""
        return self._hash.hexdigest()


def _samples(file: Any) -> Iterator[Sample]:
    from transforms.grit_record import defaults  # imports pyarrow

    with tarfile.open(fileobj=file, mode="r|") as tar:
        for key, members in groupby(tar, lambda member: member.name.partition(".")[0]):
            contents = ((member.name.partition(".")[2], tar.extractfile(member)) for member in members)
            yield _make_sample(key, {ending: data.read() for ending, data in contents if data}, defaults())


def _difference(entry: ShardEntry, samples: int, size: int, sha256: str) -> str:
    """How a shard that was read differs from its entry in the manifest; empty if it does not."""
    if samples != entry.samples:
        return f"{samples} samples, but {entry.samples} in the manifest"
    if size != entry.bytes:
        return f"{size} bytes, but {entry.bytes} in the manifest"
    return "" if sha256 == entry.sha256 else "the SHA-256 differs from the manifest"


def _make_sample(key: str, members: dict[str, bytes], defaults: dict[str, Any]) -> Sample:
    texts = {name.removesuffix(".txt"): data.decode() for name, data in members.items() if name.endswith(".txt")}
    record = defaults | json.loads(members["json"])
    return Sample(key, members["jpg"], record, members["txt"].decode(), texts.pop("grounded"), texts)
