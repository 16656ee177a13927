"""The progress of a run of `pack`, computed from its finished shards."""

from collections.abc import Iterator

from pipeline import files, layout
from pipeline.engines import progress
from pipeline.files.typed import read_typed
from pipeline.pack.ledger import failed_pairs
from pipeline.pack.shard_stats import ShardStats
from transforms.wording import counted


class PackProgress:
    """The progress of a run. Create it before the run starts.

    The graph writes the numbers of planned and of finished shards to `PLANNED_SHARDS`, after it has removed shards of
    other packs. Until then, nothing is known.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        self._known = self._stats_files()

    def state(self) -> progress.State:
        """Finished shards, and their share of the planned ones."""
        uri = files.join(self._output, layout.PLANNED_SHARDS)
        if not files.exists(uri):
            return progress.State(0, 0.0, earlier=None, working="counting pairs")
        planned = files.read_json(uri)
        done, total = len(self._stats_files()), planned["shards"]
        return progress.State(done, min(done / total, 1.0) if total else 0.0, total, planned["done"])

    def news(self) -> Iterator[tuple[str, str]]:
        """The shards that have been finished since the last call."""
        for uri, stamp in self._stats_files().items():
            if self._known.get(uri) != stamp:
                stats = read_typed(uri, ShardStats)
                self._known[uri] = stamp
                failed = failed_pairs(stats.failed)
                pairs, boxes = counted(stats.successes, "pair"), counted(stats.boxes, "box")
                counts = f"{pairs}, {failed:,} failed, {boxes}, {stats.bytes:,} bytes"
                yield "shard", f"{layout.shard_tar(stats.shard)}: {counts}"

    def _stats_files(self) -> dict[str, float]:
        """When each stats file was written, by URI."""
        return {info.uri: info.stamp for info in files.list_folder(self._output, layout.ALL_SHARD_STATS)}
