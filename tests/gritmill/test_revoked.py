"""Graphs whose lease is revoked write and delete nothing, whenever an engine runs their steps, and end as if done."""

from contextlib import nullcontext
from dataclasses import replace

import apache_beam as beam
import pytest

import gritmill
from gritmill.api import resolve_config
from pipeline import layout
from pipeline.engines import heartbeat, run_pipeline
from pipeline.engines.beam_options import parse_beam_options
from pipeline.faults import EnvironmentFault
from pipeline.files import lease as leases
from pipeline.files.lease import nobody, take
from pipeline.ground import graph as ground_graph
from pipeline.ground.commit_chunk import Provenance
from pipeline.ids import RangeId
from pipeline.pack import driver as pack_driver
from pipeline.pack import graph as pack_graph
from pipeline.pack.manifest import Manifest, read_manifest
from pipeline.pack.shard_writer import ShardWriter
from pipeline.plan.plan import need_plan
from pipeline.plan.work_list import Work, work_list
from pipeline.stages.configured import configured_stages, open_tables
from pipeline.tables.detections import open_detections
from pipeline.threshold import active_threshold
from tests import sample_pairs
from transforms.selection.judge import Policy


@pytest.fixture(scope="module")
def run(tmp_path_factory, parser):
    """A finished run, its configuration and input."""
    folder = tmp_path_factory.mktemp("run")
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory", chunk={"pairs": 4})
    pattern = sample_pairs.as_tars(sample_pairs.drawn(12), folder / "in")
    gritmill.run(config, inputs=[pattern], output=str(folder / "out"))
    return folder / "out", config, pattern


def states(folder):
    """What each file of a run is, apart from those of leases and the log."""
    left_out = (layout.LEASES, layout.HEARTBEATS)
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != layout.RUN_LOG)
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in paths
        if path.relative_to(folder).parts[0] not in left_out
    }


def revoked(out):
    lease = take(str(out), replace(nobody(), run="old"))
    take(str(out), nobody())
    return lease


def pack_again(out, lease, tmp_path):
    """Runs the graph of a `pack --fresh` with other settings, which replaces everything."""
    plan, detections = need_plan(f"{out}/detections"), f"{out}/detections"
    configuration = plan.configuration
    threshold = active_threshold(configuration.selection, plan.threshold, configuration.detector.floor)
    policy = Policy(
        configuration.selection, threshold.score, configuration.text, True, configuration.source.annotations
    )
    head = Manifest.head(plan, configuration, threshold, "another fingerprint", False)
    writer = ShardWriter(detections, str(out), head.fingerprints.pack, policy)
    rows = pack_driver.rows_by_range(plan, open_detections(detections), frozenset(plan.range_ids()))
    row_digest = pack_driver.json_digest([(row.digest, row.decoy_digest) for row in rows])
    stale = pack_graph.Stale(True, (out / layout.MANIFEST).stat().st_mtime)
    options = parse_beam_options([])
    with work_list(str(tmp_path), (Work(range_id) for range_id in plan.range_ids())) as work:
        run_pipeline.run(lambda graph: pack_graph.build(graph, work, writer, head, row_digest, stale, lease), options)


def test_the_graph_of_a_pack_that_was_taken_over_writes_nothing(run, tmp_path):
    out, _, _ = run
    before = states(out)
    pack_again(out, revoked(out), tmp_path)
    assert states(out) == before
    pack_again(out, take(str(out), replace(nobody(), run="new")), tmp_path)  # what it would have done
    assert read_manifest(str(out)).fingerprints.pack == "another fingerprint"


@pytest.mark.parametrize("is_revoked", [True, False])
def test_hashes_of_a_range_that_was_dropped_end_no_job(tmp_path, monkeypatch, is_revoked):
    """One worker has seen that the lease is revoked, and another one not yet."""
    folder = str(tmp_path)
    lease = take(folder, replace(nobody(), run=folder))

    def hash_range(*_):
        if is_revoked:
            take(folder, nobody())
        twice = bytes(16) + bytes(4)
        yield 0, ((0, 1), twice + bytes(16) + bytes([1, 0, 0, 0]))  # of a range that did not come through

    monkeypatch.setattr(pack_graph, "hash_range", hash_range)
    monkeypatch.setattr(leases, "GOOD_SECONDS", 60.0)
    monkeypatch.setattr(heartbeat.Heart, "_run", lambda _: None)  # it asks, too
    assert not lease.is_revoked()

    def build(pipeline):
        ranges = pipeline | beam.Create([(Work(RangeId(0, 0)), "a.tar", [])])
        return pack_graph._with_duplicates(ranges, folder, lease)

    with nullcontext() if is_revoked else pytest.raises(EnvironmentFault, match="not enough values"):
        run_pipeline.run(build, parse_beam_options([]))


def test_the_graph_of_a_ground_that_was_taken_over_writes_nothing(run, tmp_path):
    _, config, pattern = run
    out = tmp_path / "out"
    gritmill.ground(config, inputs=[pattern], output=str(out))
    for path in out.glob("detections/00000/*"):
        path.unlink()
    before = states(out)
    plan = need_plan(f"{out}/detections")
    stages = configured_stages(resolve_config(config), [])
    tables = open_tables(stages, f"{out}/detections")
    provenance = {layout.DETECTIONS: Provenance("fingerprint", plan.model_identities)}
    options = parse_beam_options([])

    def build(lease):
        return lambda pipeline: ground_graph.build(pipeline, work, stages, tables, provenance, lease=lease)

    with work_list(str(tmp_path), (Work(range_id) for range_id in plan.range_ids())) as work:
        run_pipeline.run(build(revoked(out)), options)
        assert states(out) == before
        run_pipeline.run(build(take(str(out), replace(nobody(), run="new"))), options)
    assert list(out.glob("detections/00000/*.done.json"))
