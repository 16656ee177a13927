"""Checks the shards of a run in several processes, a shard each. The findings are those of one process."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from operator import itemgetter

from gritmill.shard_processes import unseen_run
from gritmill.validation.detections import PackedRows
from gritmill.validation.manifest import Shard, Sums
from gritmill.validation.shard import Finding, ShardCheck
from pipeline import files, layout
from pipeline.faults import WorkerDied
from transforms.garbage import collect_rarely
from transforms.isolation.child_pool import stream_from_children
from transforms.isolation.child_process import ChildDied, note

_FINDING_COST = 200
_BATCH_COST, _MAX_COST = 1 << 16, 8 << 20
"""Bytes of findings in a message, and of those of a shard that wait for earlier shards: of 40,000 sound samples, while
a shard has 10,000. A finding has 200 bytes besides its text."""


def check_in_processes(
    check: ShardCheck, shards: Sequence[Shard], packed: Iterator[PackedRows], processes: int
) -> Iterator[Finding]:
    """Yields the findings of all shards, in order.

    check: gets the sums of each shard. packed: the rows of each shard in the detections, as far as they are known.

    Raises:
      WorkerDied: a process was killed.
    """
    alone = replace(check, sums=[])
    tasks = ((alone, number, shard, next(packed, None)) for number, shard in enumerate(shards))
    with closing(stream_from_children(_check_shard, tasks, processes, itemgetter(0), _MAX_COST)) as streams:
        for shard, stream in zip(shards, streams, strict=False):
            try:
                for _, found in stream:
                    yield from found
                check.sums.append(stream.result())
            except ChildDied as death:
                cure = "if the memory was not enough, use fewer --processes"
                raise WorkerDied(f"{shard.tar}: the process that checked it died ({death}); {cure}") from death


def _check_shard(check: ShardCheck, number: int, shard: Shard, packed: PackedRows | None) -> Sums | None:
    """In a child: checks a shard, sends its findings in batches with their cost, and returns the sums of its stats."""
    if not files.exists(files.join(check.folder, layout.MANIFEST)):
        raise unseen_run(check.folder)
    check.rules.allow_pixels()
    collect_rarely()
    batch: list[Finding] = []
    cost = 0
    for finding in check.shard(number, shard, packed):
        batch.append(finding)
        cost += _FINDING_COST + len(finding.text)
        if cost > _BATCH_COST:
            note((cost, batch))
            batch, cost = [], 0
    note((cost, batch))
    return check.sums[0]
