"""Checks the boxes, claims and decoys of records against the detections that they were packed from."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gritmill.validation.record import Record
from pipeline import files, layout
from pipeline.ids import ChunkId
from pipeline.pack.fingerprint import digest_decoys, is_packed_from, rows_by_range
from pipeline.pack.judge_decoys import judge_decoys
from pipeline.pack.manifest import Manifest, read_manifest
from pipeline.pack.select_rows import SelectedRows
from pipeline.pack.truth_sheet import NO_DECOYS, AskedDecoys
from pipeline.plan.plan import read_plan
from pipeline.tables.decoys import open_decoys
from pipeline.tables.detections import open_detections
from transforms.grit_record import compose
from transforms.selection.check_kept import SelectedPair, check_many
from transforms.selection.select_boxes import in_record_order

_ROWS = ("noun_chunks", "ref_exps", "heads")

_Chunk = tuple[ChunkId, str, str]
"""A chunk, the digest of its rows, and that of its decoys; empty if it has none."""


@dataclass
class PackedRows:
    """The rows of a pack, read forward beside its samples. decoys: whether the decoys are those of the pack, too."""

    folder: str
    manifest: Manifest
    chunks: Iterator[_Chunk]
    decoys: bool
    _rows: dict[str, tuple[dict[str, Any], AskedDecoys]] = field(default_factory=dict)
    _lost: bool = False

    def faults(self, record: Record, sheet: Counter[str]) -> Iterator[str]:
        """Yields how the boxes, claims and decoys of a record differ from those of its row. Records must come in order.

        sheet: gets the sums over decoys.
        """
        while record.uid not in self._rows and not self._lost:
            chunk = next(self.chunks, None)
            self._rows = dict(self._read(*chunk)) if chunk else {}
            self._lost = chunk is None
            if self._lost:
                yield "uid: the detections have no such pair behind that of the sample before"
        if self._lost:
            return
        expected, asked = self._rows[record.uid]
        given = record.model_dump(mode="json", include=set(expected))
        yield from (f"{name}: other than by the detections" for name in expected if given[name] != expected[name])
        if self.decoys and asked.asked:
            sheet.update(decoys=asked.asked, decoy_pairs=1, decoys_found=asked.found, decoy_boxes=asked.boxes)

    @property
    def has_decoys(self) -> bool:
        """Whether the sums over decoys are those of all records so far."""
        return self.decoys and not self._lost

    def _read(self, chunk: ChunkId, digest: str, of_decoys: str) -> Iterator[tuple[str, Any]]:
        """The pairs of a chunk that have boxes, by uid, with the fields that a record of each has."""
        policy, detections = self.manifest.policy, files.join(self.folder, layout.DETECTIONS)
        table = open_detections(detections).read(chunk, digest)
        selected = SelectedRows.from_table(table, policy.selection, policy.threshold, policy.given)
        asked: Sequence[AskedDecoys] = [NO_DECOYS] * len(table)
        if self.decoys and of_decoys:
            rows = open_decoys(detections).read(chunk, of_decoys)
            asked = judge_decoys(rows, selected.candidates, policy.selection, policy.threshold)
        kept = [
            SelectedPair(row, pair, in_record_order(boxes))
            for row, (pair, boxes) in enumerate(selected.pairs())
            if boxes
        ]
        names = (*_ROWS, *(("claims",) if self.manifest.claim_rules else ()), *(("absent",) if self.decoys else ()))
        verdicts = check_many(kept, selected.candidates, policy.selection, policy.threshold)
        for one, checked in zip(kept, verdicts, strict=True):
            record = compose("", one.pair, one.groundings, checked, asked[one.number].absent)
            yield record["uid"], ({name: record[name] for name in names}, asked[one.number])


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

    def chunks() -> Iterator[_Chunk]:
        for range_id, row in zip(plan.range_ids(), rows, strict=True):
            entries = table.entries(range_id, row.chunks is None, row.chunks)
            digests = row.decoy_digest.split(",")
            yield from (
                (range_id.chunk(one.chunk), one.digest, of_decoys)
                for one, of_decoys in zip(entries, digests, strict=False)
            )

    used = manifest.fingerprints.decoys
    return PackedRows(folder, manifest, chunks(), bool(used) and used == digest_decoys(rows))
