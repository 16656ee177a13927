"""Reads the samples of a finished run from the shards that its manifest lists."""

import hashlib
import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from pydantic_core import from_json

from pipeline import files
from pipeline.faults import EnvironmentFault, first_line

if TYPE_CHECKING:
    from PIL.Image import Image

    from pipeline.pack.manifest import Manifest, ShardEntry

_BLOCK = 4 << 20
_BLOCKS_AHEAD = 2
_UNIT = 512  # of a tar: headers and contents fill whole units
_OCTAL = b"01234567"  # not all that int() reads: with a negative size, a header would be read again for ever


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
    def image(self) -> "Image":
        """The decoded image."""
        from PIL import Image

        return Image.open(io.BytesIO(self.jpeg), formats=("JPEG",))


def read(output: str | PathLike[str]) -> Iterator[Sample]:
    """The samples of a run, in order. At the end of each shard, what was read is compared with the manifest.

    Raises:
      CallError: the folder has no manifest.
      EnvironmentFault: a shard is damaged, or the run was packed again while it was read.
    """
    from pipeline.pack.manifest import need_manifest

    folder, manifest = files.canonical(output), need_manifest(output)
    for number in range(len(manifest.shards)):
        yield from read_shard(folder, manifest, number)


def read_shard(folder: str, manifest: "Manifest", number: int) -> Iterator[Sample]:
    """The samples of one shard. A field that is newer than the record has its default. Raises as `read`."""
    from pipeline.pack.manifest import read_manifest
    from transforms.grit_record import defaults  # imports pyarrow

    def is_current() -> bool:
        current = read_manifest(folder)
        return current is not None and current.shards == manifest.shards

    yield from read_tar(folder, TarEntry.of(manifest.shards[number]), defaults, is_current)


class TarEntry(NamedTuple):
    """What the manifest says of the tar of a shard. tar: its path in the run folder."""

    tar: str
    samples: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, shard: "ShardEntry") -> "TarEntry":
        return cls(shard.tar, shard.samples, shard.bytes, shard.sha256)


def read_tar(
    folder: str, entry: TarEntry, defaults: Callable[[], dict[str, Any]], is_current: Callable[[], bool]
) -> Iterator[Sample]:
    """`read_shard` without the imports that a manifest needs.

    defaults: new values for the fields that a record may lack. is_current: called if the tar is damaged: whether the
    shards of the run are still those of the entry.
    """
    uri = files.join(folder, entry.tar)
    samples = 0
    try:
        with files.open_read(uri) as file, ThreadPoolExecutor(1, "hash") as thread:
            hashed = _HashedFile(file, thread)
            for sample in _samples(hashed, defaults):
                samples += 1
                yield sample
            while hashed.read(_BLOCK):  # what comes behind the end mark
                pass
            sha256 = hashed.sha256
        damage = _difference(entry, samples, hashed.size, sha256)
    except ValueError as error:
        damage = f"not a valid shard: {type(error).__name__}: {first_line(error)}"
    except OSError as error:
        if not files.is_missing(error):
            raise EnvironmentFault(f"{uri}: {type(error).__name__}: {first_line(error)}; read it again") from error
        damage = "is missing"
    if damage:
        from pipeline.pack.manifest import how_to_repack

        if not is_current():
            raise EnvironmentFault(f"{folder}: the run was packed again while it was read; start again")
        raise EnvironmentFault(f"{uri}: {damage}; {how_to_repack(folder)}")


class _HashedFile:
    """A file that is read forward. A thread reads and hashes some blocks ahead of the one that is being used.

    Large blocks, because the thread gets the interpreter's lock late after each one, and the reader would wait for it:
    a pass over 288 MiB takes 0.90 s with blocks of 4 MiB, 1.11 s with blocks of 1 MiB, and 0.81 s without a hash.
    """

    def __init__(self, file: BinaryIO, thread: Executor) -> None:
        self._file, self._thread = file, thread
        self._hash = hashlib.sha256()
        self._ahead = deque(thread.submit(self._read_block) for _ in range(_BLOCKS_AHEAD))
        self._block, self._at = b"", 0
        self.size = 0

    def read(self, size: int) -> bytes:
        """The next bytes; fewer than `size` only at the end of the file."""
        if (end := self._at + size) <= len(self._block):
            data = self._block[self._at : end]
            self._at = end
            self.size += size
            return data
        parts = [self._block[self._at : self._at + size]]
        self._at += size
        while (missing := size - sum(map(len, parts))) > 0:
            self._block, self._at = self._ahead.popleft().result(), missing
            self._ahead.append(self._thread.submit(self._read_block))
            if not self._block:
                break
            parts.append(self._block[:missing])
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.size += len(data)
        return data

    def _read_block(self) -> bytes:
        data = self._file.read(_BLOCK)
        self._hash.update(data)
        return data

    @property
    def sha256(self) -> str:
        """Of what was read, at the end of the file."""
        return self._hash.hexdigest()


def _samples(file: _HashedFile, defaults: Callable[[], dict[str, Any]]) -> Iterator[Sample]:
    for key, members in groupby(_members(file), itemgetter(0)):
        yield _make_sample(key, {ending: data for _, ending, data in members}, defaults())


def _members(file: _HashedFile) -> Iterator[tuple[str, str, bytes]]:
    """Yields key, ending and content of each member, up to the end mark, in a fifth of the time of `tarfile`.

    Of a header, it reads what `pack` writes there: USTAR, regular files, names of at most 100 bytes, sizes in octal.

    Raises:
      ValueError: a header is damaged or another one, or the file ends within a member.
    """
    while (header := file.read(_UNIT))[:1] > b"\0":
        checksum = b"%06o" % (sum(header) - sum(header[148:156]) + 8 * ord(" "))
        digits = header[124:135]
        if (
            header[148:154] != checksum
            or header[156:157] != b"0"
            or header[257:262] != b"ustar"
            or digits.strip(_OCTAL)
        ):
            raise ValueError(f"no header that pack writes at byte {file.size - len(header)}")
        key, _, ending = header[:100].rstrip(b"\0").decode().partition(".")
        size = int(digits, 8)
        data = file.read(size)
        file.read(-size % _UNIT)
        if len(data) < size:
            raise ValueError(f"it ends at byte {file.size}, within {key}.{ending}")
        yield key, ending, data


def _difference(entry: TarEntry, samples: int, size: int, sha256: str) -> str:
    """How a shard that was read differs from its entry in the manifest; empty if it does not."""
    if samples != entry.samples:
        return f"{samples} samples, but {entry.samples} in the manifest"
    if size != entry.bytes:
        return f"{size} bytes, but {entry.bytes} in the manifest"
    return "" if sha256 == entry.sha256 else "the SHA-256 differs from the manifest"


def _make_sample(key: str, members: dict[str, bytes], defaults: dict[str, Any]) -> Sample:
    for ending in ("jpg", "json", "txt", "grounded.txt"):
        if ending not in members:
            raise ValueError(f"{key} has no {ending}")
    texts = {name.removesuffix(".txt"): data.decode() for name, data in members.items() if name.endswith(".txt")}
    record = defaults | _read_record(key, members["json"])
    return Sample(key, members["jpg"], record, members["txt"].decode(), texts.pop("grounded"), texts)


def _read_record(key: str, data: bytes) -> dict[str, Any]:
    try:
        record = from_json(data, cache_strings="keys")  # two fifths of the time of the module `json`
    except ValueError as error:
        raise ValueError(f"{key}.json: {error}") from error
    if not isinstance(record, dict):
        raise ValueError(f"{key}.json: not an object")
    return record
