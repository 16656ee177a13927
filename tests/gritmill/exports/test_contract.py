"""The contract of every export format, including one of another package."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import gritmill
from gritmill import exports
from gritmill.exports import format as certain
from gritmill.exports import hf
from gritmill.exports.export import export
from gritmill.exports.format import ExportCounts, ExportFolder
from gritmill.exports.options import ExportOptions
from gritmill.exports.readers import VERSIONS
from gritmill.main import main
from gritmill.reading import Sample
from pipeline.files import publish
from tests import sample_pairs
from transforms.grit_record import compose
from transforms.records import Box, Grounding, Pair, Phrase


class Captions:
    """A format as another package would write it: one line per caption."""

    description = "`captions.txt` has a caption a line, quoted as JSON."
    data_files = ""

    def __init__(self, options):
        pass

    def shard(self, number, samples, folder):
        captions = [json.dumps(sample.caption) for sample in samples]
        folder.write_lines(f"parts/{number:05}.txt", captions)
        return ExportCounts(samples=len(captions))

    def finish(self, shards, folder):
        folder.write_lines("captions.txt", (line for n in shards for line in folder.lines(f"parts/{n:05}.txt")))


EVERY = [*exports.formats(), "captions"]


@pytest.fixture(autouse=True)
def installed(install):
    install("gritmill.exports", *(f"{name} = {__name__}:Captions" for name in ("captions", "yolo")))


@pytest.fixture(scope="module")
def empty(tmp_path_factory, parser):
    """A finished run without a shard."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "none.jsonl").write_text("")
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory")
    assert gritmill.run(config, inputs=folder / "none.jsonl", output=folder / "run")["shards"] == []
    return folder / "run"


SIGNS = ["", "\t", "\n", "\u2028", " [x] ", "]", " <image> ", '"\\', "é🐕\u202e", "\x00", "&amp;", "%s {0}", "| - # "]


def samples(count=None, shard=0, picture=bytes):
    """Samples whose captions and origins have every sign that means something to some format."""
    for number, sign in enumerate(SIGNS[:count]):
        caption = f"a dog{sign}near the red car"
        end = len(caption)
        found = [Phrase(0, 5, 2, 5, 0, end), Phrase(end - 11, end, end - 3, end, end - 11, end)]
        groundings = [
            Grounding(phrase, Box(i, 0.4 * i, 0.2, 0.3 + 0.4 * i, 0.75, 0.5)) for i, phrase in enumerate(found)
        ]
        meta = json.dumps({"sign": sign})
        pair = Pair(f"../../{sign}", "s", number, caption, url=f"x{sign}", meta=meta, width=64, height=48)
        key = f"{shard:05}{number:04}"
        record = compose(key, pair, groundings)
        yield Sample(key, picture(b"a picture"), record, caption, f"<grounding>{caption}", {})


def carried_or_left_out(counts):
    return counts["samples"] + sum(number for kind, number in counts.items() if kind.startswith("captions with"))


@pytest.mark.parametrize("name", EVERY)
def test_equal_samples_give_equal_bytes_and_counts_that_add_up_over_shards(tmp_path, name):
    made = exports.find_format(name, ExportOptions())
    counts = [made.shard(n, samples(4 + n, n), ExportFolder(f"{tmp_path}/a")) for n in (0, 1)]
    for n in (1, 0):
        assert made.shard(n, samples(4 + n, n), ExportFolder(f"{tmp_path}/b")) == counts[n]
    for folder in "ab":
        made.finish((0, 1), ExportFolder(f"{tmp_path}/{folder}"))
    written = sample_pairs.files_of(tmp_path / "a", "**/*")
    assert written == sample_pairs.files_of(tmp_path / "b", "**/*") != {}
    assert made.shard(2, samples(0), ExportFolder(f"{tmp_path}/a"))["samples"] == 0
    assert [carried_or_left_out(count) for count in counts] == [4, 5]


@pytest.mark.parametrize("name", EVERY)
def test_awkward_captions_and_keys_are_carried_or_counted_and_nothing_is_written_elsewhere(tmp_path, name):
    made, folder = exports.find_format(name, ExportOptions()), ExportFolder(f"{tmp_path}/in/here")
    counts = made.shard(0, samples(), folder)
    made.finish((0,), folder)
    assert carried_or_left_out(counts) == len(SIGNS)
    assert counts["samples"] > len(SIGNS) / 2
    assert [path.name for path in (*tmp_path.iterdir(), *(tmp_path / "in").iterdir())] == ["in", "here"]


@pytest.mark.parametrize("name", EVERY)
def test_no_more_pictures_are_held_than_one_and_the_next(tmp_path, name, monkeypatch):
    monkeypatch.setattr(hf, "_BATCH", 2)  # the format writes several pictures at once
    held, most = Counter(), []

    class Picture(bytes):
        def __init__(self, _):
            held["now"] += 1
            most.append(held["now"])

        def __del__(self):
            held["now"] -= 1

    exports.find_format(name, ExportOptions()).shard(0, samples(picture=Picture), ExportFolder(str(tmp_path)))
    assert len(most) == len(SIGNS)
    assert max(most) <= 2


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ("coco", "hf") else pytest.mark.slow) for name in EVERY]
)
def test_an_interrupted_export_goes_on_to_the_same_bytes(finished, tmp_path, monkeypatch, name):
    export(finished, name, tmp_path / "whole")
    opened, left = publish._by_rename, {"files": 0}

    def dying(*arguments):
        left["files"] -= 1
        if left["files"] < 0:
            raise KeyboardInterrupt
        return opened(*arguments)

    monkeypatch.setattr(publish, "_by_rename", dying)
    for attempt in range(1, 30):
        left["files"] = 4 * attempt
        try:
            export(finished, name, tmp_path / "torn")
            break
        except KeyboardInterrupt:
            assert not (tmp_path / "torn" / "export.json").exists()
    assert attempt > 1
    assert sample_pairs.files_of(tmp_path / "torn", "**/*") == sample_pairs.files_of(tmp_path / "whole", "**/*")


@pytest.mark.parametrize("name", EVERY)
def test_a_run_without_a_shard(empty, tmp_path, name):
    assert export(empty, name, tmp_path / "out")["figures"].get("samples", 0) == 0
    assert "size_categories" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("name", EVERY)
def test_the_data_card_describes_the_format_and_says_where_the_data_comes_from(finished, tmp_path, monkeypatch, name):
    first = export(finished, name, tmp_path)
    _, head, text = (tmp_path / "README.md").read_text().split("---\n", 2)
    values = yaml.safe_load(head)
    assert values["size_categories"] == ["n<1K"]
    assert name in values["tags"]
    assert exports.find_format(name, ExportOptions()).description in text
    manifest = json.loads((finished / "manifest.json").read_text())
    for word in (*manifest["fingerprints"].values(), *(manifest["models"][part] for part in ("detector", "phrases"))):
        assert f"`{word}`" in text
    assert json.loads((tmp_path / "export.json").read_text())["run"]["fingerprints"] == manifest["fingerprints"]
    monkeypatch.setattr(ExportFolder, "publish", None)
    assert export(finished, name, tmp_path) == first  # a second call does nothing
    assert carried_or_left_out(first["figures"]) in (29, 30)


def test_cards_and_page_name_the_versions_that_are_run():
    """Those of `make interop`, or of the tests."""
    root = Path(__file__).parents[3]
    lists = [root / "constraints.txt", *sorted((root / "interop" / "requirements").glob("*.txt"))]
    tests, *interop = (
        {line.split("==")[0]: line.split("==")[1] for line in path.read_text().splitlines() if "==" in line}
        for path in lists
    )
    current = [pins for pins in interop if "img2dataset" not in pins]  # it writes data sets, and holds versions back
    for library, version in VERSIONS.items():
        assert ({pins[library] for pins in current if library in pins} or {tests[library]}) == {version}
    made = [
        exports.find_format(name, ExportOptions(split=split)) for name in exports.formats() for split in ("", "val")
    ]
    cards = "".join(one.description for one in made)
    pattern = rf"`?({'|'.join(VERSIONS)}|pyarrow)`? (\d+\.\d+[\w.]*\w)"
    named = re.findall(pattern, cards + (root / "docs/exports.md").read_text("utf-8"))
    assert {name for name, _ in named} >= set(VERSIONS) - {"webdataset"}
    assert [one for one in named if one[1] not in (VERSIONS.get(one[0]), tests.get(one[0]))] == []


def test_a_format_of_another_package_is_named_in_help_and_error(tmp_path, capsys):
    with pytest.raises(gritmill.CallError, match=r"lance: no such format; use one of grit, .*, captions$"):
        export(tmp_path, "lance", tmp_path)
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert "captions" in capsys.readouterr().out
    assert type(exports.find_format("yolo", ExportOptions())).__name__ == "Yolo"  # built-in formats keep their names


@given(
    st.lists(st.sampled_from(["a", "A", "aa", "a-a", "dog", "Dog", "hot dog", "dogs", ",", "ſ", "é"]), max_size=8),
    st.data(),
)
def test_words_are_looked_for_only_where_they_may_be_twice(words: list[str], data: st.DataObject) -> None:
    caption = " ".join(["dog", *words])
    start = data.draw(st.integers(0, len(caption) - 1))
    end = data.draw(st.integers(start + 1, len(caption)))
    spans = [(start, end), *data.draw(st.lists(st.just((0, 3)), max_size=1))]
    found = certain._repeated(caption, (start, end), spans)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certain, "_is_once", lambda *_: False)
        assert certain._repeated(caption, (start, end), spans) == found
