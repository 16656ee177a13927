"""`gritmill demo` as a new user calls it, on a few of the bundled scenes. `make demo` runs all of them."""

import json
import shlex
import sys
from pathlib import Path

import pytest

import gritmill
from gritmill import api, demo
from gritmill.evaluation import quality
from tests import sample_pairs

SCENES = ("--limit", "6")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a finished demo."""
    folder = tmp_path_factory.mktemp("demo") / "demo-output"
    demo.run(folder, limit=6)
    return folder


def test_it_shows_one_screen_and_does_nothing_again(call, done, monkeypatch):
    monkeypatch.chdir(done.parent)
    before = sample_pairs.files_of(done, "shards/*", "manifest.json", "detections/**/*")
    status, screen, lines = call("demo", *SCENES)
    assert status == 0
    assert lines == ["gritmill: processing the bundled scenes; output in demo-output"]
    for said in (
        "6  pairs read",
        "shards and manifest in demo-output",
        "Quality against",
        "of these have a correct box",
        " claims checked, ",
        "claims have the true boxes' verdict",
    ):
        assert said in screen
    assert "<grounding>" in screen
    assert "\x1b" not in screen
    shown = screen.splitlines()
    assert len(shown) <= 30
    assert all(len(line) <= 80 for line in shown if not line.startswith(("<grounding>", "score threshold", "  ")))
    assert sample_pairs.files_of(done, "shards/*", "manifest.json", "detections/**/*") == before


def test_the_shards_are_sound(done):
    assert not [fault for fault in gritmill.validate(done) if fault.text]


def test_the_boxes_of_the_bundled_scenes_are_right(done):
    found = quality.run_quality(done)
    assert found.phrases >= 6
    assert found.extracted >= 0.9 * found.phrases
    assert found.located >= 0.9 * found.extracted
    assert found.boxes == sum(shard["boxes"] for shard in json.loads((done / "manifest.json").read_text())["shards"])


def test_what_it_names_next_works_as_it_stands(call, tmp_path, parser):
    sample_pairs.as_tars(sample_pairs.drawn(4), tmp_path / "YOUR")
    models = [f"phrases.model={parser}", "detector.model=tests.plugin_detectors:factory"]
    look, see, again, check = (shlex.split(line.partition("gritmill ")[2]) for line in demo.next_commands())
    assert call(*look, "--quiet", "--set", *models)[0] == 0
    assert call(*see, "--quiet")[0] == 0
    assert (tmp_path / "out/view/index.html").exists()
    assert call(*again, "--quiet")[0] == 0
    assert call(*check) == (0, "", ["4 samples read, 0 faults"])


def test_the_commands_name_the_program_as_it_can_be_called(monkeypatch, tmp_path):
    script = tmp_path / "a b" / "bin" / "gritmill"
    script.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(script.with_name("python")))
    assert demo.next_commands()[0].startswith(f"'{script.with_name('python')}' -m gritmill run ")
    script.touch(mode=0o755)
    assert demo.next_commands()[0].startswith(f"'{script}' run ")
    monkeypatch.chdir(tmp_path / "a b")
    assert demo.next_commands()[0].startswith("bin/gritmill run ")
    monkeypatch.setenv("PATH", str(script.parent))
    assert demo.next_commands()[0].startswith("gritmill run ")


def test_a_folder_of_another_run_is_refused_until_fresh(call, done):
    status, screen, lines = call("demo", str(done), "--limit", "2", "--quiet")
    assert (status, screen) == (2, "")
    (line,) = lines
    assert str(done) in line
    assert line.endswith(f"(--limit changed); use another folder, or gritmill demo {done} --fresh")
    assert call("demo", str(done), "--limit", "2", "--quiet", "--fresh")[0] == 0
    assert json.loads((done / "manifest.json").read_text())["ledger"]["read"] == 2
    assert (done / "detections.1" / "plan.json").exists()


def test_a_fresh_demo_that_was_interrupted_goes_on_or_starts_over(tmp_path, monkeypatch):
    """`pack` is interrupted. Then a plain demo finishes it, the same call goes on, and one with other options starts
    over."""
    out, mark = tmp_path / "out", tmp_path / "out/.gritmill.fresh.json"
    demo.run(out, limit=2)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    def begin():
        with monkeypatch.context() as patch:
            patch.setattr(api, "pack", interrupted)
            with pytest.raises(KeyboardInterrupt):
                demo.run(out, limit=2, fresh=True)
        assert mark.exists()

    def set_aside():
        return len(list(out.glob("detections.*")))

    begin()
    demo.run(out, limit=2)
    assert (mark.exists(), set_aside()) == (False, 1)
    begin()
    demo.run(out, limit=2, fresh=True)
    assert (mark.exists(), set_aside()) == (False, 2)
    begin()
    assert demo.run(out, limit=3, fresh=True)["ledger"]["read"] == 3
    assert (mark.exists(), set_aside()) == (False, 4)


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["file"], 2, "file: a file, not a folder"),
        (["file/below"], 2, "file/below"),
        (["one", "two"], 2, "unexpected extra argument(s) (two)"),
        (["--limit", "0"], 2, "--limit"),
        (["--bogus"], 2, "No such option: --bogus; Beam options go after --"),
        (["out", "--", "--bogus=1"], 2, "--bogus=1: no such Beam option"),
    ],
)
def test_a_wrong_call_is_one_line(call, words, status, line):
    Path("file").write_text("")
    ended, screen, lines = call("demo", "--quiet", *words)
    assert (ended, screen, len(lines)) == (status, "", 1)
    assert line in lines[0]
    assert not Path("one").exists()
    assert not Path("out/manifest.json").exists()


@pytest.mark.slow
def test_the_readme_shows_what_the_whole_demo_prints(call):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    shown = readme.partition("It ends with:\n\n```\n")[2].partition("```")[0].splitlines()
    _, screen, _ = call("demo")
    printed = [line.rstrip() for line in screen.splitlines()]
    assert len(shown) > 10
    assert [line for line in shown if line != "…" and line not in printed] == []
    (sample,) = (sample for sample in gritmill.read("demo-output") if sample.key == "000000014")
    assert sample.caption in readme
    text = "".join(readme.partition(".grounded.txt   ")[2].partition("\n000000014.json")[0].split())
    assert text == "".join(sample.grounded.split())
