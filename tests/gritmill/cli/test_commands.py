"""Calls on the command line: output, exit status, and that an invalid call leaves nothing half-written."""

import json
import shutil
import socket
import subprocess
import sys

import pytest
import yaml

import gritmill
from gritmill.main import _split
from pipeline.files.lock import hold
from tests import interrupts, permissions, plugin_detectors, sample_pairs
from transforms import bundled
from transforms.detectors.grounding_dino import precision


@pytest.fixture
def invoke(call, tmp_path, parser):
    """Runs `gritmill` in a folder with `own.yaml`. Returns exit status and the lines on standard error."""
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    return lambda *words: call(*words)[::2]


@pytest.fixture
def obeying(invoke):
    """Like `call`, but obeys permissions also as root."""
    return lambda *words: permissions.obeying(lambda: invoke(*words))


@pytest.fixture
def tars(tmp_path):
    return sample_pairs.as_tars(sample_pairs.drawn(10), tmp_path / "in")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, parser):
    folder = tmp_path_factory.mktemp("finished")
    inputs = sample_pairs.as_tars(sample_pairs.drawn(10), folder / "in")
    gritmill.run(sample_pairs.settings(parser, "tests.plugin_detectors:factory"), inputs=inputs, output=folder / "out")
    return inputs, folder / "out"


@pytest.fixture
def packed(finished, tmp_path):
    """Copies a finished run to `out`. Returns its input."""
    inputs, out = finished
    shutil.copytree(out, tmp_path / "out")
    return inputs


def test_run_pack_validate(invoke, tars):
    assert invoke("run", "own.yaml", "--input", tars, "--output", "out") == (0, [])
    assert invoke("pack", "own.yaml", "--output", "two", "--detections", "out", "--set", "selection.score=0.85") == (
        0,
        [],
    )
    status, lines = invoke("validate", "out", "--limit", "3")
    assert (status, lines) == (0, ["3 samples read, 0 faults"])


def test_several_inputs_as_a_shell_expands_them(invoke, tars, tmp_path):
    paths = sorted(map(str, (tmp_path / "in").glob("*.tar")))
    words = ("--set", "chunk.pairs=4", "selection.score=0.1", "--output", "out")
    assert invoke("run", "own.yaml", "--input", *paths, *words)[0] == 0
    assert len(list((tmp_path / "out/detections").glob("0*"))) == 2


def test_a_precision_that_the_processor_lacks_is_refused_before_anything_is_written(
    invoke, tars, tmp_path, monkeypatch
):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    words = ("detector.model=scene-grounder", "detector.device=cpu", "detector.precision=bfloat16")
    status, lines = invoke("run", "own.yaml", "--input", tars, "--output", "out", "--set", *words)
    assert status == 2
    assert [line for line in lines if "precision" in line] == [
        "gritmill: detector.precision: bfloat16: this processor lacks AVX512_BF16 and AMX_BF16; set it to float32"
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--set", "selection.scor=1"], "selection.scor: no such key; did you mean selection.score?"),
        (["--set", "selecton.score=1"], "selecton: no such key; did you mean selection?"),
        (["--set", "source.kind=jsnl"], "source.kind: 'jsnl': no such kind; did you mean jsonl?"),
        (["--set", "text.dialect=qwen2.5vl"], "text.dialect: qwen2.5vl: no such dialect; did you mean qwen2.5-vl?"),
        (["--retry-failed=exeption"], "--retry-failed: exeption: no such reason; did you mean exception?"),
        (["--set", "selection.score=3"], "selection.score: 3: must be at most 1"),
        (["--set", "chunk=3"], "chunk: 3: "),
        (["--set", "shards.pairs=20000"], "shards.pairs: 20000"),
        (["--set", "detector.device=tpu"], "detector.device: 'tpu'"),
        (["--set", "detector.device=cpu", "detector.precision=float16"], "detector: precision float16"),
        (["--set", "text.dialect=klingon"], "text.dialect: klingon: no such dialect; use one of cogvlm, ferret, "),
        (["--set", "phrases.drop_lists=[nonsense]"], "phrases.drop_lists: no list nonsense"),
        (["--set", "phrases.model=/none"], "phrases.model: /none"),
        (["--set", "detector.model=/none"], "detector.model: /none: no such folder"),
        (["--set", "detector.model=scene-grunder"], "no such folder; did you mean scene-grounder?"),
        (["--set", "phrases.model=caption-parsr"], "no such spaCy pipeline; did you mean caption-parser?"),
        (["--set", "selection.min_area=0.5", "selection.max_area=0.1"], "min_area 0.5 is larger than max_area 0.1"),
        (["--retry-failed=thirst"], "--retry-failed: thirst: no such reason; use one of broken_row, "),
        (["--retry-failed=no_box"], "--retry-failed: no_box: no such reason; use one of broken_row, "),
        (
            ["--retry-failed=gone"],
            "--retry-failed: gone: not a failure of ground; run gritmill pack --fresh to fetch images again",
        ),
        (["--set", "detector.model=no.such:factory"], "detector.model: no.such:factory cannot be loaded"),
        (["--set", "nonsense"], "--set: 'nonsense' has no =; write section.key=value"),
        (["--limit", "0"], "--limit"),
        (["--", "--bogus=1"], "--bogus=1: no such Beam option"),
    ],
)
def test_a_wrong_setting_is_one_line_and_nothing_is_written(invoke, tars, tmp_path, words, line):
    status, lines = invoke("run", "own.yaml", "--input", tars, "--output", "out", *words)
    assert status == 2
    assert len(lines) == 1
    assert line in lines[0]
    assert not list((tmp_path / "out").glob("[!.]*"))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("none.tar", "none.tar: no such file"),
        ("none*.tar", "none*.tar: matches no file"),
        ("no.tar", "no.tar: not a tar"),
        ("no.parquet", "no.parquet: not a parquet file"),
        ("no.json", "no.json: not a COCO captions file"),
        ("own.yaml", "own.yaml: cannot detect its kind from its name"),
        ("table.csv", "source.columns.caption: "),
        ("gs://bucket/x.tar", "needs pip install 'gritmill[gcp]'"),
    ],
)
def test_a_wrong_input_is_one_line_and_nothing_is_written(invoke, tmp_path, given, line):
    for name in ("no.tar", "no.parquet", "no.json"):
        (tmp_path / name).write_text("nothing of the kind")
    (tmp_path / "table.csv").write_text("image,words\na.jpg,a dog\n")
    status, lines = invoke("run", "own.yaml", "--input", given, "--output", "out")
    assert status == 2
    assert len(lines) == 1
    assert line in lines[0]
    assert not list((tmp_path / "out").glob("[!.]*"))


def test_what_a_glob_or_folder_leaves_out_is_told(invoke, tars, tmp_path):
    (tmp_path / "in/2.tar").symlink_to(tmp_path / "gone.tar")
    (tmp_path / "in/notes.txt").symlink_to(tmp_path / "gone.txt")  # no source kind has this suffix
    for given in (tars, "in", "i*/*.tar", "**/*.tar"):
        status, lines = invoke("run", "own.yaml", "--input", given, "--output", "out")
        assert (status, lines) == (2, [f"gritmill: --input: {tmp_path}/in/2.tar: a broken link"])
    (tmp_path / "in/2.tar").unlink()
    for given in (tars, "in", "i*/*.tar", "**/*.tar"):  # each of them uses what the first one has grounded
        assert invoke("ground", "own.yaml", "--input", given, "--output", "out") == (0, [])


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        *(("{0}/closed", mode) for mode in (0, 0o444)),
        *(("{0}/**/*.tar", mode) for mode in (0, 0o444)),
        *(pytest.param("{0}/closed/*.tar", mode, marks=pytest.mark.slow) for mode in (0, 0o444)),
        *(pytest.param("{0}/c*/*/*.tar", mode, marks=pytest.mark.slow) for mode in (0, 0o444)),
    ],
)
def test_a_folder_that_may_not_be_read_is_told(obeying, tmp_path, given, mode):
    sample_pairs.as_tars(sample_pairs.drawn(10), tmp_path / "open")
    (tmp_path / "lost+found").mkdir(mode=0)
    (tmp_path / "closed").mkdir(mode=mode)
    status, (line,) = obeying("run", "own.yaml", "--input", given.format(tmp_path), "--output", "out")
    assert status == 2
    assert line.startswith(f"gritmill: --input: {tmp_path}/closed: no permission to read this folder")


def test_an_image_that_may_not_be_read_fails_alone(obeying, tmp_path):
    table = sample_pairs.as_jsonl(sample_pairs.drawn(10), tmp_path / "in")
    one = next((tmp_path / "in/images").iterdir())
    one.chmod(0)
    words = ("own.yaml", "--output", "out", "--max-failed", "0.1")
    status, said = obeying("run", *words, "--input", table)
    assert (status, said) == (0, []), said
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["ledger"]["failed"] == {"read": {"forbidden": 1}}
    one.chmod(0o644)
    assert obeying("run", *words, "--input", table, "--retry-failed", "forbidden") == (0, [])
    one.chmod(0)
    assert obeying("pack", *words, "--fresh") == (0, [])
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["ledger"]["failed"] == {"fetch": {"forbidden": 1}}
    assert str(one) in manifest["failed_examples"]["fetch: forbidden"]


@pytest.mark.parametrize("key", ["detector.model", "phrases.model"])
def test_a_model_that_cannot_be_had_is_told_before_any_input_is_read(invoke, tmp_path, key):
    (tmp_path / "damaged.tar").write_bytes(b"?" * 512)
    status, (line,) = invoke("run", "own.yaml", "--input", "damaged.tar", "--output", "out", "--set", f"{key}=/none")
    assert status == 2
    assert line.startswith(f"gritmill: {key}: /none")


def test_a_folder_of_another_fingerprint_is_refused(invoke, packed, tmp_path):
    before = sample_pairs.files_of(tmp_path / "out", "**/*")
    status, lines = invoke("run", "own.yaml", "--input", packed, "--output", "out", "--set", "detector.floor=0.2")
    assert status == 2
    assert len(lines) == 1
    assert "detector.floor changed" in lines[0]
    assert sample_pairs.files_of(tmp_path / "out", "**/*") == before


def test_a_missing_configuration(invoke, tars):
    assert invoke("run", "none.yaml", "--input", tars, "--output", "out") == (
        2,
        ["gritmill: CONFIG: none.yaml: no such file"],
    )
    status, lines = invoke("run", "none", "--input", tars, "--output", "out")
    assert status == 2
    assert "use one of cluster, demo, grit" in lines[0]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["view", "nowhere"], "nowhere: no such folder"),
        (["validate", "nowhere"], "nowhere: no such folder"),
        (["export", "nowhere", "--to", "coco", "--output", "out"], "nowhere: no such folder"),
        (["pack", "--detections", "{0}/nowhere", "--output", "out"], "--detections: {0}/nowhere: no such folder"),
        (["view", "."], ".: no manifest.json, so it is not a finished run; run gritmill pack"),
        (["export", "out", "--to", "cocoo", "--output", "out"], "--to: cocoo: no such format; did you mean coco?"),
    ],
)
def test_a_folder_that_does_not_exist_is_told_as_such(invoke, tmp_path, words, line):
    words = [word.format(tmp_path) for word in words]
    assert invoke(*words) == (2, [f"gritmill: {line.format(tmp_path)}"])


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["run", "--input", "", "--output", "out"], "--input"),
        (["run", "--input", "a.tar", "", "--output", "out"], "--input"),
        (["run", "--input", "a.tar", "--output", ""], "--output"),
        (["pack", "--output", "out", "--detections", ""], "--detections"),
        (["validate", ""], "DIR"),
        (["export", "", "--to", "grit", "--output", "out"], "DIR"),
        (["export", "run", "--to", "odvg", "--output", "out", "--tokenizer", ""], "--tokenizer"),
        (["audit", "a.jsonl", ""], "FILE"),
        (["eval", "--truth", "", "--relations"], "--truth"),
        (["calibrate", "--clicks", "", "--output", "out"], "--clicks"),
    ],
)
def test_an_empty_path_is_not_the_folder_that_one_is_in(invoke, words, shown):
    assert invoke(*words) == (2, [f"gritmill: {shown}: is empty; name a path"])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["export", "run", "--to", "grit", "--seed", "0"], "--seed: grit does not use it; leave it out, or export to "),
        (
            ["export", "run", "--to", "coco", "--form", "vsr"],
            "--form: coco does not use it; leave it out, or export to ",
        ),
        (
            ["export", "run", "--to", "yolo", "--split", ""],
            "--split: yolo does not use it; leave it out, or export to ",
        ),
        (["view", "run", "--port", "0"], "--port: only with --serve"),
    ],
)
def test_an_option_that_is_not_used_is_refused_also_with_its_default(invoke, words, line):
    status, (said,) = invoke(*words, "--output", "out")
    assert status == 2
    assert said.startswith(f"gritmill: {line}")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run", "photos.jsonl"], "photos.jsonl: not a configuration; did you mean --input photos.jsonl?"),
        (["run", "in/0.tar", "in/1.tar"], "in/0.tar: not a configuration; did you mean --input in/0.tar?"),
        (["ground", "in", "--output", "out"], "in: not a configuration; did you mean --input in?"),
        (["calibrate", "mine.jsonl"], "mine.jsonl: not a configuration; did you mean --truth mine.jsonl?"),
        (["pack", "in"], "in: not a configuration; did you mean --output in?"),
        (["run", "gritt"], "gritt: no such configuration; did you mean grit?"),
        (["run", "Demo"], "Demo: no such configuration; did you mean demo?"),
    ],
)
def test_a_source_where_a_configuration_is_expected_is_told(invoke, tmp_path, words, line):
    (tmp_path / "in").mkdir()
    assert invoke(*words) == (2, [f"gritmill: CONFIG: {line}"])


def test_a_folder_with_the_name_of_a_configuration_does_not_hide_it(invoke, tars, tmp_path):
    (tmp_path / "demo").mkdir()
    status, lines = invoke("ground", "demo", "--input", "none.tar", "--output", "out", "--quiet")
    assert (status, lines) == (2, ["gritmill: --input: none.tar: no such file"])


def test_ground_says_how_many_rows_failed_and_what_comes_next(call, invoke, tars, tmp_path):
    words = ("own.yaml", "--output", "my out")
    failing = ("--set", "detector.model=tests.plugin_detectors:passing")
    plugin_detectors.Passing.sick = True
    status, said, _ = call("ground", *words, "--input", tars, *failing)
    failed = "detections: 3 of 10 rows failed: 3 exception\n"
    folder = f"detections in {tmp_path}/my out/detections; next: "
    assert (status, said) == (0, f"{failed}{folder}gritmill pack own.yaml --output 'my out'\n")
    status, said, _ = call("pack", *words, "--max-failed", "1")
    assert "correct the code of tests.plugin_detectors:passing, then use ground --fresh" in said
    assert "--retry-failed" not in said
    plugin_detectors.Passing.sick = False
    status, said, _ = call("ground", *words, "--input", tars, *failing, "--retry-failed")
    assert (status, said) == (0, f"{folder}gritmill pack --fresh own.yaml --output 'my out'\n")
    assert invoke("pack", "--fresh", *words) == (0, [])
    status, said, _ = call("ground", *words, "--input", tars, *failing)
    assert (status, said) == (0, f"{folder}gritmill pack own.yaml --output 'my out'\n")
    page = (tmp_path / "my out/report.html").read_text()
    assert "<td>tests.plugin_detectors:passing factory:tests.plugin_detectors:passing@" in page
    parser = yaml.safe_load((tmp_path / "own.yaml").read_text())["phrases"]["model"]
    assert f"<td>{parser} folder:" in page


@pytest.mark.slow
def test_one_is_singular(call, invoke, tmp_path):
    tars = sample_pairs.as_tars(sample_pairs.drawn(1), tmp_path / "in", tars=1)
    status, said, _ = call("run", "own.yaml", "--input", tars, "--output", "out")
    assert (status, said.splitlines()[0].strip()) == (0, "1  pair read")
    assert invoke("validate", "out") == (0, ["1 sample read, 0 faults"])


def test_a_list_has_brackets_in_a_message_only_where_a_list_is_wrong(invoke, tars):
    words = ("own.yaml", "--input", tars, "--output", "out", "--set")
    status, (line,) = invoke("run", *words, "phrases.languages=[[en]]")
    assert (status, line) == (2, "gritmill: configuration: phrases.languages: ['en']: must be a text")
    status, (line,) = invoke("run", *words, "text.dialect=[kosmos2,kosmos2]")
    assert "kosmos2, kosmos2: two of these" in line


def test_a_missing_option_names_itself(invoke):
    status, lines = invoke("run", "own.yaml", "--output", "out")
    assert (status, len(lines)) == (2, 1)
    assert "--input" in lines[0]


def test_too_many_failed_pairs_are_status_1_with_the_outputs_published(invoke, tmp_path):
    pictures = sample_pairs.drawn(10)
    sample_pairs.as_jsonl(pictures, tmp_path / "in")
    (tmp_path / "in/images/00003.jpg").write_bytes(b"<html>")
    words = ("run", "own.yaml", "--input", "in/pairs.jsonl", "--output", "out")
    status, lines = invoke(*words)
    assert status == 1
    assert "1 of 10 pairs failed" in lines[0]
    assert (tmp_path / "out/manifest.json").exists()
    assert invoke(*words, "--max-failed", "0.1") == (0, [])


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("", "no pair was written: 0 pairs read, 0 rejected, 0 failed"),
        ("images/00000.jpg,\ngone.jpg,a dog\n", "no pair was written: 2 pairs read, 1 rejected, 1 failed"),
    ],
)
def test_a_run_that_writes_nothing_is_no_good_run(invoke, tmp_path, rows, line):
    sample_pairs.as_jsonl(sample_pairs.drawn(1), tmp_path / "in")
    (tmp_path / "in/pairs.csv").write_text("image,caption\n" + rows)
    words = ("run", "own.yaml", "--input", "in/pairs.csv", "--output", "out", "--max-failed", "1")
    assert invoke(*words) == (1, [f"gritmill: {line}"])


def test_a_source_fault_is_status_1_unless_allowed(invoke, tars, tmp_path):
    tar = tmp_path / "in" / "00001.tar"
    tar.write_bytes(tar.read_bytes()[:9000])
    words = ("run", "own.yaml", "--input", tars, "--output", "out")
    status, lines = invoke(*words)
    assert status == 1
    assert "00001.tar: truncated or damaged at byte" in lines[0]
    assert invoke(*words, "--allow-source-faults") == (0, [])


def test_a_container_that_vanishes_between_ground_and_pack(invoke, tars, tmp_path):
    assert invoke("ground", "own.yaml", "--input", tars, "--output", "out")[0] == 0
    (tmp_path / "in/00001.tar").rename(tmp_path / "elsewhere")
    status, lines = invoke("pack", "own.yaml", "--output", "out")
    assert (status, len(lines)) == (3, 1)
    assert f"{tmp_path}/in/00001.tar: no such file" in lines[0]
    assert not (tmp_path / "out/shards").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "in/00001.tar")
    assert invoke("pack", "own.yaml", "--output", "out") == (0, [])


def test_the_embedded_detector_says_what_it_knows_when_it_is_shown_other_pictures(invoke, tars):
    words = ("ground", "demo", "--output", "out", "--limit", "1", "--input")
    said = f"gritmill: {bundled.SCENE_GROUNDER_WARNING}"
    assert invoke(*words, tars) == (0, [said])
    scenes = str(bundled.folder("examples") / "scenes" / "*.tar")
    assert invoke(*words, scenes, "--fresh") == (0, [])


@pytest.mark.usefixtures("packed")
def test_pack_refuses_what_only_ground_can_change(invoke, tmp_path):
    words = ("pack", "own.yaml", "--output", "two", "--detections", "out", "--set")
    status, lines = invoke(*words, "detector.floor=0.5")
    assert (status, len(lines)) == (2, 1)
    assert lines[0].endswith(
        f"detector.floor: {tmp_path}/out/detections was made with 0.0; run gritmill ground --fresh to change it"
    )
    assert not (tmp_path / "two").exists()
    assert invoke(*words, "detector.floor=0", "selection.score=0.85") == (0, [])


def test_ground_says_that_it_takes_no_notice_of_packs_settings(invoke, tars):
    words = ("own.yaml", "--input", tars, "--output", "out", "--set", "selection.score=0.3")
    assert invoke("ground", *words) == (
        0,
        ["gritmill: --set: selection.score: ground ignores it; pass it to pack"],
    )
    assert invoke("run", *words) == (0, [])


def test_of_the_values_of_duplicates_ground_ignores_exact_only(invoke, tars):
    words = ("ground", "own.yaml", "--input", tars, "--output", "out", "--set")
    ignored = "gritmill: --set: filters.duplicates: ground ignores it; pass it to pack"
    assert invoke(*words, "filters.duplicates=exact") == (0, [ignored])
    assert invoke(*words, "filters.duplicates=near", "--fresh") == (0, [])


@pytest.mark.usefixtures("packed")
def test_a_pack_of_other_settings_says_which(invoke):
    status, lines = invoke("pack", "own.yaml", "--output", "out", "--set", "selection.score=0.85", "text.spans=densest")
    assert (status, len(lines)) == (2, 1)
    assert "another fingerprint (selection.score, text.spans changed)" in lines[0]


@pytest.mark.usefixtures("packed")
def test_a_fresh_pack_that_fails_leaves_the_run_as_it_was(invoke, tmp_path):
    words = ("own.yaml", "--output", "out")
    before = sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json", "statistics.json")
    rows = tmp_path / "out/detections/00000/00000-00000.parquet"
    sound = rows.read_bytes()
    rows.write_bytes(sound[:-1])
    status, lines = invoke("pack", *words, "--fresh", "--quiet", "--set", "selection.score=0.85")
    assert (status, len(lines)) == (3, 1)
    assert "00000-00000.parquet has changed since it was committed" in lines[0]
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json", "statistics.json") == before
    assert invoke("validate", "out")[0] == 0
    rows.write_bytes(sound)
    (tmp_path / "out/shards/00000_stats.json").unlink()
    assert invoke("pack", *words) == (0, [])
    assert sample_pairs.files_of(tmp_path / "out", "shards/*", "manifest.json", "statistics.json") == before


@pytest.mark.usefixtures("invoke")
def test_the_pace_is_told_by_whoever_has_grounded(call, packed):
    for words, told in ((("run", "own.yaml", "--input", packed), True), (("pack", "own.yaml"), False)):
        assert ("pairs/s per worker" in call(*words, "--output", "out", "--quiet")[1]) == told


def test_a_detections_file_that_is_gone_says_what_to_do(invoke, packed, tmp_path):
    words = ("own.yaml", "--output", "out")
    (tmp_path / "out/manifest.json").unlink()
    folder = tmp_path / "out/detections/00000"
    whole = sample_pairs.files_of(folder, "*")
    (folder / "00000-00000.parquet").unlink()
    status, lines = invoke("pack", *words)
    assert (status, len(lines)) == (3, 1)
    assert f"00000.parquet is missing; remove {folder}/00000.done.json, then run gritmill ground again" in lines[0]
    (folder / "00000.done.json").unlink()
    assert invoke("run", *words, "--input", packed) == (0, [])
    assert sample_pairs.files_of(folder, "*") == whole


def test_a_detector_that_cannot_be_made_leaves_nothing_in_the_way(invoke, tars):
    words = ("run", "own.yaml", "--input", tars, "--output", "out")
    status, lines = invoke(*words, "--set", "detector.model=os.path:join")
    assert (status, len(lines)) == (3, 1)
    assert lines[0].startswith("gritmill: detector.model: os.path:join: TypeError")
    assert invoke(*words) == (0, [])


@pytest.mark.parametrize("command", ["run", "ground", "pack"])
def test_a_second_run_is_refused_while_the_first_one_lives(invoke, packed, tmp_path, command):
    before = sample_pairs.files_of(tmp_path / "out", "**/*")
    words = () if command == "pack" else ("--input", packed)
    with hold(str(tmp_path / "out")):
        status, lines = invoke(command, "own.yaml", *words, "--output", "out")
    assert (status, len(lines)) == (2, 1)
    assert "another run is using this folder" in lines[0]
    assert sample_pairs.files_of(tmp_path / "out", "**/*") == before


def test_names_from_a_source_are_shown_without_what_a_terminal_would_obey(invoke, call, tmp_path):
    row = {"image": "\x1b[2J\u202egnp.[red]", "caption": "a dog"}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row))
    said = call("run", "own.yaml", "--input", "pairs.jsonl", "--output", "out", "--quiet")[1]
    assert "\\x1b[2J\\u202egnp.[red]" in said
    assert "\x1b" not in said


def test_an_output_that_cannot_be_written(invoke, tars, tmp_path):
    (tmp_path / "file").write_text("")
    status, lines = invoke("run", "own.yaml", "--input", tars, "--output", "file/out")
    assert (status, len(lines)) == (2, 1)
    assert "--output: " in lines[0]
    assert "file/out" in lines[0]


def test_no_permission(obeying, tars, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    words = ("run", "own.yaml", "--input", tars, "--output", str(closed / "out"))
    cure = "name a folder that can be made and written"
    assert obeying(*words) == (3, [f"gritmill: --output: {closed / 'out'}: Permission denied; {cure}"])
    assert not list(closed.iterdir())


def test_help_needs_no_model(invoke):
    assert invoke("run", "--help")[0] == 0


def test_help_does_not_wait_for_heavy_packages():
    code = "import sys\nfrom gritmill.main import main\ntry:\n main(['run', '--help'])\nfinally:\n print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--max-failed" in said
    assert not {"torch", "spacy", "apache_beam", "transformers", "pyarrow", "numpy", "PIL", "yaml"} & set(said.split())


@pytest.mark.usefixtures("packed")
def test_pack_loads_no_model_library(invoke, tmp_path):
    (tmp_path / "out/manifest.json").unlink()
    shutil.rmtree(tmp_path / "out/shards")
    words = ["pack", str(tmp_path / "own.yaml"), "--output", str(tmp_path / "out")]
    code = f"import sys\nfrom gritmill.main import main\ntry:\n main({words!r})\nfinally:\n print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "10  pairs read" in said
    assert not {"torch", "transformers", "spacy"} & set(said.split())


@pytest.mark.parametrize(
    ("command", "package", "says"),
    [
        (["run", "--input", "none.tar", "--output", "out"], "yaml", "interrupted; run the same command to resume"),
        (["validate", "out"], "pyarrow", "interrupted"),
    ],
)
def test_an_interrupt_while_packages_are_imported(tmp_path, command, package, says):
    """The first heavy import sends the signal and is still running when it arrives."""
    (tmp_path / f"{package}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    )
    main = [sys.executable, "-c", "from gritmill.main import main\nmain()", *command]
    ended = subprocess.run(main, capture_output=True, text=True, cwd=tmp_path, preexec_fn=interrupts.hear)
    assert (ended.returncode, ended.stderr.splitlines()) == (130, [f"gritmill: {says}"])


def test_beam_words_are_split_off():
    assert _split(["run", "x", "--", "--runner=A", "--", "b"]) == (["run", "x"], ["--runner=A", "--", "b"])
    assert _split(["run"]) == (["run"], [])


def test_a_locale_whose_names_are_not_utf_8_is_refused(call, monkeypatch):
    """Names in tables and tars would be those of missing files."""
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    line = "gritmill: the locale reads names of files as ascii, not UTF-8; set PYTHONUTF8=1"
    assert call("look", "x.tar") == (3, "", [line])


def test_a_server_that_is_away_is_named_alone(call):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"http://127.0.0.1:{unused.getsockname()[1]}"
        status, _, (line,) = call("look", f"{place}/a.tar")
    assert (status, line[: line.rindex(": ")]) == (3, f"gritmill: {place}: cannot look for {place}/a.tar")
