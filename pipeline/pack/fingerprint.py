"""What a pack is made from: the rows and the decoys of each range, and its fingerprint."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.configuration import ShardSettings
from pipeline.fingerprint import json_digest
from pipeline.ids import RangeId
from pipeline.pack.ledger import join_digests
from pipeline.pack.manifest import Manifest
from pipeline.pack.shard_stats import FORMAT
from pipeline.plan.plan import Plan
from pipeline.tables.decoys import decoys_of, list_decoys, open_decoys, usable_chunks
from pipeline.tables.table import Table
from transforms.read_ahead import map_in_threads
from transforms.selection.judge import Policy


def compute_pack_fingerprint(
    plan: Plan, row_digests: Sequence[str], policy: Policy, shards: ShardSettings, decoys: str = ""
) -> str:
    """The pack fingerprint. It covers a digest of the rows of each range, the selection with its active threshold, the
    text settings, the shard sizes, whether duplicates are rejected, the rules that claims are checked by, and the
    decoys (`digest_decoys`)."""
    newer: dict[str, Any] = {"duplicates": "exact"} if policy.exact_duplicates else {}
    if decoys:
        newer["decoys"] = decoys
    if rules := plan.configuration.claim_rules:
        newer["claims"] = rules
    return json_digest(
        {
            "rows": list(row_digests),
            "ground": plan.fingerprint,
            "selection": policy.selection.fingerprint_values() | {"score": policy.threshold},
            "text": policy.text.fingerprint_values(),
            "shards": shards.fingerprint_values(),
            "stats": FORMAT,
            **newer,
        }
    )


@dataclass(frozen=True)
class RangeRows:
    """The rows of a range. digest: of all of them. chunks: how many chunks have them; None if the range is
    finished. decoys, decoy_digest: the same of their decoys."""

    digest: str
    pairs: int
    chunks: int | None
    decoys: int | None
    decoy_digest: str


def rows_by_range(plan: Plan, table: Table, done: Collection[RangeId]) -> list[RangeRows]:
    """The rows of each range: from the summaries, or the chunks of ranges that are not finished."""
    listing = list_decoys(open_decoys(table.uri))

    def rows_of(range_id: RangeId) -> RangeRows:
        entries = table.entries(range_id, range_id in done)
        chunks = None if range_id in done else len(entries)
        decoys = usable_chunks(listing, range_id)
        return RangeRows(
            join_digests(entry.digest for entry in entries),
            sum(entry.rows for entry in entries),
            chunks,
            decoys,
            join_digests(decoys_of(table.uri, range_id, decoys, entries)),
        )

    return map_in_threads(rows_of, plan.range_ids())


def digest_decoys(rows: Iterable[RangeRows]) -> str:
    """A digest of the decoys that a pack uses; empty if there are none."""
    digests = [row.decoy_digest for row in rows]
    return json_digest(digests) if any(digest.strip(",") for digest in digests) else ""


def is_packed_from(manifest: Manifest, plan: Plan, rows: Iterable[RangeRows]) -> bool:
    """Whether a pack was made from these rows, whatever the decoys are now. False if this release checks claims by
    other rules."""
    shards, decoys = manifest.settings.shards, manifest.fingerprints.decoys
    same = compute_pack_fingerprint(plan, [row.digest for row in rows], manifest.policy, shards, decoys)
    return same == manifest.fingerprints.pack
