"""Complete runs, in this process and on small inputs."""

import json
import shutil
import tarfile
from dataclasses import replace

import pytest

import gritmill
from pipeline.files.typed import find_typed
from pipeline.ground import retry
from pipeline.ground.commit_chunk import Provenance
from pipeline.ids import ChunkId, RangeId
from pipeline.tables.detections import open_detections, read_all
from pipeline.tables.pair_rows import read_pairs
from tests import once, plugin_detectors, sample_pairs
from tests.pipeline.builders import commit
from transforms.records import Chunk, Drop

MIDDLE = "tests.plugin_detectors:factory"


def rows(folder, sources=1):
    return list(read_all(str(folder / "detections")))


@pytest.fixture(scope="module")
def middle(parser):
    return sample_pairs.settings(parser, MIDDLE)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, middle):
    """The call of a finished run of twenty pairs in two tars, its folder, and its manifest."""
    folder = tmp_path_factory.mktemp("finished")
    call = {"inputs": [sample_pairs.as_tars(sample_pairs.drawn(20), folder / "in")], "output": str(folder / "out")}
    return call, folder / "out", gritmill.run(middle, **call)


@pytest.fixture
def copied(tmp_path, finished):
    """The call of a finished run whose folder `out` is a copy that a test may change."""
    call, out, _ = finished
    shutil.copytree(out, tmp_path / "out")
    return {**call, "output": str(tmp_path / "out")}


def test_a_run_ends_with_shards_index_stats_manifest_and_report(finished):
    _, out, manifest = finished
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert {"manifest.json", "report.json", "shards/00000.tar", "shards/00000.parquet"} <= names
    assert "shards/00000_stats.json" in names
    assert not [name for name in names if "tmp" in name or "progress" in name]
    assert manifest["ledger"] == {"read": 20, "written": 20, "rejected": {}, "failed": {}}
    assert manifest["threshold"]["source"] == "as set in the configuration"


def test_unfinished_files_behind_a_link_or_of_a_run_inside_are_left(tmp_path, middle, copied):
    out = tmp_path / "out"
    live = [tmp_path / "other" / ".gritmill-tmp-x", out / "inside" / ".gritmill-tmp-x"]
    for path in (*live, out / "inside/.gritmill.lock"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (out / "detections/00007").symlink_to(tmp_path / "other")
    gritmill.run(middle, **copied)
    assert sorted(tmp_path.rglob(".gritmill-tmp-*")) == sorted(live)
    table = (out / "detections").rename(tmp_path / "table")
    (out / "detections").symlink_to(table)
    live.append(table / "00000/.gritmill-tmp-x")
    live[-1].touch()
    gritmill.run(middle, **copied)
    assert sorted(tmp_path.rglob(".gritmill-tmp-*")) == sorted(live)


def test_a_threshold_that_nobody_measured_says_so(tmp_path, middle):
    config = {**middle, "selection": {}}
    manifest = gritmill.run(
        config, inputs=[sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "in")], output=str(tmp_path / "out")
    )
    assert not manifest["threshold"]["measured"]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "not measured for this detector" in report["threshold"]["source"]


def test_all_kinds_of_sources_give_the_same_pairs_phrases_and_boxes(tmp_path, middle):
    pictures = sample_pairs.drawn(5, captions=3)
    found = {}
    for kind in (sample_pairs.as_tars, sample_pairs.as_jsonl, sample_pairs.as_parquet, sample_pairs.as_coco):
        out = tmp_path / f"out-{kind.__name__}"
        gritmill.ground(middle, inputs=[kind(pictures, tmp_path / kind.__name__)], output=str(out))
        found[kind.__name__] = sorted(
            (p.caption, p.url, p.id, p.phrases, p.dropped, p.boxes, p.width, p.height) for p in rows(out)
        )
    assert len(found["as_tars"]) == 15
    assert found["as_tars"] == found["as_jsonl"] == found["as_parquet"] == found["as_coco"]


def test_meta_carries_every_field_of_the_source(finished):
    sample = next(gritmill.read(finished[1]))
    meta = json.loads(sample.record["meta"])
    assert meta == {"url": "https://pictures.invalid/0.jpg", "id": 1000, "status": "success"}
    assert sample.record["url"] == meta["url"]
    assert sample.record["id"] == 1000


def test_running_again_does_nothing_and_loads_nothing(tmp_path, middle, monkeypatch):
    call = {"inputs": [sample_pairs.as_tars(sample_pairs.drawn(6), tmp_path / "in")], "output": str(tmp_path / "out")}
    call["inputs"] += [str(tmp_path / "**/*.tar")]  # which matches what the run writes, too
    config = {**middle, "detector": {"model": "tests.plugin_detectors:counting"}}
    first = gritmill.run(config, **call)
    asked = plugin_detectors.Counting.asked
    before = sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json", "detections/*/*")
    plans = []
    monkeypatch.setattr("pipeline.plan.plan.find_typed", lambda *file: plans.append(find_typed(*file)) or plans[-1])
    assert gritmill.run(config, **call) == first
    assert len(plans) == 1  # read once, and passed on
    assert plugin_detectors.Counting.asked == asked
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json", "detections/*/*") == before


def test_the_users_own_shards_are_not_replaced(tmp_path, middle):
    """Those of img2dataset have the names of ours."""
    sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "data/shards", tars=1)
    (tar,) = (tmp_path / "data/shards").iterdir()
    tar = tar.rename(tar.with_name("00000.tar"))
    data = tar.read_bytes()
    for output in ("data", "data/shards"):
        with pytest.raises(gritmill.CallError, match=r"--output: .*; use another folder"):
            gritmill.run(middle, inputs=[str(tar.parent)], output=tmp_path / output)
    gritmill.ground(middle, inputs=[str(tar)], output=tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "data", dirs_exist_ok=True)
    for fresh in (False, True):
        with pytest.raises(gritmill.CallError, match=r"00000\.tar is a source, and would be replaced; use"):
            gritmill.pack(middle, output=tmp_path / "data", fresh=fresh)
    assert tar.read_bytes() == data


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(tmp_path, parser, grounding_dino):
    config = sample_pairs.settings(parser, grounding_dino)
    pattern = sample_pairs.as_tars(sample_pairs.drawn(24), tmp_path / "in")
    for name in ("one", "two"):
        once.load_parsers_anew()
        gritmill.run(config, inputs=[pattern], output=str(tmp_path / name))
    one, two = (sample_pairs.files_of(tmp_path / name, "shards/*", "detections/0*/*") for name in ("one", "two"))
    assert len(one) == 9  # two tars of two chunks and a mark each; tar, index and stats of one shard
    assert one == two


def test_chunks_that_are_committed_are_not_computed_again(tmp_path, middle):
    call = {"inputs": [sample_pairs.as_tars(sample_pairs.drawn(40), tmp_path / "in")], "output": str(tmp_path / "out")}
    config = {**middle, "detector": {"model": "tests.plugin_detectors:counting"}}
    gritmill.run(config, **call)
    whole = sample_pairs.files_of(tmp_path / "out", "shards/*", "detections/0*/*", "manifest.json")
    for name in ("00000/00000.done.json", "00000/00000-00001.parquet", "00000/00000-00002.parquet"):
        (tmp_path / "out" / "detections" / name).unlink()
    asked = plugin_detectors.Counting.asked
    gritmill.run(config, **call)
    assert (
        plugin_detectors.Counting.asked - asked == 20 - 8
    )  # of the first tar's twenty pairs, the first chunk's eight stay
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "detections/0*/*", "manifest.json") == whole


def test_a_sick_device_ends_the_run_and_blames_nobody(tmp_path, middle):
    call = {"inputs": [sample_pairs.as_tars(sample_pairs.drawn(40), tmp_path / "in")], "output": str(tmp_path / "out")}
    plugin_detectors.Dying.calls = 0
    with pytest.raises(gritmill.EnvironmentFault, match="device lost"):
        gritmill.run({**middle, "detector": {"model": "tests.plugin_detectors:dying"}}, **call)
    assert [pair.error for pair in rows(tmp_path / "out")] == [None] * 16


def test_after_the_device_has_recovered_the_run_goes_on(tmp_path, middle):
    pattern = sample_pairs.as_tars(sample_pairs.drawn(40), tmp_path / "in")
    config = {**middle, "detector": {"model": "tests.plugin_detectors:dying"}}
    plugin_detectors.Dying.calls = 0
    with pytest.raises(gritmill.EnvironmentFault):
        gritmill.run(config, inputs=[pattern], output=str(tmp_path / "out"))
    plugin_detectors.Dying.calls = -1000
    gritmill.run(config, inputs=[pattern], output=str(tmp_path / "out"))
    assert plugin_detectors.Dying.calls == -1000 + 4  # of six chunks, two were committed
    gritmill.run(config, inputs=[pattern], output=str(tmp_path / "whole"))
    out, whole = (sample_pairs.files_of(tmp_path / n, "shards/*", "detections/0*/*") for n in ("out", "whole"))
    assert out == whole


def test_a_pair_that_fails_alone_is_an_error_row(tmp_path, middle):
    config = {**middle, "detector": {"model": "tests.plugin_detectors:fragile"}}
    pattern = sample_pairs.as_tars(sample_pairs.drawn(12), tmp_path / "in")
    manifest = gritmill.run(config, inputs=[pattern], output=str(tmp_path / "out"))
    assert manifest["ledger"]["failed"] == {"boxes": {"exception": 4}}
    assert manifest["ledger"]["written"] == 8


@pytest.mark.usefixtures("copied")
def test_pack_again_with_another_threshold(tmp_path, middle):
    strict = {**middle, "selection": {"score": 0.85}}
    other = gritmill.pack(strict, output=str(tmp_path / "other"), detections=str(tmp_path / "out"))
    assert other["shards"][0]["boxes"] == 20
    with pytest.raises(gritmill.CallError, match="another fingerprint"):
        gritmill.pack(strict, output=str(tmp_path / "out"))
    assert gritmill.pack(strict, output=str(tmp_path / "out"), fresh=True)["shards"] == other["shards"]
    none = {**middle, "selection": {"score": 0.95}}
    empty = gritmill.pack(none, output=str(tmp_path / "out"), fresh=True)
    assert empty["ledger"]["rejected"] == {"no_box": 20}
    assert not list((tmp_path / "out" / "shards").glob("*.tar"))


@pytest.mark.slow
def test_a_shard_that_was_deleted_is_written_again(tmp_path, middle):
    call = {"inputs": [sample_pairs.as_tars(sample_pairs.drawn(9), tmp_path / "in")], "output": str(tmp_path / "out")}
    config = {**middle, "shards": {"pairs": 5}}
    gritmill.run(config, **call)
    before = sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json")
    (tmp_path / "out" / "shards" / "00001.tar").unlink()
    gritmill.run(config, **call)
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json") == before


@pytest.mark.slow
def test_a_phrase_that_no_prompt_can_hold_is_dropped_with_its_reason(tmp_path, parser, grounding_dino):
    pictures = [
        sample_pairs.Picture("a.jpg", sample_pairs.drawn(1)[0].data, ("a " + "red " * 300 + "dog near a cat",), "", 1)
    ]
    config = sample_pairs.settings(parser, grounding_dino)
    gritmill.run(config, inputs=[sample_pairs.as_jsonl(pictures, tmp_path / "in")], output=str(tmp_path / "out"))
    (pair,) = rows(tmp_path / "out")
    assert Drop.TOO_LONG in {dropped.reason for dropped in pair.dropped}
    assert "a cat" in {pair.text(phrase) for phrase in pair.phrases}


def test_extend_takes_new_sources_in_behind_the_old_ones(tmp_path, middle):
    first = sample_pairs.as_jsonl(sample_pairs.drawn(5), tmp_path / "z")
    call = {"output": str(tmp_path / "out")}
    gritmill.run(middle, inputs=[first], **call)
    second = sample_pairs.as_jsonl(sample_pairs.drawn(7), tmp_path / "a")
    with pytest.raises(gritmill.CallError, match="--extend"):
        gritmill.run(middle, inputs=[first, second], **call)
    manifest = gritmill.run(middle, inputs=[first, second], extend=True, **call)
    assert manifest["ledger"]["read"] == 12
    plan = json.loads((tmp_path / "out" / "detections" / "plan.json").read_text())
    assert [source["uri"] for source in plan["sources"]] == [first, second]


def test_a_changed_or_missing_source_is_refused(tmp_path, middle):
    one, two = (
        sample_pairs.as_jsonl(sample_pairs.drawn(3), tmp_path / "a"),
        sample_pairs.as_jsonl(sample_pairs.drawn(3), tmp_path / "b"),
    )
    call = {"output": str(tmp_path / "out")}
    gritmill.ground(middle, inputs=[one, two], **call)
    with pytest.raises(gritmill.CallError, match=r"b/pairs\.jsonl is not among the inputs"):
        gritmill.ground(middle, inputs=[one], **call)
    sample_pairs.as_jsonl(sample_pairs.drawn(4), tmp_path / "b")
    with pytest.raises(gritmill.CallError, match=r"b/pairs\.jsonl has changed"):
        gritmill.ground(middle, inputs=[one, two], **call)


@pytest.fixture(scope="module")
def changed_since(tmp_path_factory, middle):
    """The call of a run over two tables, of which the second has changed since, and the files of a new run."""
    folder = tmp_path_factory.mktemp("changed")
    tables = [sample_pairs.as_jsonl(sample_pairs.drawn(9), folder / name) for name in ("a", "b")]
    call = {"config": {**middle, "chunk": {"pairs": 4}}, "inputs": tables, "output": str(folder / "out")}
    gritmill.run(**call)
    sample_pairs.as_jsonl(sample_pairs.drawn(5), folder / "b")
    gritmill.run(**{**call, "output": str(folder / "whole")})
    return call, sample_pairs.files_of(folder / "whole", "shards/*", "detections/0*/*", "detections/plan.json")


@pytest.fixture
def changed(changed_since, tmp_path):
    """The same with a copy of the run in `out`."""
    call, whole = changed_since
    shutil.copytree(call["output"], tmp_path / "out")
    return {**call, "output": str(tmp_path / "out")}, whole


def test_a_changed_source_alone_is_read_anew(tmp_path, changed):
    call, whole = changed
    ages = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/detections/00000").iterdir()}
    with pytest.raises(gritmill.CallError, match="use --redo-changed to read changed sources again"):
        gritmill.run(**call)
    manifest = gritmill.run(**call, redo_changed=True)
    assert manifest["ledger"]["read"] == 14
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "detections/0*/*", "detections/plan.json") == whole
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out/detections/00000").iterdir()} == ages
    assert gritmill.run(**call) == manifest


def test_a_redo_that_was_cut_short_is_made_again(tmp_path, changed, monkeypatch):
    call, whole = changed

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.ground.resume.write_plan", killed)
        with pytest.raises(KeyboardInterrupt):
            gritmill.run(**call, redo_changed=True)
    with pytest.raises(gritmill.CallError, match="1 of 2 ranges are not done"):
        gritmill.pack(call["config"], output=call["output"])
    with pytest.raises(gritmill.CallError, match="has changed"):
        gritmill.run(**call)
    gritmill.run(**call, redo_changed=True)
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "detections/0*/*", "detections/plan.json") == whole


@pytest.mark.slow
def test_a_retry_forgets_the_chunks_of_a_source_that_is_read_anew(tmp_path, changed):
    call, whole = changed
    table = open_detections(str(tmp_path / "out/detections"))
    retry._publish(table, {ChunkId(0, 0, 1): "", ChunkId(1, 0, 2): ""})  # the second source has two chunks now
    gritmill.run(**call, redo_changed=True)
    assert not retry.pending(table)
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "detections/0*/*", "detections/plan.json") == whole


def test_a_call_that_is_refused_changes_nothing(tmp_path, changed):
    call, _ = changed
    before = sample_pairs.files_of(tmp_path / "out", "**/*")
    call["inputs"] = [*call["inputs"], sample_pairs.as_jsonl(sample_pairs.drawn(2), tmp_path / "c")]
    with pytest.raises(gritmill.CallError, match="use --extend to add new sources"):
        gritmill.run(**call, redo_changed=True)
    (tmp_path / "c/pairs.jsonl").write_text('{"no": "columns"}')
    with pytest.raises(gritmill.CallError, match="has no column"):
        gritmill.run(**call, redo_changed=True, extend=True)
    assert sample_pairs.files_of(tmp_path / "out", "**/*") == before


def test_a_source_that_is_no_source_any_more_is_a_source_fault(tmp_path, middle):
    sample_pairs.as_tars(sample_pairs.drawn(8), tmp_path / "in")
    call = {"inputs": [str(tmp_path / "in/*.tar")], "output": str(tmp_path / "out")}
    gritmill.run(middle, **call)
    (tmp_path / "in/00001.tar").write_text("nothing of the kind")
    manifest = gritmill.run(middle, **call, redo_changed=True)
    assert manifest["ledger"]["written"] == 4
    assert [fault["source"] for fault in manifest["source_faults"]] == [str(tmp_path / "in/00001.tar")]


@pytest.mark.slow
def test_the_old_source_is_back_before_a_redo_was_finished(tmp_path, middle, monkeypatch):
    """A kill between removing the rows and removing the note of their retry."""
    call = {"inputs": sample_pairs.as_jsonl(sample_pairs.drawn(6), tmp_path / "in"), "output": str(tmp_path / "out")}
    gritmill.run(middle, **call)
    whole = sample_pairs.files_of(tmp_path / "out", "shards/*", "detections/0*/*")
    folder = str(tmp_path / "out/detections")
    retry._publish(open_detections(folder), {ChunkId(0, 0, 0): ""})
    open_detections(folder).delete_source(0)
    gritmill.run(middle, **call)
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "detections/0*/*") == whole


def test_a_redo_without_anything_to_do_leaves_the_shards(tmp_path, middle, copied):
    ages = {path: path.stat().st_mtime_ns for path in (tmp_path / "out/shards").iterdir()}
    gritmill.run(middle, **copied, redo_changed=True, retry_failed=True, extend=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out/shards").iterdir()} == ages


def test_a_plan_that_came_to_nothing_is_in_nobodys_way(tmp_path, middle):
    sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "in")
    broken = {**middle, "detector": {"model": "os.path:join"}}
    call = {"inputs": str(tmp_path / "in/00001.tar"), "output": str(tmp_path / "out")}
    with pytest.raises(gritmill.EnvironmentFault):
        gritmill.run(broken, **call)
    call["inputs"] = str(tmp_path / "in/*.tar")
    assert gritmill.run(middle, **call)["ledger"]["written"] == 4
    assert not (tmp_path / "out/detections.1").exists()


def test_a_plan_of_which_a_range_is_done_counts_even_without_a_row(tmp_path, middle):
    """By its number, that range would be mistaken for one of the new plan."""
    sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "in")
    with tarfile.open(tmp_path / "in/0-empty.tar", "w"):
        pass
    call = {"output": str(tmp_path / "out")}
    broken = {**middle, "detector": {"model": "os.path:join"}}
    with pytest.raises(gritmill.EnvironmentFault):
        gritmill.run(broken, inputs=[str(tmp_path / "in/*.tar")], **call)
    assert (tmp_path / "out/detections/00000/00000.done.json").exists()
    with pytest.raises(gritmill.CallError, match="another fingerprint"):
        gritmill.run(middle, inputs=[str(tmp_path / "in/0000*.tar")], **call)


def test_pack_refuses_settings_that_only_ground_can_change(tmp_path, middle):
    call = {"inputs": sample_pairs.as_jsonl(sample_pairs.drawn(3), tmp_path / "in"), "output": str(tmp_path / "out")}
    gritmill.ground({**middle, "detector": {**middle["detector"], "threads": 1}}, **call)
    gritmill.ground({**middle, "detector": {**middle["detector"], "threads": 2}}, **call)
    config = {"detector": {"threads": 2, "batch": 7}, "chunk": middle["chunk"]}
    assert gritmill.pack(config, output=call["output"])["ledger"]["read"] == 3
    with pytest.raises(gritmill.CallError, match=r"^detector\.candidates: .* was made with 5; run gritmill ground"):
        gritmill.pack({"detector": {"candidates": 7}}, output=call["output"])


@pytest.mark.slow
def test_the_table_of_thresholds_is_what_packs_at_them_write(tmp_path, parser):
    config = sample_pairs.settings(parser, "tests.plugin_detectors:scattered", selection={"score": 0.5, "nms_iou": 0.4})
    table = sample_pairs.as_jsonl(sample_pairs.drawn(30, captions=2), tmp_path / "in")
    gritmill.run(config, inputs=table, output=tmp_path / "out")
    counted = json.loads((tmp_path / "out/statistics.json").read_text())["thresholds"]
    kept = set()
    for score in (0.2, 0.7, 0.93):
        config["selection"]["score"] = score
        manifest = gritmill.pack(config, output=tmp_path / f"{score}", detections=tmp_path / "out")
        at = counted["score"].index(score)
        records = [sample.record["noun_chunks"] for sample in gritmill.read(tmp_path / f"{score}")]
        phrases = sum(len({tuple(row[:2]) for row in rows}) for rows in records)
        boxes = sum(map(len, records))
        assert manifest["ledger"]["written"] == counted["pairs"][at]
        assert (phrases, boxes) == (counted["phrases"][at], counted["boxes"][at])
        kept.add(boxes)
    assert len(kept) == 3


def test_changed_sources_and_a_limit(tmp_path, middle):
    call = {"inputs": sample_pairs.as_jsonl(sample_pairs.drawn(6), tmp_path / "in"), "output": tmp_path / "out"}
    gritmill.ground(middle, **call, limit=4)
    sample_pairs.as_jsonl(sample_pairs.drawn(5), tmp_path / "in")
    with pytest.raises(gritmill.CallError, match=r"has changed .*; use another folder, or run ground --fresh"):
        gritmill.ground(middle, **call, limit=4, redo_changed=True)


def test_fresh_moves_old_detections_aside(tmp_path, middle):
    call = {"inputs": [sample_pairs.as_jsonl(sample_pairs.drawn(3), tmp_path / "in")], "output": str(tmp_path / "out")}
    gritmill.ground(middle, **call)
    other = {**middle, "chunk": {"pairs": 2}}
    with pytest.raises(gritmill.CallError, match=r"chunk\.pairs changed"):
        gritmill.ground(other, **call)
    gritmill.ground(other, fresh=True, **call)
    assert (tmp_path / "out" / "detections.1" / "plan.json").exists()
    assert len(open_detections(str(tmp_path / "out" / "detections")).all_chunks()) == 2


@pytest.mark.usefixtures("copied")
def test_an_unfinished_ground_is_packed_only_with_partial(tmp_path, middle):
    (tmp_path / "out" / "detections" / "00001" / "00000.done.json").unlink()
    (tmp_path / "out" / "detections" / "00001" / "00000-00001.parquet").unlink()
    with pytest.raises(gritmill.CallError, match="1 of 2 ranges are not done"):
        gritmill.pack(middle, output=str(tmp_path / "out"))
    manifest = gritmill.pack(middle, output=str(tmp_path / "out"), partial=True, fresh=True)
    assert manifest["partial"]
    assert manifest["ledger"]["read"] == 18


def test_limit_makes_a_plan_of_its_own(tmp_path, middle):
    call = {
        "inputs": [sample_pairs.as_tars(sample_pairs.drawn(200), tmp_path / "in", tars=5)],
        "output": str(tmp_path / "out"),
    }
    manifest = gritmill.run(middle, limit=70, **call)
    assert manifest["ledger"]["read"] == 70
    assert len({pair.source for pair in rows(tmp_path / "out")}) >= 3
    with pytest.raises(gritmill.CallError, match="--limit changed"):
        gritmill.run(middle, **call)


def test_an_image_that_is_gone_leaves_a_gap(tmp_path, middle):
    call = {"inputs": [sample_pairs.as_jsonl(sample_pairs.drawn(5), tmp_path / "in")], "output": str(tmp_path / "out")}
    gritmill.ground(middle, **call)
    (tmp_path / "in" / "images" / "00002.jpg").unlink()
    (tmp_path / "in" / "images" / "00003.jpg").write_bytes(sample_pairs.drawn(1)[0].data)
    manifest = gritmill.pack(middle, output=str(tmp_path / "out"))
    assert manifest["ledger"]["failed"] == {"fetch": {"changed": 1, "gone": 1}}
    assert manifest["failed_examples"] == {
        "fetch: gone": f"2 of {tmp_path}/in/pairs.jsonl: {tmp_path}/in/images/00002.jpg",
        "fetch: changed": f"3 of {tmp_path}/in/pairs.jsonl: {tmp_path}/in/images/00003.jpg",
    }
    assert [s.key for s in gritmill.read(str(tmp_path / "out"))] == ["000000000", "000000001", "000000004"]
    assert not [f for f in gritmill.validate(str(tmp_path / "out")) if f.text]


def test_a_container_that_is_gone_is_no_pairs_fault(tmp_path, middle):
    pattern = sample_pairs.as_tars(sample_pairs.drawn(5), tmp_path / "in")
    gritmill.ground(middle, inputs=[pattern], output=str(tmp_path / "out"))
    gritmill.pack(middle, output=str(tmp_path / "out"))
    before = sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json")
    (tmp_path / "in" / "00000.tar").unlink()
    with pytest.raises(gritmill.EnvironmentFault, match=r"00000\.tar"):
        gritmill.pack({**middle, "selection": {"score": 0.85}}, output=str(tmp_path / "out"), fresh=True)
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json") == before


@pytest.mark.slow
def test_a_cut_tar_is_a_source_fault_and_its_sound_pairs_are_kept(tmp_path, middle):
    pattern = sample_pairs.as_tars(sample_pairs.drawn(20), tmp_path / "in")
    tar = tmp_path / "in" / "00001.tar"
    tar.write_bytes(tar.read_bytes()[:20_000])
    manifest = gritmill.run(middle, inputs=[pattern], output=str(tmp_path / "out"))
    assert 10 < manifest["ledger"]["read"] < 20
    assert [fault["source"] for fault in manifest["source_faults"]] == [str(tar)]


def test_shards_are_as_equal_as_can_be(tmp_path, middle):
    config = {**middle, "shards": {"pairs": 8}}
    pattern = sample_pairs.as_tars(sample_pairs.drawn(20), tmp_path / "in")
    manifest = gritmill.run(config, inputs=[pattern], output=str(tmp_path / "out"))
    assert [shard["samples"] for shard in manifest["shards"]] == [6, 7, 7]
    keys = [sample.key for sample in gritmill.read(str(tmp_path / "out"))]
    assert keys[:1] + keys[6:8] + keys[-1:] == ["000000000", "000010000", "000010001", "000020006"]


@pytest.mark.slow
def test_an_input_without_pairs_gives_an_empty_data_set(tmp_path, middle):
    (tmp_path / "none.jsonl").write_text("")
    manifest = gritmill.run(middle, inputs=[str(tmp_path / "none.jsonl")], output=str(tmp_path / "out"))
    assert manifest["ledger"] == {"read": 0, "written": 0, "rejected": {}, "failed": {}}


def test_images_in_the_table_are_measured_once_per_picture(tmp_path, middle):
    pictures = sample_pairs.drawn(2, captions=20)
    gritmill.ground(middle, inputs=[sample_pairs.as_jsonl(pictures, tmp_path / "in")], output=str(tmp_path / "out"))
    folder = str(tmp_path / "out" / "detections")
    sizes = [len(list(read_pairs(open_detections(folder), ChunkId(0, 0, n)))) for n in range(6)]
    assert sizes == [8, 8, 4, 8, 8, 4]  # captions of one image are split only if they alone exceed the chunk


def test_a_relative_image_root_means_the_same_from_everywhere(tmp_path, middle, monkeypatch):
    sample_pairs.as_jsonl(sample_pairs.drawn(6), tmp_path / "in")
    (tmp_path / "in" / "pairs.jsonl").rename(tmp_path / "pairs.jsonl")
    config = {**middle, "source": {"image_root": "in"}}
    monkeypatch.chdir(tmp_path)
    gritmill.ground(config, inputs=["pairs.jsonl"], output="out")
    manifest = gritmill.run(
        {**middle, "source": {"image_root": str(tmp_path / "in")}}, inputs="pairs.jsonl", output="out"
    )
    assert manifest["ledger"]["written"] == 6
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(gritmill.CallError, match=r"image_root: .*elsewhere/in: no such folder"):
        gritmill.ground(config, inputs=["../pairs.jsonl"], output="../out")
    other = {**middle, "selection": {"score": 0.85}}
    assert gritmill.pack(other, output="two", detections="../out")["ledger"]["written"] == 6


@pytest.mark.slow
def test_an_empty_image_fails_alone(tmp_path, middle):
    pictures = sample_pairs.drawn(3)
    pictures[1] = sample_pairs.Picture(pictures[1].name, b"", pictures[1].captions, "", 7)
    manifest = gritmill.run(
        middle, inputs=sample_pairs.as_tars(pictures, tmp_path / "in", tars=1), output=tmp_path / "out"
    )
    assert manifest["ledger"]["failed"] == {"image": {"not_an_image": 1}}
    assert [pair.image.length for pair in rows(tmp_path / "out")][1] == 0


@pytest.mark.usefixtures("copied")
def test_a_chunk_that_two_attempts_commit_stays_as_the_first_left_it(tmp_path):
    folder = str(tmp_path / "out" / "detections")
    before = sample_pairs.files_of(tmp_path / "out", "detections/0*/*")
    pairs = read_pairs(open_detections(folder), ChunkId(0, 0, 0))
    late = Chunk(0, 0, 0, tuple(replace(pair, boxes=()) for pair in pairs))
    commit(folder, late, Provenance("another", {}))
    open_detections(folder).finish(RangeId(0, 0), 1, ["a fault"])
    assert sample_pairs.files_of(tmp_path / "out", "detections/0*/*") == before


def test_a_refused_fresh_leaves_the_detections_where_they_are(tmp_path, middle):
    call = {"inputs": sample_pairs.as_jsonl(sample_pairs.drawn(3), tmp_path / "in"), "output": tmp_path / "out"}
    gritmill.ground(middle, **call)
    with pytest.raises(gritmill.CallError, match="no column nope"):
        gritmill.ground({**middle, "source": {"columns": {"caption": "nope"}}}, fresh=True, **call)
    assert len(rows(tmp_path / "out")) == 3


def test_a_changed_detector_of_ones_own_is_another_fingerprint(tmp_path, middle, monkeypatch):
    code = "from tests.plugin_detectors import Middle\n\n\ndef make(settings):\n    return Middle()\n"
    (tmp_path / "changing_detector.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {**middle, "detector": {"model": "changing_detector:make"}}
    call = {"inputs": sample_pairs.as_jsonl(sample_pairs.drawn(3), tmp_path / "in"), "output": tmp_path / "out"}
    gritmill.ground(config, **call)
    gritmill.ground(config, **call)
    (tmp_path / "changing_detector.py").write_text(code + "# better\n")
    with pytest.raises(gritmill.CallError, match="the content of detector changed"):
        gritmill.ground(config, **call)


def test_failed_pairs_are_shown_by_an_example(tmp_path, middle):
    sample_pairs.as_jsonl(sample_pairs.drawn(4), tmp_path / "in")
    (tmp_path / "in" / "images" / "00002.jpg").unlink()
    manifest = gritmill.run(middle, inputs=tmp_path / "in" / "pairs.jsonl", output=tmp_path / "out")
    ((way, text),) = manifest["failed_examples"].items()
    assert way == "read: missing_file"
    assert text.startswith("2 of ")
    assert text.endswith("images/00002.jpg")


@pytest.mark.parametrize("odd", ["run[1]", *(pytest.param(odd, marks=pytest.mark.slow) for odd in ("r*", "run?"))])
def test_an_output_called_like_a_pattern_leaves_its_neighbours_alone(tmp_path, middle, odd):
    pattern = sample_pairs.as_tars(sample_pairs.drawn(6), tmp_path / "in")
    gritmill.run({**middle, "shards": {"pairs": 2}}, inputs=pattern, output=tmp_path / "out" / odd)
    shutil.copytree(tmp_path / "out" / odd, tmp_path / "out/run1")
    before = sample_pairs.files_of(tmp_path / "out" / "run1", "**/*")
    for pairs in (3, 6):
        manifest = gritmill.pack({**middle, "shards": {"pairs": pairs}}, output=tmp_path / "out" / odd, fresh=True)
        assert len(manifest["shards"]) == 6 // pairs
    assert sample_pairs.files_of(tmp_path / "out" / "run1", "**/*") == before
    assert not [finding for finding in gritmill.validate(tmp_path / "out" / odd) if finding.text]
