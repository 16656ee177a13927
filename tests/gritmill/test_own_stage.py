"""A custom stage: its table is filled in addition to detections, resumes where it stopped, and follows its parents."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

import gritmill
from gritmill.cli.outcome import check_ledger
from pipeline import layout
from pipeline.faults import DataFault
from pipeline.files.typed import publish_typed
from pipeline.ground.attempts import Attempts
from pipeline.ground.progress import GroundProgress
from pipeline.ids import ChunkId
from pipeline.pack.report import read_report
from pipeline.plan.plan import read_plan
from pipeline.stages.configured import configured_stages, open_tables
from pipeline.tables.table import Table, list_tables
from tests import plugin_detectors, plugin_stages, sample_pairs
from transforms.images import bytes_digest

DETECTIONS, BRIGHTNESS = "detections/0*/*", "brightness/0*/*"


def call_in(folder, inputs, parser):
    """Twelve pairs in two tars, in chunks of four. The height of a third of the pictures is greater than the width."""
    config = sample_pairs.settings(parser, "tests.plugin_detectors:counting") | {"chunk": {"pairs": 4}}
    inputs = [sample_pairs.as_tars(sample_pairs.drawn(12), inputs)]
    return {"config": config, "inputs": inputs, "output": str(folder / "out")}


@pytest.fixture
def call(tmp_path, parser):
    plugin_stages.Meter.asked, plugin_stages.Sick.sick, plugin_detectors.Passing.sick = 0, True, True
    return call_in(tmp_path, tmp_path / "in", parser)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, parser):
    """A finished run with two stages, one computed from the other's rows, and its call."""
    folder = tmp_path_factory.mktemp("whole")
    call = with_stage(call_in(folder, folder / "in", parser), "brightness", "contrast")
    gritmill.run(**call)
    return folder, call


def with_stage(call, *names, **changes):
    factories = [f"tests.plugin_stages:{name}" for name in names or ["brightness"]]
    return {**call, **changes, "config": {**call["config"], "stages": {"factories": factories}}}


def rows(tmp_path, table="brightness"):
    paths = sorted((tmp_path / "out").glob(f"{table}/0*/*.parquet"))
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def check_parents(tmp_path, table="brightness"):
    """Every chunk names the digests of the existing parent chunks."""
    summaries = sorted((tmp_path / "out").glob(f"{table}/0*/*.done.json"))
    assert len(summaries) == 2
    for path in summaries:
        for entry in json.loads(path.read_text())["chunks"]:
            name = f"{path.name.removesuffix('.done.json')}-{entry['chunk']:05}.parquet"
            for parent, digest in entry["parents"].items():
                committed = tmp_path / "out" / parent / path.parent.name / name
                assert bytes_digest(committed.read_bytes()) == digest


def test_its_table_is_filled_beside_detections_and_shows_in_report_and_progress(whole):
    tmp_path, call = whole
    found = rows(tmp_path)
    assert [row["key"] for row in found] == [row["key"] for row in rows(tmp_path, "detections")]
    assert len(found) == 12
    assert all(100 < row["mean"] < 255 and row["error"] is None for row in found)
    check_parents(tmp_path)
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["tables"]["brightness"]["rows"], report["tables"]["brightness"]["failed"]) == (12, {})
    assert list(report["tables"]["brightness"]["time"]["seconds"]) == ["brightness"]
    assert "brightness: 12 rows" in (tmp_path / "out/report.html").read_text()
    assert [row["double"] for row in rows(tmp_path, "contrast")] == [2 * row["mean"] for row in found]
    configuration = gritmill.Configuration.model_validate(call["config"])
    folder = str(tmp_path / "out/detections")
    tables = open_tables(configured_stages(configuration), folder)
    state = GroundProgress(read_plan(folder), tables, list_tables(tables)).state()
    assert state.share == 1.0


def test_on_a_finished_run_only_its_own_table_is_made(tmp_path, call, monkeypatch):
    gritmill.run(**call)
    before = sample_pairs.files_of(tmp_path / "out", DETECTIONS, "shards/*", "manifest.json")
    monkeypatch.setattr(plugin_detectors.Counting, "asked", 0)
    gritmill.run(**with_stage(call))
    assert sample_pairs.files_of(tmp_path / "out", *[DETECTIONS, "shards/*", "manifest.json"]) == before
    assert (plugin_detectors.Counting.asked, plugin_stages.Meter.asked) == (0, 12)
    assert "brightness: 12 rows" in (tmp_path / "out/report.html").read_text()


def test_killed_between_the_commits_of_two_tables_a_run_takes_the_rows_of_the_first(whole, tmp_path, monkeypatch):
    call = {**whole[1], "output": str(tmp_path / "out")}
    commit = Table.commit

    def killed(table, chunk, *words, **named):
        if table.name == "brightness" and chunk.number == 1:
            raise KeyboardInterrupt
        return commit(table, chunk, *words, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Table, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            gritmill.ground(**call)
    committed = sample_pairs.files_of(tmp_path / "out", "*/0*/*.parquet")
    detections = [name for name in committed if name.startswith("detections")]
    assert any(name.replace("detections", "brightness") not in committed for name in detections)
    taken, asked = rows(tmp_path, "detections"), plugin_detectors.Counting.asked
    gritmill.ground(**call)
    assert plugin_detectors.Counting.asked - asked == 12 - len(taken)
    tables = ("detections/0*/*", "brightness/0*/*", "contrast/0*/*")
    assert sample_pairs.files_of(tmp_path / "out", *tables) == sample_pairs.files_of(whole[0] / "out", *tables)


@pytest.mark.parametrize("at_once", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_parent_chunk_that_is_done_again_has_its_children_done_again(tmp_path, call, at_once):
    call["config"]["detector"]["model"] = "tests.plugin_detectors:passing"
    call["config"]["chunk"] = {"pairs": 2}  # a third of the chunks has no picture with the failing shape
    own = with_stage(call, "brightness", "contrast")
    gritmill.ground(**own)
    failed = {row["key"] for row in rows(tmp_path, "detections") if row["error"]}
    assert {row["key"]: row["boxes"] for row in rows(tmp_path, "contrast") if row["key"] in failed} == dict.fromkeys(
        failed, 0
    )
    before = sample_pairs.files_of(tmp_path / "out", "*/0*/*.parquet")
    plugin_detectors.Passing.sick = False
    plugin_stages.Meter.asked = 0
    gritmill.ground(**(own if at_once else call), retry_failed=True)
    if not at_once:
        assert all(
            before[name] == data
            for name, data in sample_pairs.files_of(tmp_path / "out", BRIGHTNESS[:-1] + "*.parquet").items()
        )
        gritmill.ground(**own)
    again = sample_pairs.files_of(tmp_path / "out", "*/0*/*.parquet")
    changed = {
        name.partition("/")[2] for name in before if before[name] != again[name] and name.startswith("detections")
    }
    assert 0 < len(changed) < 6
    assert plugin_stages.Meter.asked == 2 * len(changed)
    for table in ("brightness", "contrast"):
        check_parents(tmp_path, table)
    assert all(row["boxes"] > 0 for row in rows(tmp_path, "contrast"))


@pytest.mark.slow
def test_a_source_that_is_read_anew_has_its_rows_made_anew(tmp_path, call):
    gritmill.ground(**with_stage(call))
    sample_pairs.as_tars(sample_pairs.drawn(14)[2:], tmp_path / "in")
    gritmill.ground(**call, redo_changed=True)  # the manifest does not even name the table
    gritmill.ground(**with_stage(call))
    check_parents(tmp_path)
    gritmill.ground(**with_stage({**call, "output": str(tmp_path / "new")}))
    tables = (DETECTIONS, BRIGHTNESS)
    assert sample_pairs.files_of(tmp_path / "out", *tables) == sample_pairs.files_of(tmp_path / "new", *tables)


def test_a_failure_of_its_own_is_a_row_and_retried_alone(tmp_path, call, monkeypatch):
    gritmill.run(**with_stage(call, "sick"))
    report = read_report(str(tmp_path / "out"))
    line = report.tables["brightness"].line("brightness")
    detail = f"RuntimeError: too high (plugin_stages.py:{plugin_stages.Sick.mean.__code__.co_firstlineno + 2})"
    assert line == f"brightness: 12 rows, failed: 4 exception, for example 000000002: {detail}"
    assert line in (tmp_path / "out/report.html").read_text()
    with pytest.raises(DataFault, match=r"brightness: 4 of 12 rows failed, more than --max-failed 0.3 allows"):
        check_ledger(report, 0.3)
    check_ledger(report, 0.4)
    failed = [row["error"] for row in rows(tmp_path) if row["error"]]
    assert failed == [{"stage": "brightness", "reason": "exception", "detail": detail}] * 4
    assert not any(row["error"] for row in rows(tmp_path, "detections"))
    detections = sample_pairs.files_of(tmp_path / "out", DETECTIONS)
    plugin_stages.Sick.sick = False
    monkeypatch.setattr(plugin_detectors.Counting, "asked", 0)
    gritmill.ground(**with_stage(call, "sick"), retry_failed="exception")
    assert not any(row["error"] for row in rows(tmp_path))
    assert plugin_detectors.Counting.asked == 0
    assert sample_pairs.files_of(tmp_path / "out", DETECTIONS) == detections
    check_parents(tmp_path)


@pytest.mark.slow
def test_a_chunk_that_is_gone_is_made_again(tmp_path, call):
    gritmill.ground(**with_stage(call))
    before = sample_pairs.files_of(tmp_path / "out", BRIGHTNESS)
    (tmp_path / "out/brightness/00001/00000-00000.parquet").unlink()
    gritmill.ground(**with_stage(call))
    assert sample_pairs.files_of(tmp_path / "out", BRIGHTNESS) == before


@pytest.mark.slow
def test_new_sources_get_rows_in_every_table(tmp_path, call):
    gritmill.ground(**with_stage(call))
    before = sample_pairs.files_of(tmp_path / "out", DETECTIONS, BRIGHTNESS)
    new = sample_pairs.as_tars(sample_pairs.drawn(5), tmp_path / "more", tars=1)
    gritmill.ground(**with_stage({**call, "inputs": [*call["inputs"], new]}), extend=True)
    after = sample_pairs.files_of(tmp_path / "out", DETECTIONS, BRIGHTNESS)
    assert {name: after[name] for name in before} == before
    assert len(rows(tmp_path)) == len(rows(tmp_path, "detections")) == 17


@pytest.mark.slow
def test_a_picture_that_kills_it_is_a_crash_row_of_its_own_table(tmp_path, call):
    gritmill.ground(**call)
    for chunk in (ChunkId(source, 0, number) for source in (0, 1) for number in (0, 1)):
        publish_typed(str(tmp_path / "out/detections" / layout.working(chunk)), Attempts(2, working=False))
    gritmill.ground(**with_stage(call, "deadly"))
    heights = [row["height"] > row["width"] for row in rows(tmp_path, "detections")]
    assert [bool(row["error"]) for row in rows(tmp_path)] == heights
    assert {row["error"]["reason"] for row in rows(tmp_path) if row["error"]} == {"crash"}
    assert not any(row["error"] for row in rows(tmp_path, "detections"))


@pytest.mark.slow
def test_a_picture_that_is_gone_meanwhile_is_a_failed_row(tmp_path, call):
    call["inputs"] = [sample_pairs.as_jsonl(sample_pairs.drawn(4), tmp_path / "lines")]
    gritmill.ground(**call)
    next((tmp_path / "lines").rglob("00002.jpg")).unlink()
    gritmill.ground(**with_stage(call))
    assert [row["error"] and row["error"]["reason"] for row in rows(tmp_path)] == [None, None, "gone", None]


@pytest.mark.slow
def test_rows_of_other_settings_are_refused_and_fresh_moves_all_tables_aside(tmp_path, call):
    gritmill.ground(**with_stage(call))
    with pytest.raises(
        gritmill.CallError, match=r"brightness contains rows from other settings or code of brightness; .* or remove"
    ):
        gritmill.ground(**with_stage(call, "other_brightness"))
    sample_pairs.as_tars(sample_pairs.drawn(14)[2:], tmp_path / "in")
    before = sample_pairs.files_of(tmp_path / "out", "*/0*/*")
    with pytest.raises(gritmill.CallError, match="brightness contains rows from other settings"):
        gritmill.ground(**with_stage(call, "other_brightness"), redo_changed=True)
    assert sample_pairs.files_of(tmp_path / "out", "*/0*/*") == before  # refused before anything is removed
    for name, content in (("copy", (tmp_path / "out/brightness/table.json").read_text()), ("mine", "{}")):
        (tmp_path / "out" / name).mkdir()
        (tmp_path / "out" / name / "table.json").write_text(content)
    gritmill.ground(**call, fresh=True)
    assert (tmp_path / "out/copy/table.json").exists()
    assert (tmp_path / "out/mine/table.json").exists()
    assert (tmp_path / "out/brightness.1/table.json").exists()
    assert (tmp_path / "out/detections.1/plan.json").exists()
    assert not (tmp_path / "out/brightness").exists()
    gritmill.ground(**with_stage(call, "other_brightness"))
    check_parents(tmp_path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere", "cannot be loaded: module 'tests.plugin_stages' has no attribute 'nowhere'"),
        ("no_stage", "a str, not a pipeline.stages.base.Stage"),
        ("shards", "invalid table name 'shards'"),
        ("contrast", "its parent 'brightness' is not the table of an earlier stage; use detections"),
    ],
)
def test_a_stage_that_does_not_fit_is_refused_before_anything_starts(tmp_path, call, name, problem):
    with pytest.raises(gritmill.CallError) as raised:
        gritmill.ground(**with_stage(call, name))
    assert str(raised.value).startswith("stages.factories: tests.plugin_stages:")
    assert problem in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_workers_in_processes_of_their_own_load_it_from_the_current_folder(tmp_path, call, monkeypatch):
    """The module is only in the folder where the command was called, not on the workers' path."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(plugin_stages.__file__, home / "my_stages.py")
    monkeypatch.chdir(home)
    config = {**call["config"], "stages": {"factories": ["my_stages:brightness"]}}
    config["detector"] = {**config["detector"], "model": "tests.plugin_detectors:factory"}
    beam = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    gritmill.ground(config, inputs=call["inputs"], output=call["output"], beam=beam)
    assert len(rows(tmp_path)) == 12
    check_parents(tmp_path)
