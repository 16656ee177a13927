"""Finds the detections that a run was packed from. What reads them is elsewhere: a child that checks a shard need not
import the models of plan and manifest."""

from itertools import chain

from gritmill.validation.detections import PackedChunk, PackedRows
from pipeline import files, layout
from pipeline.ids import RangeId
from pipeline.pack.fingerprint import RangeRows, digest_decoys, is_packed_from, rows_by_range
from pipeline.pack.manifest import read_manifest
from pipeline.plan.plan import read_plan
from pipeline.tables.detections import open_detections
from transforms.read_ahead import map_in_threads


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

    def chunks_of(one: tuple[RangeId, RangeRows]) -> list[PackedChunk]:
        range_id, row = one
        entries = table.entries(range_id, row.chunks is None, row.chunks)
        digests = zip(entries, row.decoy_digest.split(","), strict=False)
        return [(range_id.chunk(one.chunk), one.digest, of_decoys) for one, of_decoys in digests]

    chunks = chain.from_iterable(map_in_threads(chunks_of, zip(plan.range_ids(), rows, strict=True)))
    used = manifest.fingerprints.decoys
    decoys = bool(used) and used == digest_decoys(rows)
    return PackedRows(folder, manifest.policy, bool(manifest.claim_rules), decoys, [*chunks])
