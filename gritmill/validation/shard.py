"""Checks one shard: checksums, index and stats, then each sample of its tar."""

import hashlib
import io
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from gritmill.validation.claims import (
    OF_DECOYS,
    Recount,
    claim_faults,
    claims_by_verdict,
    given_faults,
    sheet_faults,
    verdict_faults,
)
from gritmill.validation.detections import PackedRows
from gritmill.validation.image import image_faults
from gritmill.validation.manifest import Numbers, Shard, Stats, Sums
from gritmill.validation.record import Record
from gritmill.validation.sample import Rules, check_texts, fault_line
from gritmill.validation.tar import Broken, read_samples
from pipeline import files, layout
from pipeline.files.typed import is_intact
from pipeline.pack.truth_sheet import RULES_VERSION as SHEET_RULES
from transforms import grit_record
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.read_ahead import read_ahead
from transforms.wording import counted

CHANGED = "changed since it was written (its checksum is wrong)"

_AHEAD_BYTES = 64 << 20


@dataclass(frozen=True)
class Finding:
    """A fault (`text`), or a sample that was read (empty text). key: "" if the fault is not of a single sample."""

    shard: str
    key: str
    text: str


@dataclass(frozen=True)
class _Sample:
    """A sample of which only the image is not checked. faults: of all else. size: in the record; None if that cannot be
    read, and the image is not looked at. is_decoded: whether `ground` decoded the same bytes."""

    key: str
    faults: list[str]
    jpeg: bytes = b""
    size: tuple[int, int] | None = None
    is_decoded: bool = False

    def image_faults(self, rules: Rules) -> list[str]:
        return image_faults(self.jpeg, self.size, rules, not self.is_decoded) if self.size else []


@dataclass
class _Tar:
    """What was read of a tar so far. broken: why no more can be read. is_cut: whether there is more than the limit."""

    samples: int = 0
    boxes: int = 0
    uids: set[str] = field(default_factory=set)
    broken: str = ""
    is_cut: bool = False

    def add(self, row: dict[str, Any] | None, key: str) -> None:
        self.samples += 1
        self.boxes += len(row["noun_chunks"]) if row else 0
        self.uids.add(row["uid"] if row else key)


@dataclass
class ShardCheck:
    """Checks the shards of a run.

    verdicts: whether claims were checked by the rules of this release. threads: that decode images. decode: whether all
    of them are decoded, also those that `ground` decoded. given: the columns of the source with boxes. sums: of the
    stats of each shard so far; None if they cannot be read.
    """

    folder: str
    rules: Rules
    limit: int | None
    verdicts: bool
    threads: int
    decode: bool = False
    given: AnnotationColumns = NOTHING_GIVEN
    sums: list[Sums | None] = field(default_factory=list)

    def shard(self, number: int, shard: Shard, packed: PackedRows | None) -> Iterator[Finding]:
        """Checks a shard. number: its place in the manifest, from 0. packed: its rows in the detections, if known."""
        for name, checksum in ((shard.tar, shard.sha256), (shard.index, shard.index_sha256)):
            if text := _checksum_fault(files.join(self.folder, name), checksum):
                yield Finding(name, "", text)
                self.sums.append(None)
                return
        if (shard.tar, shard.index) != (layout.shard_tar(number), layout.shard_index(number)):
            yield Finding(shard.tar, "", f"is shard {number} of the manifest, but its files have other names")
        rows: list[dict[str, Any]] = []
        try:
            rows = _read_index(files.join(self.folder, shard.index))
            if len(rows) != shard.samples:
                numbers = f"{counted(len(rows), 'row')}, but {counted(shard.samples, 'sample')} in the manifest"
                yield Finding(shard.index, "", numbers)
        except Broken as broken:
            yield Finding(shard.index, "", str(broken))
        name = layout.shard_stats(number)
        stats = _read_stats(files.join(self.folder, name), shard)
        if isinstance(stats, str):
            yield Finding(name, "", stats)
        self.sums.append(None if isinstance(stats, str) else stats)
        recount = Recount(self.given)
        yield from self._tar(f"{number:05}", shard, rows, packed, recount)
        if isinstance(stats, Stats) and recount.records == shard.samples:
            unknown = () if packed and packed.has_decoys else OF_DECOYS
            yield from (Finding(name, "", text) for text in _recount_faults(stats, recount, unknown))

    def _tar(
        self, number: str, shard: Shard, rows: list[dict[str, Any]], packed: PackedRows | None, recount: Recount
    ) -> Iterator[Finding]:
        tar = _Tar()
        with closing(self._samples(number, shard, rows, packed, recount, tar)) as samples:
            for sample, of_image in samples:
                yield Finding(shard.tar, sample.key, "")
                yield from (Finding(shard.tar, sample.key, text) for text in (*sample.faults, *of_image))
        if tar.is_cut:
            return
        if tar.broken:
            yield Finding(shard.tar, "", f"not a valid tar: {tar.broken}")
        if tar.samples != shard.samples:
            yield Finding(shard.tar, "", f"{counted(tar.samples, 'sample')}, but {shard.samples:,} in the manifest")
        if rows and tar.boxes != shard.boxes:
            yield Finding(shard.tar, "", f"{counted(tar.boxes, 'box')}, but {shard.boxes:,} in the manifest")
        if len(tar.uids) != tar.samples:
            yield Finding(shard.tar, "", f"{tar.samples:,} samples have only {len(tar.uids):,} different uids")

    def _samples(
        self,
        number: str,
        shard: Shard,
        rows: list[dict[str, Any]],
        packed: PackedRows | None,
        recount: Recount,
        tar: _Tar,
    ) -> Generator[tuple[_Sample, list[str]], None, None]:
        """The samples of a tar, each with the faults of its image. Threads decode the images."""

        def also(record: Record) -> Iterable[str]:
            recount.add(record)
            found = packed.faults(record, recount.sheet) if packed else None
            if found is None and self.verdicts:  # without the detections, less can be said
                found = list(verdict_faults(record, self.given))
            return found or ()

        def check(key: str, members: dict[str, bytes]) -> _Sample:
            row = rows[tar.samples] if tar.samples < len(rows) else None
            record, faults = check_texts(key, number, members, row, self.rules, also)
            tar.add(row, key)
            if record is None:
                return _Sample(key, faults)
            data = members["jpg"]
            is_decoded = packed is not None and not self.decode and packed.has_image(record.uid, data)
            return _Sample(key, faults, data, (record.width, record.height), is_decoded)

        def read(file: BinaryIO) -> Iterator[_Sample]:
            try:
                for key, members in read_samples(file, shard.bytes):
                    if tar.samples == self.limit:
                        tar.is_cut = True
                        return
                    yield check(key, members)
            except Broken as error:  # the samples before it are still to be checked
                tar.broken = str(error)

        with files.open_read(files.join(self.folder, shard.tar)) as file:
            yield from read_ahead(
                read(file),
                lambda sample: sample.image_faults(self.rules),
                threads=self.threads,
                ahead=2 * self.threads,
                cost=lambda sample: len(sample.jpeg),
                max_cost=_AHEAD_BYTES,
                at_once=lambda sample: sample.is_decoded,
                name="decode",
            )


def first_uid(folder: str, shard: Shard) -> str:
    """The uid of the first sample of a shard, by its index. Empty if there is none, or if the index is damaged."""
    uri = files.join(folder, shard.index)
    data = files.read_bytes(uri) if files.exists(uri) else b""
    if hashlib.sha256(data).hexdigest() == shard.index_sha256:
        with suppress(pa.ArrowException, OSError, LookupError, UnicodeDecodeError):
            index = pq.ParquetFile(io.BytesIO(data), pre_buffer=False)
            for batch in index.iter_batches(1, columns=["uid"], use_threads=False):
                return str(batch["uid"][0])
    return ""


def _recount_faults(stats: Stats, recount: Recount, unknown: Iterable[str]) -> Iterator[str]:
    """Yields how the stats differ from the sums over records. unknown: sums that nothing is known of."""
    stated = claims_by_verdict(one.model_dump() for one in stats.claims)
    yield from claim_faults(stated, recount.claims, "records")
    if stats.given_boxes:
        yield from given_faults(stats.given_boxes, recount.given_pairs, recount.given_boxes)
    if stats.truth_sheet and stats.truth_sheet.rules == SHEET_RULES:
        sheet = stats.truth_sheet.model_dump(exclude={"rules"})
        recount.sheet.update({name: sheet[name] for name in unknown})
        yield from sheet_faults(sheet, recount.sheet, "records")


def _read_stats(uri: str, shard: Shard) -> Stats | str:
    """The stats of a shard, or what is wrong with them."""
    if not files.exists(uri):
        return "is missing"
    data = files.read_bytes(uri)
    if not is_intact(data):
        return CHANGED
    try:
        stats = Stats.model_validate_json(data)
    except ValidationError as error:
        return fault_line(error)
    same = all(getattr(stats, name) == getattr(shard, name) for name in Numbers.model_fields)
    return stats if same else "differs from the manifest"


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
        rows = table.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Broken(f"not a parquet file: {error}") from error
    found = {field.name: field.type for field in table.schema}
    expected = {column.name: column.type for column in grit_record.COLUMNS}
    defaults = grit_record.defaults()
    for name in {**found, **expected}:
        if found.get(name, expected[name] if name in defaults else None) != expected.get(name):
            raise Broken(f"column {name}: {found.get(name, 'missing')}, expected {expected.get(name, 'no column')}")
    return [defaults | row for row in rows]
