"""The graph of `pack`: counts the kept pairs, plans the content of each shard from the counts, then writes shards."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import apache_beam as beam

from pipeline import files, layout
from pipeline.configuration import ShardSettings
from pipeline.engines import progress, run_pipeline, submission
from pipeline.engines.beam_options import parse_beam_options
from pipeline.engines.worker_context import Leased
from pipeline.faults import EnvironmentFault
from pipeline.files.lease import Lease
from pipeline.files.publish import publish_json
from pipeline.files.typed import publish_typed
from pipeline.fingerprint import json_digest
from pipeline.pack.count import count_range
from pipeline.pack.duplicates import RangeKey, find_duplicates, hash_range, range_key, rows_of
from pipeline.pack.ledger import RangeCount, digests_of
from pipeline.pack.manifest import Manifest, write_manifest
from pipeline.pack.options import PackOptions
from pipeline.pack.plan_shards import ShardPlan, plan_shards
from pipeline.pack.progress import PackProgress
from pipeline.pack.shard_stats import shard_fingerprints
from pipeline.pack.shard_writer import ShardWriter
from pipeline.pack.statistics import Statistics, add_up
from pipeline.plan.plan import need_plan
from pipeline.plan.work_list import Work, read_work, work_list
from transforms.filters import Filters


def run(output: str, folder: str, head: Manifest, work: Iterable[Work], row_digest: str, options: PackOptions) -> None:
    """Writes shards, statistics and manifest into `output`, from the detections in `folder`.

    Args:
      head: the part of the manifest that is known before the run.
      work: the ranges, and for each one that is not finished, the number of its chunks, and of those with decoys.
      row_digest: of `ledger.digests_of`, as they were before the graph was built.

    Raises:
      CallError: more than `MAX_SHARDS` shards. EnvironmentFault: the run failed before it was complete.
    """
    beam_options = parse_beam_options(options.beam)
    writer = ShardWriter(folder, output, head.fingerprints.pack, head.policy, bool(head.fingerprints.decoys))
    files.delete([files.join(output, layout.PLANNED_SHARDS)])  # left by a run that was killed
    old = files.list_folder(output, layout.MANIFEST)
    lease = options.claim.lease if options.claim else None
    if lease:
        submission.announce(beam_options, lease, "pack")
    run = PackProgress(output)
    display = progress.show_progress(
        "pack", "shards", run.state, options.quiet, files.is_local(output), options.log, run.news
    )
    with display, work_list(output, work) as uri:
        stale = Stale(options.fresh, old[0].stamp if old else None)
        run_pipeline.run(
            lambda pipeline: build(pipeline, uri, writer, head, row_digest, stale, lease),
            beam_options,
            options.claim,
            options.engine,
        )
    files.delete([files.join(output, layout.PLANNED_SHARDS)])


@dataclass(frozen=True)
class Stale:
    """What this pack replaces. fresh: also shards with its own fingerprint. manifest: the stamp of the manifest that
    was there when the graph was submitted; None if there was none."""

    fresh: bool
    manifest: float | None


def build(
    pipeline: beam.Pipeline,
    work_uri: str,
    writer: ShardWriter,
    head: Manifest,
    row_digest: str,
    stale: Stale,
    lease: Lease | None = None,
) -> object:
    """Builds the graph. Only counts and plans cross a shuffle, never images. lease: each step that reads or writes
    files asks whether it is still in force."""
    finish = partial(_manifest, writer=writer, head=head)
    plan = partial(_plan, writer=writer, shards=head.settings.shards, row_digest=row_digest, stale=stale)
    ranges = (
        pipeline
        | "WorkList" >> beam.Create([work_uri])
        | "Ranges"
        >> beam.FlatMap(Leased(lease, "list ranges", partial(ranges_of, folder=writer.detections), many=True))
        | "SpreadRanges" >> beam.Reshuffle()
    )
    if writer.policy.exact_duplicates:
        ranges = _with_duplicates(ranges, writer.detections, lease)
    columns = (*Filters(head.settings.filters).names, *head.settings.source.annotations.names)
    count = partial(_count, writer=writer, columns=columns)
    counted = ranges | "CountKept" >> beam.FlatMap(Leased(lease, "count", count))
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
        | "PlanShards" >> beam.FlatMap(Leased(lease, "plan shards", plan, many=True, complete=True))
        | "SpreadShards" >> beam.Reshuffle()
        | "WriteShards" >> beam.FlatMap(Leased(lease, "write shards", writer.write))
        | "KeyStats" >> beam.WithKeys("")
    )
    return (
        {"counts": counts, "stats": stats, "statistics": statistics}
        | "GatherAll" >> beam.CoGroupByKey()
        | "WriteManifest" >> beam.FlatMap(Leased(lease, "write manifest", finish, complete=True))
    )


RangeItem = tuple[Work, str, list[int]]
"""A range, the URI of its source, and the rows that are duplicates."""


def ranges_of(uri: str, folder: str) -> Iterator[RangeItem]:
    """Yields the ranges of a work list in input order, without duplicates. folder: of the detections."""
    plan = need_plan(folder)
    yield from ((work, plan.sources[work.range_id.source].uri, []) for work in read_work(uri))


def _with_duplicates(ranges: beam.PCollection, folder: str, lease: Lease | None) -> beam.PCollection:
    """Adds the duplicates to the ranges."""
    hash_pairs = Leased(
        lease, "hash pairs", lambda item: hash_range(folder, item[0].range_id, item[0].chunks), many=True
    )
    duplicates = (
        ranges
        | "HashPairs" >> beam.FlatMap(hash_pairs)
        | "GatherHashes" >> beam.GroupByKey()
        | "FindDuplicates" >> beam.FlatMap(lambda keyed: find_duplicates(keyed[1]))
    )
    keyed = ranges | "KeyRanges" >> beam.Map(lambda item: (range_key(item[0].range_id), item))
    return (
        {"range": keyed, "duplicates": duplicates}
        | "GatherDuplicates" >> beam.CoGroupByKey()
        # A step before may have seen that the lease is revoked, and dropped the range but not its hashes.
        | "AddDuplicates" >> beam.FlatMap(Leased(lease, "add duplicates", _add_duplicates))
    )


def _add_duplicates(keyed: tuple[RangeKey, dict[str, Iterable[Any]]]) -> RangeItem:
    ((work, source, _),) = keyed[1]["range"]
    return work, source, rows_of(keyed[1]["duplicates"])


def _count(item: RangeItem, writer: ShardWriter, columns: tuple[str, ...]) -> tuple[RangeCount, Statistics]:
    (range_id, chunks, decoys), source, duplicates = item
    return count_range(writer.detections, range_id, chunks, writer.policy, source, columns, duplicates, decoys)


def _plan(
    keyed: tuple[str, Iterable[RangeCount]], writer: ShardWriter, shards: ShardSettings, row_digest: str, stale: Stale
) -> Iterator[ShardPlan]:
    counts = list(keyed[1])
    if json_digest(digests_of(counts)) != row_digest:
        raise EnvironmentFault(f"{writer.detections}: the rows changed while they were counted; run it again")
    plans = list(plan_shards(counts, shards))
    _remove_stale(writer.output, writer.fingerprint, stale)
    done = len(files.list_folder(writer.output, layout.ALL_SHARD_STATS))  # of this pack: others have been removed
    publish_json(files.join(writer.output, layout.PLANNED_SHARDS), {"shards": len(plans), "done": done})
    yield from plans


def _remove_stale(output: str, fingerprint: str, stale: Stale) -> None:
    """Deletes the manifest and the stats of other packs before the first shard is replaced, so that no reader trusts a
    mixture of packs.

    Keeps finished shards of this pack that a killed run left. With `fresh`, a finished pack is written again, and
    nothing damaged is in the way. The manifest goes last: if this is killed, the next `fresh` finds it and starts over.
    An engine may do this again when shards, or even the manifest, are written: they stay.
    """
    old = [info for info in files.list_folder(output, layout.MANIFEST) if info.stamp == stale.manifest]
    found = shard_fingerprints(output, damaged="" if stale.fresh else None)
    files.delete(uri for uri, one in found.items() if (stale.fresh and old) or one != fingerprint)
    files.delete(info.uri for info in old)


def _manifest(keyed: tuple[str, dict[str, Iterable[Any]]], writer: ShardWriter, head: Manifest) -> None:
    (statistics,) = keyed[1]["statistics"]
    publish_typed(files.join(writer.output, layout.STATISTICS), statistics.summary(head.settings.detector.floor))
    write_manifest(writer.output, head, keyed[1]["counts"], keyed[1]["stats"])
