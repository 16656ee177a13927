"""Checks the boxes, claims and decoys of records against the detections that they were packed from."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
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

    claims: whether records have claims. decoys: whether the decoys are those of the pack, too. at: the number of the
    chunk that the last record was found in, from which the next one is looked for. If a record was not found, it is
    more than there are, and nothing is known of further records.
    """

    folder: str
    policy: Policy
    claims: bool
    decoys: bool
    chunks: Sequence[_Chunk]
    at: int = 0
    _rows: Mapping[str, tuple[dict[str, Any], AskedDecoys]] | None = None

    def faults(self, record: Record, sheet: Counter[str]) -> Iterator[str]:
        """Yields how the boxes, claims and decoys of a record differ from those of its row. Records must come in order.

        sheet: gets the sums over decoys.
        """
        if self.lost:
            return
        if (found := self._advance(record.uid)) is None:
            yield "uid: the detections have no such pair behind that of the sample before"
            return
        expected, asked = found
        given = record.model_dump(mode="json", include=set(expected))
        yield from (f"{name}: other than by the detections" for name in expected if given[name] != expected[name])
        if self.decoys and asked.asked:
            sheet.update(decoys=asked.asked, decoy_pairs=1, decoys_found=asked.found, decoy_boxes=asked.boxes)

    @property
    def lost(self) -> bool:
        """Whether a record was not found."""
        return self.at > len(self.chunks)

    @property
    def has_decoys(self) -> bool:
        """Whether the sums over decoys are those of all records so far."""
        return self.decoys and not self.lost

    def nearest(self, name: str, guess: int) -> int | None:
        """The chunk that has the pair of a uid, the first one to be looked at being a guess. None if there is none, or
        if one that was looked at is damaged."""
        with suppress(RunFault):
            for number in sorted(range(len(self.chunks)), key=lambda number: abs(number - guess)):
                if name in self.uids(number):
                    return number
        return None

    def uids(self, number: int) -> Collection[str]:
        """The uids of all pairs of a chunk. Raises EnvironmentFault if it is damaged."""
        return _uids(self._table(number))

    def _advance(self, name: str) -> tuple[dict[str, Any], AskedDecoys] | None:
        """The fields of the record with a uid, and its decoys."""
        while self.at < len(self.chunks):
            if self._rows is None:
                table = self._table(self.at)
                self._rows = dict(self._judged(table)) if name in _uids(table) else {}
            if name in self._rows:
                return self._rows[name]
            self._rows = None
            self.at += 1
        self.at += 1
        return None

    def _table(self, number: int) -> pa.Table:
        chunk, digest, _ = self.chunks[number]
        return open_detections(files.join(self.folder, layout.DETECTIONS)).read(chunk, digest)

    def _judged(self, table: pa.Table) -> Iterator[tuple[str, Any]]:
        """The pairs of the current chunk that have boxes, by uid, with the fields that a record of each has."""
        policy = self.policy
        selected = SelectedRows.from_table(table, policy.selection, policy.threshold, policy.given)
        asked: Sequence[AskedDecoys] = [NO_DECOYS] * len(table)
        chunk, _, of_decoys = self.chunks[self.at]
        if self.decoys and of_decoys:
            rows = open_decoys(files.join(self.folder, layout.DETECTIONS)).read(chunk, of_decoys)
            asked = judge_decoys(rows, selected.candidates, policy.selection, policy.threshold)
        kept = [
            SelectedPair(row, pair, in_record_order(boxes))
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
