"""Checks the boxes, claims and decoys of records against the detections that they were packed from."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any, NamedTuple

import pyarrow as pa

from gritmill.validation.record import Record
from pipeline import files, layout
from pipeline.faults import RunFault
from pipeline.ids import ChunkId
from pipeline.pack.judge_decoys import judge_decoys
from pipeline.pack.select_rows import SelectedRows
from pipeline.pack.truth_sheet import NO_DECOYS, AskedDecoys
from pipeline.tables.decoys import open_decoys
from pipeline.tables.detections import open_detections
from transforms.annotations.annotate import given_links
from transforms.grit_record import COLUMNS, KeptPair, uid
from transforms.images import matches_digest
from transforms.selection.check_kept import SelectedPair, check_many
from transforms.selection.judge import Policy
from transforms.selection.select_boxes import in_record_order

_ROWS = ("noun_chunks", "ref_exps", "heads")

PackedChunk = tuple[ChunkId, str, str]
"""A chunk, the digest of its rows, and that of its decoys; empty if it has none."""


class _Row(NamedTuple):
    """A pair with boxes. fields: of its record. image_digest: of the bytes that were decoded."""

    fields: dict[str, Any]
    decoys: AskedDecoys
    image_digest: str


@dataclass
class PackedRows:
    """The rows of a pack, read forward beside its samples.

    claims: whether records have claims. decoys: whether the decoys are those of the pack, too. known: whether all
    records so far were found, and no chunk was damaged.
    """

    folder: str
    policy: Policy
    claims: bool
    decoys: bool
    chunks: Sequence[PackedChunk]
    known: bool = True
    _at: int = 0
    _rows: Mapping[str, _Row] | None = None

    def by_shard(self, uids: Iterable[str], samples: Sequence[int]) -> Iterator["PackedRows"]:
        """Yields the rows of each shard: from the chunk of its first record to that of the next shard's.

        Ends after a shard whose first record is in no chunk from the first one of the shard before on: to look for
        those of many such shards would take too long, as each has to read all chunks.

        uids: of the first record of each shard; empty if not known. samples: how many each shard has.
        """
        start, passed, left = 0, 0, sum(samples)
        for number, (name, size) in enumerate(zip(uids, samples, strict=True)):
            guess = start + (len(self.chunks) - start) * passed // max(1, left)
            try:
                at = self._nearest(name, start, guess) if name else None
                ends = bool(name) and at is None
            except RunFault:
                at, ends = None, False
            if number:
                yield self._part(start, at)
            if ends:
                break
            if at is not None:
                start, passed, left = at, 0, left - passed
            passed += size
        if samples:
            yield self._part(start, None)

    def _part(self, first: int, last: int | None) -> "PackedRows":
        return replace(self, chunks=self.chunks[first : None if last is None else last + 1])

    def _nearest(self, name: str, first: int, guess: int) -> int | None:
        """The number of the chunk that has a pair, `first` or a later one. They are looked at from a guess outwards."""
        both = zip_longest(range(guess, len(self.chunks)), reversed(range(first, guess)))
        numbers = (number for number in chain.from_iterable(both) if number is not None)
        return next((number for number in numbers if name in _uids(self._table(number))), None)

    def faults(self, record: Record, sheet: Counter[str]) -> list[str] | None:
        """How the boxes, claims and decoys of a record differ from those of its row. Records must come in order.

        None: nothing is known of this record and those behind it. sheet: gets the sums over decoys.
        """
        if not self.known:
            return None
        try:
            found = self._advance(record.uid)
        except RunFault:
            self.known = False
            return None
        if found is None:
            self.known = False
            return ["uid: the detections have no such pair, or not at this place"]
        expected, asked, _ = found
        if self.decoys and asked.asked:
            sheet.update(decoys=asked.asked, decoy_pairs=1, decoys_found=asked.found, decoy_boxes=asked.boxes)
        given = record.model_dump(mode="json", include=set(expected))
        return [f"{name}: other than by the detections" for name in expected if given[name] != expected[name]]

    def has_image(self, name: str, data: bytes) -> bool:
        """Whether an image has the bytes that `ground` read and decoded for a pair, by its uid. Only after `faults`
        compared the record of this pair; otherwise False.

        A pair with boxes was given to the detector, or had boxes in the source: both decode its image in full.
        """
        row = (self._rows or {}).get(name) if self.known else None
        return row is not None and matches_digest(data, row.image_digest)

    @property
    def has_decoys(self) -> bool:
        """Whether the sums over decoys are those of all records so far."""
        return self.decoys and self.known

    def _advance(self, name: str) -> _Row | None:
        """The row of the pair with a uid."""
        while self._at < len(self.chunks):
            if self._rows is None:
                table = self._table(self._at)
                self._rows = dict(self._judged(table)) if name in _uids(table) else {}
            if name in self._rows:
                return self._rows[name]
            self._rows = None
            self._at += 1
        return None

    def _table(self, number: int) -> pa.Table:
        chunk, digest, _ = self.chunks[number]
        return open_detections(files.join(self.folder, layout.DETECTIONS)).read(chunk, digest)

    def _judged(self, table: pa.Table) -> Iterator[tuple[str, _Row]]:
        """The pairs of the current chunk that have boxes, by uid."""
        policy = self.policy
        selected = SelectedRows.from_table(table, policy.selection, policy.threshold, policy.given)
        asked: Sequence[AskedDecoys] = [NO_DECOYS] * len(table)
        chunk, _, of_decoys = self.chunks[self._at]
        if self.decoys and of_decoys:
            rows = open_decoys(files.join(self.folder, layout.DETECTIONS)).read(chunk, of_decoys)
            asked = judge_decoys(rows, selected.candidates, policy.selection, policy.threshold)
        kept = [
            SelectedPair(row, pair, in_record_order(boxes), given_links(pair, policy.given))
            for row, (pair, boxes) in enumerate(selected.pairs())
            if boxes
        ]
        names = {*_ROWS, *(("claims",) if self.claims else ()), *(("absent",) if self.decoys else ())}
        columns = [column for column in COLUMNS if column.name in names]
        verdicts = check_many(kept, selected.candidates, policy.selection, policy.threshold)
        for one, checked in zip(kept, verdicts, strict=True):
            pair, decoys = one.pair, asked[one.number]
            record = KeptPair("", pair, one.groundings, checked, decoys.absent)
            fields = {column.name: column.value(record) for column in columns}
            yield uid(pair.source, pair.index), _Row(fields, decoys, pair.image.digest)


def _uids(table: pa.Table) -> Collection[str]:
    """The uids of the pairs of a table."""
    pairs: Iterable[Any] = zip(table["source"].to_pylist(), table["index"].to_pylist(), strict=True)
    return {uid(source, index) for source, index in pairs}
