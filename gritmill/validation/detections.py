"""Checks the boxes, claims and decoys of records against the detections that they were packed from."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import Any

import pyarrow as pa

from gritmill.validation.record import Record
from pipeline import files, layout
from pipeline.faults import RunFault
from pipeline.ids import ChunkId, RangeId
from pipeline.pack.fingerprint import RangeRows, digest_decoys, is_packed_from, rows_by_range
from pipeline.pack.judge_decoys import judge_decoys
from pipeline.pack.manifest import read_manifest
from pipeline.pack.select_rows import SelectedRows
from pipeline.pack.truth_sheet import NO_DECOYS, AskedDecoys
from pipeline.plan.plan import read_plan
from pipeline.tables.decoys import open_decoys
from pipeline.tables.detections import open_detections
from transforms.annotations.annotate import given_links
from transforms.grit_record import compose, uid
from transforms.read_ahead import map_in_threads
from transforms.selection.check_kept import SelectedPair, check_many
from transforms.selection.judge import Policy
from transforms.selection.select_boxes import in_record_order

_ROWS = ("noun_chunks", "ref_exps", "heads")

_Chunk = tuple[ChunkId, str, str]
"""A chunk, the digest of its rows, and that of its decoys; empty if it has none."""


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
    chunks: Sequence[_Chunk]
    known: bool = True
    _at: int = 0
    _rows: Mapping[str, tuple[dict[str, Any], AskedDecoys]] | None = None

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
        expected, asked = found
        if self.decoys and asked.asked:
            sheet.update(decoys=asked.asked, decoy_pairs=1, decoys_found=asked.found, decoy_boxes=asked.boxes)
        given = record.model_dump(mode="json", include=set(expected))
        return [f"{name}: other than by the detections" for name in expected if given[name] != expected[name]]

    @property
    def has_decoys(self) -> bool:
        """Whether the sums over decoys are those of all records so far."""
        return self.decoys and self.known

    def _advance(self, name: str) -> tuple[dict[str, Any], AskedDecoys] | None:
        """The fields of the record with a uid, and its decoys."""
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

    def _judged(self, table: pa.Table) -> Iterator[tuple[str, Any]]:
        """The pairs of the current chunk that have boxes, by uid, with the fields that a record of each has."""
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
        names = (*_ROWS, *(("claims",) if self.claims else ()), *(("absent",) if self.decoys else ()))
        verdicts = check_many(kept, selected.candidates, policy.selection, policy.threshold)
        for one, checked in zip(kept, verdicts, strict=True):
            record = compose("", one.pair, one.groundings, checked, asked[one.number].absent)
            yield record["uid"], ({name: record[name] for name in names}, asked[one.number])


def _uids(table: pa.Table) -> Collection[str]:
    """The uids of the pairs of a table."""
    pairs: Iterable[Any] = zip(table["source"].to_pylist(), table["index"].to_pylist(), strict=True)
    return {uid(source, index) for source, index in pairs}


def open_rows(folder: str) -> PackedRows | None:
    """The rows of the pack in a run folder; None if it has no detections, or other ones than those of the pack.

    Raises:
      EnvironmentFault: a file that lists the detections is damaged, or this release cannot read the settings.
    """
    detections = files.join(folder, layout.DETECTIONS)
    plan, manifest = read_plan(detections), read_manifest(folder)
    if plan is None or manifest is None:
        return None
    table = open_detections(detections)
    done = table.finished_ranges()
    rows = rows_by_range(plan, table, done)
    if not is_packed_from(manifest, plan, rows):
        return None

    def chunks_of(one: tuple[RangeId, RangeRows]) -> list[_Chunk]:
        range_id, row = one
        entries = table.entries(range_id, row.chunks is None, row.chunks)
        digests = zip(entries, row.decoy_digest.split(","), strict=False)
        return [(range_id.chunk(one.chunk), one.digest, of_decoys) for one, of_decoys in digests]

    chunks = chain.from_iterable(map_in_threads(chunks_of, zip(plan.range_ids(), rows, strict=True)))
    used = manifest.fingerprints.decoys
    decoys = bool(used) and used == digest_decoys(rows)
    return PackedRows(folder, manifest.policy, bool(manifest.claim_rules), decoys, [*chunks])
