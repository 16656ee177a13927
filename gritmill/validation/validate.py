"""validate: reads a finished run back and reports its faults.

The only code shared with the writer are the readers of the dialects, and what verdicts on claims follow from. This
module parses tar itself, reads JSON and parquet with their libraries, and states each rule of the contract a second
time.
"""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pydantic import ValidationError

from gritmill.validation.claims import (
    OF_DECOYS,
    ClaimKey,
    Recount,
    claim_faults,
    claims_by_verdict,
    sheet_faults,
    verdict_faults,
)
from gritmill.validation.detections import PackedRows, open_rows
from gritmill.validation.manifest import Manifest, Numbers, Shard, Stats, Sums
from gritmill.validation.record import Record
from gritmill.validation.sample import CheckedImage, Rules, check_image, fault_line, sample_faults
from gritmill.validation.tar import Broken, read_samples
from pipeline import files, layout
from pipeline.faults import CallError, RunFault, first_line
from pipeline.files.typed import is_intact
from pipeline.pack.truth_sheet import RULES_VERSION as SHEET_RULES
from transforms import grit_record
from transforms.claims.verdicts import RULES_VERSION
from transforms.devices import available_cores
from transforms.read_ahead import read_ahead
from transforms.text import dialects
from transforms.wording import counted

_AHEAD_BYTES = 64 << 20

_Members = tuple[str, dict[str, bytes]]
"""The key of a sample, and its members by ending."""

_CHANGED = "changed since it was written (its checksum is wrong)"


@dataclass(frozen=True)
class Finding:
    """A fault (`text`), or a sample that was read (empty text). key: "" if the fault is not of a single sample."""

    shard: str
    key: str
    text: str


def validate(output: str | PathLike[str], limit: int | None = None) -> Iterator[Finding]:
    """Yields each sample and each fault of a run, in order.

    If the run folder has the detections of the pack, boxes, claims and decoys of all records are computed again from
    these. Otherwise, or if they are damaged, the records must agree with themselves: a damaged table is no fault of the
    pack.

    limit: samples to check per shard, without the detections. Checksums always cover whole files.

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
        manifest = Manifest.model_validate_json(data)
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
    check = _Check(folder, rules, limit, manifest.claim_rules == RULES_VERSION)
    if limit is None:
        with suppress(RunFault):
            check.rows = open_rows(folder)
    for number, shard in enumerate(manifest.shards):
        yield from check.shard(f"{number:05}", shard)
    yield from (Finding(layout.MANIFEST, "", text) for text in (*_ledger_faults(manifest), *check.sum_faults(manifest)))
    for name in (layout.STATISTICS, layout.REPORT):
        if fault := _json_fault(files.join(folder, name)):
            yield Finding(name, "", fault)
    yield from _unlisted_files(folder, manifest)


@dataclass
class _Check:
    """Checks the shards of a run in order. verdicts: whether claims were checked by the rules of this release. rows:
    what the shards were packed from, if it is known. sums: of the stats of each shard; None if they cannot be read."""

    folder: str
    rules: Rules
    limit: int | None
    verdicts: bool
    rows: PackedRows | None = None
    sums: list[Sums | None] = field(default_factory=list)

    def shard(self, number: str, shard: Shard) -> Iterator[Finding]:
        """Checks a shard. number: five digits."""
        for name, checksum in ((shard.tar, shard.sha256), (shard.index, shard.index_sha256)):
            if text := _checksum_fault(files.join(self.folder, name), checksum):
                yield Finding(name, "", text)
                self.sums.append(None)
                return
        if (shard.tar, shard.index) != (layout.shard_tar(int(number)), layout.shard_index(int(number))):
            yield Finding(shard.tar, "", f"is shard {int(number)} of the manifest, but its files have other names")
        rows: list[dict[str, Any]] = []
        try:
            rows = _read_index(files.join(self.folder, shard.index))
            if len(rows) != shard.samples:
                numbers = f"{counted(len(rows), 'row')}, but {counted(shard.samples, 'sample')} in the manifest"
                yield Finding(shard.index, "", numbers)
        except Broken as broken:
            yield Finding(shard.index, "", str(broken))
        name = layout.shard_stats(int(number))
        stats = _read_stats(files.join(self.folder, name), shard)
        if isinstance(stats, str):
            yield Finding(name, "", stats)
        self.sums.append(None if isinstance(stats, str) else stats)
        recount = Recount()
        yield from self._tar(number, shard, rows, recount)
        if isinstance(stats, Stats) and recount.records == shard.samples:
            yield from (Finding(name, "", text) for text in self._recount_faults(stats, recount))

    def sum_faults(self, manifest: Manifest) -> Iterator[str]:
        """Yields how the sums of the manifest differ from those of the stats of all shards."""
        if None in self.sums:
            return
        parts = [part for part in self.sums if part]
        claims = Counter[ClaimKey]()
        for part in parts:
            claims.update(claims_by_verdict(one.model_dump() for one in part.claims))
        yield from claim_faults(claims_by_verdict(one.model_dump() for one in manifest.claims), claims, "stats")
        sheets = [part.truth_sheet for part in parts]
        versions = {sheet.rules if sheet else None for sheet in sheets}
        if manifest.truth_sheet is None or versions != {manifest.truth_sheet.rules}:
            if manifest.truth_sheet is not None or (len(versions) == 1 and None not in versions):
                yield "truth_sheet: the stats of all shards have one, or else the manifest has none"
            return
        total = Counter[str]()
        for sheet in sheets:
            total.update(sheet.model_dump(exclude={"rules"}) if sheet else {})
        yield from sheet_faults(manifest.truth_sheet.model_dump(exclude={"rules"}), total, "stats")

    def _recount_faults(self, stats: Stats, recount: Recount) -> Iterator[str]:
        stated = claims_by_verdict(one.model_dump() for one in stats.claims)
        yield from claim_faults(stated, recount.claims, "records")
        if stats.truth_sheet and stats.truth_sheet.rules == SHEET_RULES:
            sheet = stats.truth_sheet.model_dump(exclude={"rules"})
            unknown = () if self.rows and self.rows.has_decoys else OF_DECOYS
            recount.sheet.update({name: sheet[name] for name in unknown})
            yield from sheet_faults(sheet, recount.sheet, "records")

    def _tar(self, number: str, shard: Shard, rows: list[dict[str, Any]], recount: Recount) -> Iterator[Finding]:
        samples = boxes = 0
        uids: set[str] = set()

        def also(record: Record) -> Iterable[str]:
            recount.add(record)
            try:
                found = list(self.rows.faults(record, recount.sheet)) if self.rows else None
            except RunFault:
                found = self.rows = None
            if found is None and self.verdicts:  # without the detections, less can be said
                found = list(verdict_faults(record))
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

        cores = available_cores()
        with files.open_read(files.join(self.folder, shard.tar)) as file:
            yield from read_ahead(
                readable(file),
                lambda sample: check_image(sample[1].get("jpg", b""), self.rules),
                threads=cores,
                ahead=2 * cores,
                cost=lambda sample: len(sample[1].get("jpg", b"")),
                max_cost=_AHEAD_BYTES,
                name="decode",
            )


def _read_stats(uri: str, shard: Shard) -> Stats | str:
    """The stats of a shard, or what is wrong with them."""
    if not files.exists(uri):
        return "is missing"
    data = files.read_bytes(uri)
    if not is_intact(data):
        return _CHANGED
    try:
        stats = Stats.model_validate_json(data)
    except ValidationError as error:
        return fault_line(error)
    same = all(getattr(stats, name) == getattr(shard, name) for name in Numbers.model_fields)
    return stats if same else "differs from the manifest"


def _ledger_faults(manifest: Manifest) -> Iterator[str]:
    ledger = manifest.ledger
    rejected = sum(ledger.rejected.values())
    failed = sum(pairs for reasons in ledger.failed.values() for pairs in reasons.values())
    if ledger.read != ledger.written + rejected + failed:
        yield f"ledger: {ledger.read} read, but {ledger.written} written + {rejected} rejected + {failed} failed"
    samples = sum(shard.samples for shard in manifest.shards)
    if ledger.written != samples:
        yield f"ledger: {ledger.written} written, but {samples} in the shards"


def _unlisted_files(folder: str, manifest: Manifest) -> Iterator[Finding]:
    """Tars and indexes that the manifest does not list. A reader of `shards/*.tar` would read them too."""
    named = {name for shard in manifest.shards for name in (shard.tar, shard.index)}
    for info in files.list_folder(files.join(folder, layout.SHARDS)):
        name = f"{layout.SHARDS}/{files.name(info.uri)}"
        if name.endswith((".tar", ".parquet")) and name not in named:
            yield Finding(name, "", "is not in the manifest")


def _json_fault(uri: str) -> str:
    """Why a JSON file has not the content with which it was written; empty if it has, or if it does not exist."""
    if not files.exists(uri):
        return ""
    data = files.read_bytes(uri)
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {first_line(error)}"
    return "" if is_intact(data) else _CHANGED


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
        raise Broken(f"not a parquet file: {error}") from error
    found = {field.name: field.type for field in table.schema}
    expected = {column.name: column.type for column in grit_record.COLUMNS}
    defaults = grit_record.defaults()
    for name in {**found, **expected}:
        if found.get(name, expected[name] if name in defaults else None) != expected.get(name):
            raise Broken(f"column {name}: {found.get(name, 'missing')}, expected {expected.get(name, 'no column')}")
    return [defaults | row for row in table.to_pylist()]
