"""Writes a shard: the tar, then the index, then the stats."""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, tee
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from pipeline import files, layout
from pipeline.engines import heartbeat
from pipeline.faults import EnvironmentFault
from pipeline.files.publish import publish, publish_bytes
from pipeline.files.typed import publish_typed
from pipeline.pack.claim_counts import Verdicts, add_claims, claim_counts
from pipeline.pack.given_boxes import GivenBoxes
from pipeline.pack.judge_decoys import judge_decoys
from pipeline.pack.ledger import Examples, Failures, add_failure, failed_pairs
from pipeline.pack.plan_shards import Piece, ShardPlan
from pipeline.pack.select_rows import SelectedRows
from pipeline.pack.shard_stats import ShardStats, finished_stats
from pipeline.pack.tar_writer import TarWriter
from pipeline.pack.truth_sheet import NO_DECOYS, AskedDecoys, Sums, TruthSheet, add_pair
from pipeline.plan.plan import Plan, need_plan
from pipeline.sources.fetch_images import fetch_images
from pipeline.tables.decoys import open_decoys
from pipeline.tables.detections import open_detections
from transforms import images
from transforms.annotations.annotate import has_given_boxes
from transforms.annotations.columns import AnnotationColumns
from transforms.grit_record import compose, index_schema
from transforms.records import Fault
from transforms.selection.judge import Kept, Policy
from transforms.text import dialects

_BATCH = 256


@dataclass(frozen=True)
class ShardWriter:
    """Writes shards from detections and the images in the sources.

    detections: folder of the table. output: the run folder. fingerprint: of the pack; a finished shard with this
    fingerprint is kept. decoys: whether the records say which decoys were not found.
    """

    detections: str
    output: str
    fingerprint: str
    policy: Policy
    decoys: bool = False

    @cached_property
    def _plan(self) -> Plan:
        return need_plan(self.detections)

    def write(self, plan: ShardPlan) -> ShardStats:
        """Writes a shard, unless an earlier run finished it, and returns its stats.

        Raises:
          EnvironmentFault: the rows changed after they were counted.
        """
        done = finished_stats(self.output, plan.number)
        if done and done.pack_fingerprint == self.fingerprint:
            return done
        kept, again = tee(item for piece in plan.pieces for item in self._kept(piece))
        fetched = fetch_images((item.pair for item, _ in again), self._plan.open_source)
        settings = self._plan.configuration
        claims, limits = settings.phrases.claims, settings.source.image_limits
        names = tuple(self.policy.text.dialect)
        records = _RecordBuffer(index_schema(claims, self.decoys))
        shard = _ShardInProgress(plan.number, names, limits, claims, self.decoys, records, self.policy.given)
        with publish(files.join(self.output, layout.shard_tar(plan.number))) as file:
            shard.write_tar(file, enumerate(zip(kept, fetched, strict=True)))
            if shard.pairs != plan.pairs:
                raise EnvironmentFault(
                    f"{self.detections}: the rows changed after they were counted; run gritmill pack again"
                )
        index = shard.records.as_parquet()
        publish_bytes(files.join(self.output, layout.shard_index(plan.number)), index)
        stats = shard.stats(plan, index, self.fingerprint)
        publish_typed(files.join(self.output, layout.shard_stats(plan.number)), stats)
        return stats

    def _kept(self, piece: Piece) -> Iterator[tuple[Kept, AskedDecoys]]:
        table = open_detections(self.detections).read(piece.chunk, piece.digest)
        selected = SelectedRows.from_table(table, self.policy.selection, self.policy.threshold, self.policy.given)
        outcomes = (outcome for _, _, outcome in selected.outcomes(self.policy, piece.duplicates))
        every = ((row, outcome) for row, outcome in enumerate(outcomes) if isinstance(outcome, Kept))
        kept = list(islice(every, piece.first, piece.last))
        checked: Iterable[Kept] = (outcome for _, outcome in kept)
        if not self.policy.rejects_claims:  # else they have their verdicts
            checked = selected.with_verdicts(kept, self.policy)
        asked = self._decoys(piece, selected)
        yield from (
            (outcome, asked[row] if asked else NO_DECOYS) for (row, _), outcome in zip(kept, checked, strict=True)
        )

    def _decoys(self, piece: Piece, selected: SelectedRows) -> list[AskedDecoys]:
        """The decoys of all rows of a chunk; empty if it has none."""
        if not piece.decoys:
            return []
        rows = open_decoys(self.detections).read(piece.chunk, piece.decoys)
        return judge_decoys(rows, selected.candidates, self.policy.selection, self.policy.threshold)


@dataclass
class _ShardInProgress:
    """The state of a shard while it is written. claims, decoys: whether its records have claims, and decoys that were
    not found. given: columns of the source with boxes. images: the digests of the images in it. verdicts: on the
    claims of its samples. sums: of its truth sheet. of_source: the boxes of each sample that comes with boxes."""

    shard: int
    dialects: tuple[str, ...]
    limits: images.ImageLimits
    claims: bool
    decoys: bool
    records: "_RecordBuffer"
    given: AnnotationColumns
    failed: Failures = field(default_factory=dict)
    failed_examples: Examples = field(default_factory=dict)
    boxes: int = 0
    size: int = 0
    sha256: str = ""
    images: set[str] = field(default_factory=set)
    repeated_bytes: int = 0
    verdicts: Verdicts = field(default_factory=Verdicts)
    sums: Sums = field(default_factory=Sums)
    of_source: list[int] = field(default_factory=list)

    def write_tar(
        self, file: BinaryIO, fetched: Iterable[tuple[int, tuple[tuple[Kept, AskedDecoys], bytes | Fault]]]
    ) -> None:
        """Writes the samples. A pair whose image is not available leaves a gap in the numbering."""
        with TarWriter(file) as target:
            for number, ((kept, decoys), data) in fetched:
                heartbeat.advance()
                image = data if isinstance(data, Fault) else self._jpeg(data)
                if isinstance(image, Fault):
                    add_failure(self.failed, self.failed_examples, kept.pair, image)
                    continue
                verdicts = kept.verdicts if self.claims else None
                absent = decoys.absent if self.decoys else None
                record = compose(f"{self.shard:05}{number:04}", kept.pair, kept.groundings, verdicts, absent)
                self.records.add(record)
                if kept.pair.image.digest in self.images:
                    self.repeated_bytes += len(image)
                self.images.add(kept.pair.image.digest)
                self.boxes += len(kept.groundings)
                if has_given_boxes(kept.pair, self.given):
                    self.of_source.append(len(kept.groundings))
                if self.claims:
                    add_claims(self.verdicts, kept.pair.claims, kept.verdicts)
                if self.claims or self.decoys:
                    add_pair(self.sums, kept.pair, kept.groundings, decoys)
                for ending, content in self._members(kept, record, image):
                    target.add(f"{record['key']}.{ending}", content)
        self.size, self.sha256 = target.size, target.sha256

    def _jpeg(self, data: bytes) -> bytes | Fault:
        try:
            return images.to_jpeg(data, *self.limits)
        except images.ImageFault as fault:  # `ground` may have used another version of Pillow
            return fault.as_fault()

    def _members(self, kept: Kept, record: dict[str, Any], image: bytes) -> Iterator[tuple[str, bytes]]:
        yield "jpg", image
        yield "json", to_json(record)  # a seventh of the time of json.dumps, because a record is mostly numbers
        yield "txt", kept.pair.caption.encode()
        for number, name in enumerate(self.dialects):
            yield "grounded.txt" if number == 0 else f"{dialects.suffix(name)}.txt", kept.texts[name].encode()

    @property
    def pairs(self) -> int:
        """The number of pairs so far, written or failed."""
        return len(self.records) + failed_pairs(self.failed)

    def stats(self, plan: ShardPlan, index: bytes, fingerprint: str) -> ShardStats:
        return ShardStats(
            shard=plan.number,
            count=plan.pairs,
            successes=len(self.records),
            failed=self.failed,
            failed_examples=self.failed_examples,
            boxes=self.boxes,
            bytes=self.size,
            sha256=self.sha256,
            index_sha256=hashlib.sha256(index).hexdigest(),
            pack_fingerprint=fingerprint,
            repeated_bytes=self.repeated_bytes,
            claims=claim_counts(self.verdicts),
            truth_sheet=TruthSheet(**self.sums) if self.claims or self.decoys else None,
            given_boxes=GivenBoxes(len(self.of_source), sum(self.of_source)) if self.given.boxes else None,
        )


class _RecordBuffer:
    """The records of a shard, packed into Arrow batches. As Python objects they would be a hundred times as large."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._pending: list[dict[str, Any]] = []
        self._batches: list[pa.RecordBatch] = []

    def __len__(self) -> int:
        return sum(map(len, self._batches)) + len(self._pending)

    def add(self, record: dict[str, Any]) -> None:
        """Adds a record."""
        self._pending.append(record)
        if len(self._pending) == _BATCH:
            self._pack()

    def as_parquet(self) -> bytes:
        """The index of the shard, as a parquet file."""
        self._pack()
        target = io.BytesIO()
        table = pa.Table.from_batches(self._batches, self._schema).combine_chunks()
        pq.write_table(table, target, compression="zstd")
        return target.getvalue()

    def _pack(self) -> None:
        self._batches.append(pa.RecordBatch.from_pylist(self._pending, self._schema))
        self._pending = []
