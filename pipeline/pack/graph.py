"""The graph of `pack`: counts the kept pairs, plans the content of each shard from the counts, then writes shards."""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

import apache_beam as beam

from pipeline import files, layout
from pipeline.configuration import ShardSettings
from pipeline.engines import progress, run_pipeline
from pipeline.files.publish import publish_json
from pipeline.files.typed import publish_typed
from pipeline.ids import RangeId
from pipeline.pack.count import count_range
from pipeline.pack.ledger import RangeCount
from pipeline.pack.manifest import Manifest, read_manifest, write_manifest
from pipeline.pack.options import PackOptions
from pipeline.pack.plan_shards import ShardPlan, plan_shards
from pipeline.pack.progress import PackProgress
from pipeline.pack.shard_stats import shard_fingerprints
from pipeline.pack.shard_writer import ShardWriter
from pipeline.pack.statistics import Statistics, add_up
from pipeline.plan.plan import need_plan
from pipeline.tables.detections import open_detections


def run(output: str, folder: str, head: Manifest, options: PackOptions) -> None:
    """Writes shards, statistics and manifest into `output`, from the detections in `folder`.

    head: the part of the manifest that is known before the run.

    Raises:
      CallError: more than `MAX_SHARDS` shards. EnvironmentFault: the run failed before it was complete.
    """
    beam_options = run_pipeline.parse_beam_options(options.beam)
    writer = ShardWriter(folder, output, head.fingerprints.pack, head.policy)
    files.delete([files.join(output, layout.PLANNED_SHARDS)])  # left by a run that was killed
    run = PackProgress(output)
    display = progress.show_progress(
        "pack", "shards", run.state, options.quiet, files.is_local(output), options.log, run.news
    )
    with display:
        run_pipeline.run(lambda pipeline: build(pipeline, writer, head, options.fresh), beam_options)
    files.delete([files.join(output, layout.PLANNED_SHARDS)])


def build(pipeline: beam.Pipeline, writer: ShardWriter, head: Manifest, fresh: bool = False) -> object:
    """Builds the graph. Only counts and plans cross a shuffle, never images."""
    counted = (
        pipeline
        | "Detections" >> beam.Create([writer.detections])
        | "Ranges" >> beam.FlatMap(all_ranges)
        | "SpreadRanges" >> beam.Reshuffle()
        | "CountKept" >> beam.Map(_count, writer)
    )
    counts = counted | "Counts" >> beam.Map(itemgetter(0)) | "KeyCounts" >> beam.WithKeys("")
    statistics = (
        counted
        | "Statistics" >> beam.Map(itemgetter(1))
        | "AddStatistics" >> beam.CombineGlobally(add_up, writer.policy.threshold).without_defaults()
        | "KeyStatistics" >> beam.WithKeys("")
    )
    stats = (
        counts
        | "GatherCounts" >> beam.GroupByKey()
        | "PlanShards" >> beam.FlatMap(_plan, writer, head.settings.shards, fresh)
        | "SpreadShards" >> beam.Reshuffle()
        | "WriteShards" >> beam.Map(writer.write)
        | "KeyStats" >> beam.WithKeys("")
    )
    return (
        {"counts": counts, "stats": stats, "statistics": statistics}
        | "GatherAll" >> beam.CoGroupByKey()
        | "WriteManifest" >> beam.Map(_manifest, writer, head)
    )


def all_ranges(folder: str) -> Iterator[tuple[RangeId, bool, str]]:
    """Yields the ranges of a detections folder in input order: id, whether it is finished, URI of its source."""
    plan, done = need_plan(folder), open_detections(folder).finished_ranges()
    yield from ((range_id, range_id in done, plan.sources[range_id.source].uri) for range_id in plan.range_ids())


def _count(item: tuple[RangeId, bool, str], writer: ShardWriter) -> tuple[RangeCount, Statistics]:
    range_id, done, source = item
    return count_range(writer.detections, range_id, done, writer.policy, source)


def _plan(
    keyed: tuple[str, Iterable[RangeCount]], writer: ShardWriter, shards: ShardSettings, fresh: bool
) -> Iterator[ShardPlan]:
    plans = list(plan_shards(keyed[1], shards))
    _remove_stale(writer.output, writer.fingerprint, fresh)
    done = len(files.list_folder(writer.output, layout.ALL_SHARD_STATS))  # of this pack: others have been removed
    publish_json(files.join(writer.output, layout.PLANNED_SHARDS), {"shards": len(plans), "done": done})
    yield from plans


def _remove_stale(output: str, fingerprint: str, fresh: bool) -> None:
    """Deletes the manifest and the stats of other packs before the first shard is replaced, so that no reader trusts a
    mixture of packs.

    Keeps finished shards of this pack that a killed run left. With `fresh`, a finished pack is written again.
    """
    manifest = read_manifest(output)
    finished = manifest is not None and manifest.fingerprints.pack == fingerprint
    files.delete(
        uri for uri, found in shard_fingerprints(output).items() if found != fingerprint or (fresh and finished)
    )
    files.delete([files.join(output, layout.MANIFEST)])


def _manifest(keyed: tuple[str, dict[str, Iterable[Any]]], writer: ShardWriter, head: Manifest) -> None:
    (statistics,) = keyed[1]["statistics"]
    publish_typed(files.join(writer.output, layout.STATISTICS), statistics.summary(head.settings.detector.floor))
    write_manifest(writer.output, head, keyed[1]["counts"], keyed[1]["stats"])
