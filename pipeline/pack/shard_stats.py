"""The stats file of a shard. It is written last, so its presence shows that the other files are complete."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import SerializerFunctionWrapHandler, model_serializer

from pipeline import files, layout
from pipeline.faults import EnvironmentFault
from pipeline.files.typed import read_typed
from pipeline.pack.claim_counts import ClaimCount
from pipeline.pack.given_boxes import GivenBoxes
from pipeline.pack.ledger import Examples, Failures
from pipeline.pack.truth_sheet import TruthSheet
from transforms.read_ahead import map_in_threads

FORMAT = 3
"""Format of a shard and its stats. A resumed run writes shards of another format again."""


@dataclass(frozen=True)
class ShardStats:
    """The content of a stats file. It contains nothing that differs between runs.

    count, successes: kept pairs, and how many of them were written; the names are those of img2dataset. bytes, sha256:
    of the tar. repeated_bytes: of images that an earlier sample of the shard has too, because every sample contains its
    image; a release before 0.2 did not count them. claims: of the written pairs, in order; absent if there are none.
    truth_sheet: of the written pairs; None if the run has neither claims nor decoys, or if an earlier version wrote it.
    given_boxes: None if no column of the source has boxes, or if an earlier version wrote it.
    """

    REMEDY: ClassVar[str] = "remove it and run gritmill pack again"

    shard: int
    count: int
    successes: int
    failed: Failures
    failed_examples: Examples
    boxes: int
    bytes: int
    sha256: str
    index_sha256: str
    pack_fingerprint: str
    repeated_bytes: int = 0
    claims: tuple[ClaimCount, ...] = ()
    truth_sheet: TruthSheet | None = None
    given_boxes: GivenBoxes | None = None

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        optional = ("repeated_bytes", "claims", "truth_sheet", "given_boxes")
        return {key: value for key, value in serialize(self).items() if value or key not in optional}


def finished_stats(output: str, shard: int) -> ShardStats | None:
    """The stats of a finished shard; None if there are none, or if the tar or the index is missing."""
    uri = files.join(output, layout.shard_stats(shard))
    if not files.exists(uri):
        return None
    stats, sizes = read_typed(uri, ShardStats), file_sizes(output, f"{shard:05}.*")
    complete = sizes.get(layout.shard_tar(shard)) == stats.bytes and layout.shard_index(shard) in sizes
    return stats if complete else None


def file_sizes(output: str, pattern: str = "*") -> dict[str, int]:
    """The size in bytes of each shard file, by name relative to the run folder."""
    infos = files.list_folder(files.join(output, layout.SHARDS), pattern)
    return {f"{layout.SHARDS}/{files.name(info.uri)}": info.size for info in infos}


def shard_fingerprints(output: str, damaged: str | None = None) -> dict[str, str]:
    """The fingerprint of the pack that wrote each stats file, by URI.

    damaged: for a file that cannot be read; None: such a file is an EnvironmentFault.
    """

    def fingerprint(uri: str) -> str:
        try:
            return read_typed(uri, ShardStats).pack_fingerprint
        except EnvironmentFault:
            if damaged is None:
                raise
            return damaged

    uris = [
        info.uri for info in files.list_folder(output, layout.ALL_SHARD_STATS) if layout.shard_of(info.uri) is not None
    ]
    return dict(zip(uris, map_in_threads(fingerprint, uris), strict=True))


def remove_shards(output: str, from_number: int) -> None:
    """Removes the files of all shards with number `from_number` or higher."""
    for info in files.list_folder(files.join(output, layout.SHARDS)):
        number = layout.shard_of(info.uri)
        if number is not None and number >= from_number:
            files.delete([info.uri])
