"""validate: reads a finished run back and reports its faults.

The only code shared with the writer are the readers of the dialects. This module parses tar itself, reads JSON and
parquet with their libraries, and states each rule of the contract a second time.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Annotated, Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, StringConstraints, ValidationError

from gritmill.validation.sample import Rules, fault_line, sample_faults
from pipeline import files, layout
from pipeline.faults import CallError, first_line
from pipeline.files.typed import is_intact
from transforms import grit_record
from transforms.text import dialects
from transforms.wording import counted

_CHANGED = "changed since it was written (its checksum is wrong)"

_BLOCK, _RECORD = 512, 10_240  # sizes in a tar, in bytes

_OCTAL = re.compile(rb"[0-7]{11}\0")
_FIXED = {
    "mode": (100, b"0000644\0"),
    "owner's number": (108, b"0000000\0" * 2),
    "time": (136, b"0" * 11 + b"\0"),
    "type": (156, b"0" + bytes(100)),
    "format": (257, b"ustar\x0000"),
    "owner": (265, b"gritmill".ljust(32, b"\0") * 2),
    "rest": (329, bytes(183)),
}
"""The parts of a member's header that the contract fixes (USTAR, time 0, one owner): offset and value."""

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    """A part of the manifest. Other keys are ignored."""

    model_config = ConfigDict(strict=True)


class _Stats(_Part):
    samples: NonNegativeInt = Field(alias="successes")
    boxes: NonNegativeInt
    bytes: NonNegativeInt
    sha256: _Sha256
    index_sha256: _Sha256


class _Shard(_Stats):
    # These paths are opened, so they must not lead out of the folder.
    tar: Annotated[str, StringConstraints(pattern=r"^shards/\d{5}\.tar$")]
    index: Annotated[str, StringConstraints(pattern=r"^shards/\d{5}\.parquet$")]
    samples: NonNegativeInt


class _Ledger(_Part):
    read: NonNegativeInt
    written: NonNegativeInt
    rejected: dict[str, NonNegativeInt]
    failed: dict[str, dict[str, NonNegativeInt]]


class _Source(_Part):
    max_pixels: PositiveInt
    max_scans: PositiveInt | None = None


class _Text(_Part):
    dialect: list[str]
    spans: Literal["longest", "densest"]


class _Configuration(_Part):
    source: _Source
    text: _Text


class _Manifest(_Part):
    format: Literal[1]
    ledger: _Ledger
    shards: list[_Shard]
    configuration: _Configuration


@dataclass(frozen=True)
class Finding:
    """A fault (`text`), or a sample that was read (empty text). key: "" if the fault is not of a single sample."""

    shard: str
    key: str
    text: str


def validate(output: str | PathLike[str], limit: int | None = None) -> Iterator[Finding]:
    """Yields each sample and each fault of a run, in order.

    limit: samples to check per shard. Checksums always cover whole files.

    Raises:
      CallError: the folder has no manifest.
    """
    folder = files.canonical(output)
    uri = files.join(folder, layout.MANIFEST)
    if not files.exists(uri):
        files.need_folder(folder, str(output))
        from pipeline.pack.manifest import not_finished  # a message, nothing that is checked

        raise CallError(not_finished(output))
    try:
        data = files.read_bytes(uri)
        if not is_intact(data):
            yield Finding(layout.MANIFEST, "", _CHANGED)
            return
        manifest = _Manifest.model_validate_json(data)
        for name in manifest.configuration.text.dialect:
            dialects.find(name)
    except ValueError as error:  # also raised if the dialect does not exist here
        line = fault_line(error) if isinstance(error, ValidationError) else str(error)
        yield Finding(layout.MANIFEST, "", line)
        return
    # Pillow's limit is global. It must not reject images that the run accepted.
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, manifest.configuration.source.max_pixels)
    text = manifest.configuration.text
    source = manifest.configuration.source
    rules = Rules(tuple(text.dialect), text.spans == "densest", source.max_pixels, source.max_scans)
    for number, shard in enumerate(manifest.shards):
        yield from _check_shard(folder, f"{number:05}", shard, rules, limit)
    yield from (Finding(layout.MANIFEST, "", text) for text in _ledger_faults(manifest))
    for name in (layout.STATISTICS, layout.REPORT):
        if fault := _json_fault(files.join(folder, name)):
            yield Finding(name, "", fault)
    yield from _unlisted_files(folder, manifest)


def _ledger_faults(manifest: _Manifest) -> Iterator[str]:
    ledger = manifest.ledger
    rejected = sum(ledger.rejected.values())
    failed = sum(pairs for reasons in ledger.failed.values() for pairs in reasons.values())
    if ledger.read != ledger.written + rejected + failed:
        yield f"ledger: {ledger.read} read, but {ledger.written} written + {rejected} rejected + {failed} failed"
    samples = sum(shard.samples for shard in manifest.shards)
    if ledger.written != samples:
        yield f"ledger: {ledger.written} written, but {samples} in the shards"


def _unlisted_files(folder: str, manifest: _Manifest) -> Iterator[Finding]:
    """Tars and indexes that the manifest does not list. A reader of `shards/*.tar` would read them too."""
    named = {name for shard in manifest.shards for name in (shard.tar, shard.index)}
    for info in files.list_folder(files.join(folder, layout.SHARDS)):
        name = f"{layout.SHARDS}/{files.name(info.uri)}"
        if name.endswith((".tar", ".parquet")) and name not in named:
            yield Finding(name, "", "is not in the manifest")


def _check_shard(folder: str, number: str, shard: _Shard, rules: Rules, limit: int | None) -> Iterator[Finding]:
    for name, checksum in ((shard.tar, shard.sha256), (shard.index, shard.index_sha256)):
        if text := _checksum_fault(files.join(folder, name), checksum):
            yield Finding(name, "", text)
            return
    if (shard.tar, shard.index) != (layout.shard_tar(int(number)), layout.shard_index(int(number))):
        yield Finding(shard.tar, "", f"is shard {int(number)} of the manifest, but its files have other names")
    rows: list[dict[str, Any]] = []
    try:
        rows = _read_index(files.join(folder, shard.index))
        if len(rows) != shard.samples:
            numbers = f"{counted(len(rows), 'row')}, but {counted(shard.samples, 'sample')} in the manifest"
            yield Finding(shard.index, "", numbers)
    except _Broken as broken:
        yield Finding(shard.index, "", str(broken))
    stats = layout.shard_stats(int(number))
    if text := _stats_fault(files.join(folder, stats), shard):
        yield Finding(stats, "", text)
    yield from _check_tar(folder, number, shard, rows, rules, limit)


def _stats_fault(uri: str, shard: _Shard) -> str:
    if not files.exists(uri):
        return "is missing"
    data = files.read_bytes(uri)
    if not is_intact(data):
        return _CHANGED
    try:
        stats = _Stats.model_validate_json(data)
    except ValidationError as error:
        return fault_line(error)
    same = stats.model_dump() == shard.model_dump(exclude={"tar", "index"})
    return "" if same else "differs from the manifest"


def _json_fault(uri: str) -> str:
    """Why a JSON file has not the content with which it was written; empty if it has, or if it does not exist."""
    if not files.exists(uri):
        return ""
    data = files.read_bytes(uri)
    try:
        json.loads(data)
    except ValueError as error:
        return f"not JSON: {first_line(error)}"
    return "" if is_intact(data) else _CHANGED


class _Broken(Exception):
    """A file cannot be read any further. The message gives the reason."""


def _checksum_fault(uri: str, expected: str) -> str:
    if not files.exists(uri):
        return "is missing"
    with files.open_read(uri) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return "" if digest == expected else "the SHA-256 differs from the manifest"


def _read_index(uri: str) -> list[dict[str, Any]]:
    try:
        # Without Arrow's threads: one that still holds the file while Python ends would abort the process.
        table = pq.ParquetFile(io.BytesIO(files.read_bytes(uri)), pre_buffer=False).read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _Broken(f"not a parquet file: {error}") from error
    found = {field.name: field.type for field in table.schema}
    expected = {column.name: column.type for column in grit_record.COLUMNS}
    defaults = grit_record.defaults()
    for name in {**found, **expected}:
        if found.get(name, expected[name] if name in defaults else None) != expected.get(name):
            raise _Broken(f"column {name}: {found.get(name, 'missing')}, expected {expected.get(name, 'no column')}")
    return [defaults | row for row in table.to_pylist()]


def _check_tar(
    folder: str, number: str, shard: _Shard, rows: list[dict[str, Any]], rules: Rules, limit: int | None
) -> Iterator[Finding]:
    samples = boxes = 0
    uids: set[str] = set()
    try:
        with files.open_read(files.join(folder, shard.tar)) as file:
            for key, members in _read_samples(file, shard.bytes):
                if samples == limit:
                    return
                row = rows[samples] if samples < len(rows) else None
                yield Finding(shard.tar, key, "")
                for text in sample_faults(key, number, members, row, rules):
                    yield Finding(shard.tar, key, text)
                samples += 1
                boxes += len(row["noun_chunks"]) if row else 0
                uids.add(row["uid"] if row else key)
    except _Broken as broken:
        yield Finding(shard.tar, "", f"not a valid tar: {broken}")
    if samples != shard.samples:
        yield Finding(shard.tar, "", f"{counted(samples, 'sample')}, but {shard.samples:,} in the manifest")
    if rows and boxes != shard.boxes:
        yield Finding(shard.tar, "", f"{counted(boxes, 'box')}, but {shard.boxes:,} in the manifest")
    if len(uids) != samples:
        yield Finding(shard.tar, "", f"{samples:,} samples have only {len(uids):,} different uids")


def _read_samples(file: BinaryIO, size: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yields each key with its members by ending. The members of a key are consecutive, and keys are ascending."""
    current = ""
    members: dict[str, bytes] = {}
    for name, data in _read_members(file, size):
        key, _, ending = name.partition(".")
        if key < current:
            raise _Broken(f"{name} comes after {current}")
        if key != current and members:
            yield current, members
            members = {}
        if ending in members:
            raise _Broken(f"{name} occurs twice")
        current, members[ending] = key, data
    if members:
        yield current, members


def _read_members(file: BinaryIO, size: int) -> Iterator[tuple[str, bytes]]:
    """Yields names and contents up to the end mark: at least two blocks of zeros, padded to the end of a record."""
    offset = 0
    while (header := file.read(_BLOCK)).strip(b"\0"):
        name, length = _read_header(header, offset)
        padding = -length % _BLOCK
        data = file.read(length + padding)
        if len(data) < length + padding or data[length:].strip(b"\0"):
            raise _Broken(f"{name} is truncated")
        yield name, data[:length]
        offset += _BLOCK + length + padding
    tail = header + file.read(2 * _RECORD)
    if tail.strip(b"\0") or not 2 * _BLOCK <= len(tail) < _RECORD + 2 * _BLOCK:
        raise _Broken(f"no end mark at byte {offset}")
    if offset + len(tail) != size or size % _RECORD:
        raise _Broken(f"{offset + len(tail)} bytes, but {size} in the manifest")


def _read_header(block: bytes, offset: int) -> tuple[str, int]:
    """A member's name and length. All other fields of the USTAR header are the same for all members of a run."""
    checksum = sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
    name = block[:100].rstrip(b"\0")
    if len(block) < _BLOCK or not _OCTAL.fullmatch(block[124:136]) or block[148:154] != b"%06o" % checksum:
        raise _Broken(f"no valid header at byte {offset}")
    wrong_fields = [what for what, (start, value) in _FIXED.items() if block[start : start + len(value)] != value]
    if wrong_fields or not name.isascii():
        raise _Broken(f"{name!r}: header differs from the contract: {', '.join(wrong_fields) or 'name'}")
    return name.decode("ascii"), int(block[124:135], 8)
