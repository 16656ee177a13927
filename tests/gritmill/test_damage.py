"""Damage between two calls: the command that reads the file finds it, and the remedy in its message works."""

import errno
import json
import os
import shlex
import shutil
import tarfile
from pathlib import Path

import pytest

import gritmill
from gritmill.main import main
from pipeline import files
from pipeline.ground import graph as ground_graph
from pipeline.pack import graph as pack_graph
from tests import sample_pairs
from tests.unsealed import unsealed

SHARD = "shards/00000.tar"


@pytest.fixture(scope="module")
def settings(parser):
    return sample_pairs.settings(
        parser, "tests.plugin_detectors:factory", chunk={"pairs": 4}, shards={"pairs": 6}, selection={"score": 0.1}
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return sample_pairs.as_tars(sample_pairs.drawn(12), tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, settings, inputs):
    folder = tmp_path_factory.mktemp("whole") / "out"
    gritmill.run(settings, inputs=[inputs], output=folder)
    return folder


@pytest.fixture
def out(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    return tmp_path / "out"


def cut(path):
    """Removes what comes behind the second sample: a tar without an end, cut at the border of a member."""
    with tarfile.open(path) as tar:
        third = sorted({name.partition(".")[0] for name in tar.getnames()})[2]
        offset = tar.getmember(f"{third}.jpg").offset
    path.write_bytes(path.read_bytes()[:offset])


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def flip_header(path):
    with tarfile.open(path) as tar:
        offset = tar.getmembers()[6].offset
    flip(path, offset + 3)


def flip_image(path):
    with tarfile.open(path) as tar:
        flip(path, tar.getmembers()[0].offset_data + 400)


def empty(path):
    path.write_bytes(b"")


def other_key(path):
    text = path.read_text()
    path.write_text(text.replace('"', '"x', 1))


def other_digit(path):
    path.write_text(path.read_text().replace("1", "2", 1))


@pytest.mark.parametrize("damage", [cut, flip_header, flip_image, empty, lambda path: path.unlink()])
def test_a_damaged_shard_is_refused_by_every_pass_over_it(out, tmp_path, damage):
    damage(out / SHARD)
    for read in (lambda: list(gritmill.read(out)), lambda: gritmill.export(out, "odvg", tmp_path / "exported")):
        with pytest.raises(gritmill.EnvironmentFault) as fault:
            read()
        assert str(fault.value).startswith(f"{out / SHARD}: ")
        assert str(fault.value).endswith(" to write the shards again")
    assert not (tmp_path / "exported/export.json").exists()


def test_the_command_of_a_message_writes_the_same_shards_again(out, whole, settings, capsys):
    """`pack --fresh` alone would have the settings of the configuration `grit`."""
    empty(out / SHARD)
    with pytest.raises(gritmill.EnvironmentFault) as fault:
        list(gritmill.read(out))
    command = str(fault.value).partition("; run ")[2].partition(" to write")[0]
    assert command == f"gritmill pack --fresh --output {out} --set selection.score=0.1 shards.pairs=6"
    with pytest.raises(SystemExit) as status:
        main(["validate", str(out)])
    assert status.value.code == 1
    assert command in capsys.readouterr().err
    with pytest.raises(SystemExit) as status:
        main(shlex.split(command)[1:])
    assert status.value.code == 0
    assert "not with the settings" not in capsys.readouterr().err
    kinds = ("shards/*", "manifest.json", "statistics.json")
    assert sample_pairs.files_of(out, *kinds) == sample_pairs.files_of(whole, *kinds)


def test_a_fresh_pack_with_other_settings_says_so(out, capsys):
    with pytest.raises(SystemExit):
        main(["pack", "--fresh", "--output", str(out)])
    told = "pack: not with the settings of the shards that are replaced: selection.score, shards.pairs"
    assert told in capsys.readouterr().err


def test_without_a_manifest_the_message_says_where_the_settings_are(out):
    empty(out / "manifest.json")
    with pytest.raises(gritmill.EnvironmentFault, match="with the settings of this run, which "):
        list(gritmill.read(out))


@pytest.mark.parametrize("name", ["statistics.json", "report.json"])
@pytest.mark.parametrize("damage", [empty, other_digit])
def test_validate_finds_damage_beside_the_shards(out, name, damage):
    damage(out / name)
    assert [fault.shard for fault in gritmill.validate(out) if fault.text] == [name]


def test_what_was_packed_of_an_unfinished_ground_is_in_nobodys_way(whole, settings, inputs, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole, out, ignore=shutil.ignore_patterns("shards", "*.json.x"))
    for name in ("manifest.json", "statistics.json", "report.json", "report.html", "detections/00001/00000.done.json"):
        (out / name).unlink()
    (out / "detections/00001/00000-00001.parquet").unlink()
    assert gritmill.pack(settings, output=out, partial=True)["partial"]
    gritmill.run(settings, inputs=[inputs], output=out)
    kinds = ("shards/*", "manifest.json", "statistics.json")
    assert sample_pairs.files_of(out, *kinds) == sample_pairs.files_of(whole, *kinds)


def test_run_refuses_other_settings_of_shards_before_it_grounds(out, settings, inputs, monkeypatch):
    (out / "detections/00001/00000.done.json").unlink()
    monkeypatch.setattr(ground_graph, "run", interrupt)
    with pytest.raises(gritmill.CallError, match=r"shards\.pairs changed\); use another folder, or --fresh"):
        gritmill.run({**settings, "shards": {"pairs": 3}}, inputs=[inputs], output=out)


def test_what_stands_behind_a_shard_is_noticed(out):
    with (out / SHARD).open("ab") as file:
        file.write(bytes(512))
    with pytest.raises(gritmill.EnvironmentFault, match="bytes, but"):
        list(gritmill.read(out))


def test_a_part_of_a_run_is_read_without_its_end(out):
    cut(out / SHARD)
    samples = gritmill.read(out)
    assert [next(samples).key for _ in range(2)] == ["000000000", "000000001"]
    samples.close()


def test_a_shard_that_is_cut_between_the_members_of_a_sample_names_what_it_lacks(out):
    with tarfile.open(out / SHARD) as tar:
        border = next(member.offset for member in tar if member.name == "000000001.txt")
    os.truncate(out / SHARD, border)
    with pytest.raises(gritmill.EnvironmentFault, match=r"not a valid shard: ValueError: 000000001 has no txt"):
        list(gritmill.read(out))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b'{"key": "0', "EOF while parsing"),
        (b'{"caption": "\\ud800"}', "unexpected end of hex escape"),  # no text: a file in UTF-8 cannot have it
        (b'{"a": ' + b"[" * 250 + b"]" * 250 + b"}", "recursion limit"),
        (b"[]", "not an object"),
    ],
)
def test_a_record_that_is_damaged_is_named(out, text, fault):
    with tarfile.open(out / SHARD) as tar:
        place, size = next((one.offset_data, one.size) for one in tar if one.name == "000000001.json")
    text += b" " * (size - len(text))
    with (out / SHARD).open("r+b") as file:
        file.seek(place)
        file.write(text)
    with pytest.raises(gritmill.EnvironmentFault, match=rf"not a valid shard: ValueError: 000000001\.json: {fault}"):
        list(gritmill.read(out))


def test_a_run_that_is_packed_again_meanwhile_says_so(out, settings):
    samples = gritmill.read(out)
    next(samples)
    gritmill.pack({**settings, "shards": {"pairs": 3}}, output=out, fresh=True)
    with pytest.raises(gritmill.EnvironmentFault, match="was packed again while it was read"):
        list(samples)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("manifest.json", empty),
        pytest.param("manifest.json", other_key, marks=pytest.mark.slow),
        pytest.param("shards/00000_stats.json", empty, marks=pytest.mark.slow),
        ("shards/00001_stats.json", other_key),
        pytest.param("report.json", empty, marks=pytest.mark.slow),
        pytest.param("report.json", other_key, marks=pytest.mark.slow),
        pytest.param("statistics.json", other_key, marks=pytest.mark.slow),
        pytest.param("detections/timings/00000/00000-00001.json", empty, marks=pytest.mark.slow),
        pytest.param("detections/timings/00000/00000-00000.json", other_key, marks=pytest.mark.slow),
        (SHARD, cut),
        pytest.param(SHARD, empty, marks=pytest.mark.slow),
        pytest.param(SHARD, flip_image, marks=pytest.mark.slow),
        pytest.param("shards/00000.parquet", empty, marks=pytest.mark.slow),
    ],
)
def test_pack_fresh_makes_whatever_was_damaged_whole_again(out, whole, settings, name, damage):
    damage(out / name)
    gritmill.pack(settings, output=out, fresh=True)
    kinds = ("shards/*", "manifest.json", "statistics.json", "detections/0*/*")
    assert sample_pairs.files_of(out, *kinds) == sample_pairs.files_of(whole, *kinds)
    assert not [fault for fault in gritmill.validate(out) if fault.text]
    assert json.loads((out / "report.json").read_text())["ledger"]["read"] == 12
    gritmill.pack(settings, output=out)


@pytest.mark.parametrize("change", [lambda chunks: chunks[:-1], lambda chunks: [*chunks, chunks[0]], lambda _: []])
def test_a_chunk_that_is_missing_from_a_summary_is_noticed(out, settings, change):
    summary = out / "detections/00000/00000.done.json"
    content = unsealed(summary)
    content["chunks"] = change(content["chunks"])
    summary.write_text(json.dumps(content))  # without a checksum, as in release 0.1
    with pytest.raises(gritmill.EnvironmentFault, match=r"00000\.done\.json: its .*; remove it and run"):
        gritmill.pack(settings, output=out, fresh=True)
    assert (out / "manifest.json").exists()


def test_a_threshold_that_has_changed_in_the_plan_is_noticed(out, settings):
    plan = out / "detections/plan.json"
    text = plan.read_text()
    assert '"nms_iou": 0.7' in text
    plan.write_text(text.replace('"nms_iou": 0.7', '"nms_iou": 0.6'))
    with pytest.raises(gritmill.EnvironmentFault, match=r"plan\.json: changed since it was written"):
        gritmill.pack(settings, output=out, fresh=True)


def test_detections_that_change_while_they_are_counted_end_the_pack(out, settings, monkeypatch):
    before = sample_pairs.files_of(out, "shards/*", "manifest.json", "statistics.json")
    ranges_of = pack_graph.ranges_of

    def in_between(work, folder):
        """As `ground --redo-changed` of another process does it, once the driver has looked at the summaries."""
        shutil.rmtree(out / "detections/00001")
        shutil.copytree(out / "detections/00000", out / "detections/00001")
        yield from ranges_of(work, folder)

    monkeypatch.setattr(pack_graph, "ranges_of", in_between)
    with pytest.raises(gritmill.EnvironmentFault, match="the rows changed while they were counted"):
        gritmill.pack({**settings, "selection": {"score": 0.2}}, output=out, fresh=True)
    assert sample_pairs.files_of(out, "shards/*", "manifest.json", "statistics.json") == before


def test_only_files_of_ours_are_removed(out, settings, inputs):
    mine = ["shards/20240101-notes.txt", "shards/00007.tar.bak", "shards/000071.jpg", "shards/x00000_stats.json"]
    mine += ["detections/00000/20240101-notes.parquet", "detections/00000/notes.done.json"]
    for name in mine:
        (out / name).write_text("mine")
    gritmill.pack({**settings, "shards": {"pairs": 12}}, output=out, fresh=True)
    for path in (out.parent / "in").glob("*"):
        path.touch()
    assert not (out / "shards/00001.tar").exists()
    assert [name for name in mine if not (out / name).exists()] == []


@pytest.mark.parametrize("places", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_rows_that_have_changed_before_their_range_was_finished_are_noticed(out, settings, inputs, places):
    """Only the summary of a range has the digests of its files; until then, each file's own checksum counts."""
    chunk = out / "detections/00001/00000-00000.parquet"
    (out / "detections/00001/00000.done.json").unlink()
    (out / "detections/00001/00000-00001.parquet").unlink()
    data = chunk.read_bytes()
    # With another key, or digits that are none, it is a file of release 0.1, which has no checksum.
    key = data.rindex(b"gritmill-checksum")
    for place in range(4, len(data) - 8, len(data) // places):
        if key <= place < key + 51:
            continue
        flip(chunk, place)
        with pytest.raises(gritmill.EnvironmentFault, match=r"00-00000\.parquet (has changed|is damaged).*; remove it"):
            gritmill.ground(settings, inputs=[inputs], output=out)
        chunk.write_bytes(data)
    gritmill.ground(settings, inputs=[inputs], output=out)


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_a_fresh_ground_that_was_interrupted_goes_on(out, settings, inputs, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ground_graph, "run", interrupt)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                gritmill.ground(settings, inputs=[inputs], output=out, fresh=True)
    gritmill.ground(settings, inputs=[inputs], output=out, fresh=True)
    assert sorted(path.name for path in out.glob("detections*")) == ["detections", "detections.1"]
    assert not (out / "detections/.gritmill.fresh.json").exists()
    gritmill.ground(settings, inputs=[inputs], output=out, fresh=True)  # a finished one begins again
    assert (out / "detections.2").exists()


def test_a_fresh_ground_with_other_settings_does_not_go_on(out, settings, inputs, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ground_graph, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            gritmill.ground(settings, inputs=[inputs], output=out, fresh=True)
    plan = gritmill.ground({**settings, "chunk": {"pairs": 3}}, inputs=[inputs], output=out, fresh=True)
    assert plan.configuration.chunk.pairs == 3


@pytest.mark.parametrize("name", ["plan.json", "retry.json"])
def test_a_fresh_ground_that_was_interrupted_and_damaged_starts_over(out, settings, inputs, monkeypatch, name):
    with monkeypatch.context() as patch:
        patch.setattr(ground_graph, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            gritmill.ground(settings, inputs=[inputs], output=out, fresh=True)
    path = out / "detections" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    gritmill.ground(settings, inputs=[inputs], output=out, fresh=True)
    assert not (out / "detections/.gritmill.fresh.json").exists()


def test_run_fresh_never_touches_detections_and_says_what_does(out, settings, inputs):
    with pytest.raises(gritmill.CallError, match=r"chunk.pairs changed\); use another folder, or gritmill ground --fr"):
        gritmill.run({**settings, "chunk": {"pairs": 3}}, inputs=[inputs], output=out, fresh=True)


def test_run_fresh_keeps_a_remedy_that_costs_less(out, settings, inputs):
    tar = Path(inputs).parent / "00001.tar"
    before = tar.stat().st_mtime_ns
    os.utime(tar)
    try:
        with pytest.raises(gritmill.CallError, match="use --redo-changed"):
            gritmill.run(settings, inputs=[inputs], output=out, fresh=True)
    finally:
        os.utime(tar, ns=(before, before))


def test_a_shard_that_cannot_be_read_now_is_not_called_damaged(out, monkeypatch):
    def time_out(uri):
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    monkeypatch.setattr(files, "open_read", time_out)
    with pytest.raises(gritmill.EnvironmentFault, match=r"00000\.tar: TimeoutError: .*; read it again$"):
        list(gritmill.read(out))


def test_a_manifest_that_leads_elsewhere_is_refused(out):
    path = out / "manifest.json"
    manifest = unsealed(path)
    manifest["shards"][0]["tar"] = "../elsewhere/00000.tar"
    path.write_text(json.dumps(manifest))
    with pytest.raises(gritmill.EnvironmentFault, match=r"shards\.0\.tar"):
        list(gritmill.read(out))
