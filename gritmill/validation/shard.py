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
from gritmill.validation.manifest import Numbers, Shard, Stats, Sums
from gritmill.validation.record import Record
from gritmill.validation.sample import CheckedImage, Rules, check_image, fault_line, sample_faults
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

_Members = tuple[str, dict[str, bytes]]
"""The key of a sample, and its members by ending."""


@dataclass(frozen=True)
class Finding:
    """A fault (`text`), or a sample that was read (empty text). key: "" if the fault is not of a single sample."""

    shard: str
    key: str
    text: str


@dataclass
class ShardCheck:
    """Checks the shards of a run.

    threads: that decode images. verdicts: whether claims were checked by the rules of this release. given: the columns
    of the source with boxes. sums: of the stats of each shard so far; None if they cannot be read.
    """

    folder: str
    rules: Rules
    limit: int | None
    verdicts: bool
    threads: int
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
        samples = boxes = 0
        uids: set[str] = set()

        def also(record: Record) -> Iterable[str]:
            recount.add(record)
            found = packed.faults(record, recount.sheet) if packed else None
            if found is None and self.verdicts:  # without the detections, less can be said
                found = list(verdict_faults(record, self.given))
            return found or ()

        broken: list[Broken] = []
        with closing(self._samples(shard, broken)) as found:
            for (key, members), image in found:
                if samples == self.limit:
                    return
                row = rows[samples] if samples < len(rows) else None
                yield Finding(shard.tar, key, "")
                for text in sample_faults(key, number, members, image, row, self.rules, also):
                    yield Finding(shard.tar, key, text)
                samples += 1
                boxes += len(row["noun_chunks"]) if row else 0
                uids.add(row["uid"] if row else key)
        yield from (Finding(shard.tar, "", f"not a valid tar: {error}") for error in broken)
        if samples != shard.samples:
            yield Finding(shard.tar, "", f"{counted(samples, 'sample')}, but {shard.samples:,} in the manifest")
        if rows and boxes != shard.boxes:
            yield Finding(shard.tar, "", f"{counted(boxes, 'box')}, but {shard.boxes:,} in the manifest")
        if len(uids) != samples:
            yield Finding(shard.tar, "", f"{samples:,} samples have only {len(uids):,} different uids")

    def _samples(self, shard: Shard, broken: list[Broken]) -> Generator[tuple[_Members, CheckedImage], None, None]:
        """The samples of a tar, each with its image, which threads decode. broken: gets why reading ended early."""

        def readable(file: BinaryIO) -> Iterator[_Members]:
            try:
                yield from read_samples(file, shard.bytes)
            except Broken as error:  # the samples before it are still to be checked
                broken.append(error)

        with files.open_read(files.join(self.folder, shard.tar)) as file:
            yield from read_ahead(
                readable(file),
                lambda sample: check_image(sample[1].get("jpg", b""), self.rules),
                threads=self.threads,
                ahead=2 * self.threads,
                cost=lambda sample: len(sample[1].get("jpg", b"")),
                max_cost=_AHEAD_BYTES,
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
