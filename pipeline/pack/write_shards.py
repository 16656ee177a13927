"""WriteShards: one shard's tar, its index, and last its stats."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipeline.pack.plan_shards import ShardPlan
from pipeline.pack.shard_writer import ShardWriter


class _WriteShardsDoFn(beam.DoFn):
    def __init__(self, writer: ShardWriter) -> None:
        self.writer = writer

    def process(self, plan: ShardPlan) -> Iterator[dict[str, Any]]:
        yield self.writer.write(plan)


@dataclass
class WriteShards(beam.PTransform):
    """Shard plans -> the stats of the written shards."""

    writer: ShardWriter

    def expand(self, plans: beam.PCollection) -> beam.PCollection:
        return plans | beam.ParDo(_WriteShardsDoFn(self.writer))
