"""report.html: what it shows, and that it loads nothing from outside and escapes all text."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest

import gritmill
from gritmill.pages.report import _make_card
from gritmill.pages.thumbnails import Thumbnail
from pipeline.pack.report import read_report
from pipeline.pack.summary import show
from tests import sample_pairs
from tests.gritmill.pages.viewer.conftest import read as read_page
from transforms import bundled
from transforms.records import Box, Pair, Phrase
from transforms.selection.judge import Policy
from transforms.settings import SelectionSettings, TextSettings

HOSTILE = 'a red dog near a <script>alert("1")</script> blue cat & "others"'


class Page(HTMLParser):
    """Collects tags with their attributes, and the visible text."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += f"{data} "

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def middle(parser):
    return sample_pairs.settings(parser, "tests.plugin_detectors:factory")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, middle):
    folder = tmp_path_factory.mktemp("reported")
    gritmill.run(middle, inputs=sample_pairs.as_jsonl(sample_pairs.drawn(6), folder / "in"), output=folder / "out")
    return folder / "out"


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of a finished run."""
    return shutil.copytree(finished, tmp_path / "out")


def test_a_run_ends_with_a_page(tmp_path, middle):
    table = sample_pairs.as_jsonl(sample_pairs.drawn(30), tmp_path / "in")
    (tmp_path / "in/images/00004.jpg").unlink()
    manifest = gritmill.run(middle, inputs=table, output=tmp_path / "out")
    page = Page(tmp_path / "out/report.html")
    words = " ".join(page.text.split())
    boxes = sum(shard["boxes"] for shard in manifest["shards"])
    assert f"30 pairs read, 29 written with {boxes:,} boxes in 1 shard." in words
    assert "failed read: missing_file 1 3.3%" in words
    assert "read: missing_file, for example 4 of " in words
    assert "Barely kept The 12 pairs nearest to the threshold" in words
    pictures = page.of("img")
    assert len(pictures) == 12
    assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in pictures)
    for identity in manifest["models"].values():
        assert identity in page.text


def test_captions_of_one_image_are_on_one_card_and_the_report_says_how_many_bytes_repeat(tmp_path, middle):
    pictures = sample_pairs.drawn(3, captions=3)
    gritmill.run(middle, inputs=sample_pairs.as_jsonl(pictures, tmp_path / "in"), output=tmp_path / "out")
    page = Page(tmp_path / "out/report.html")
    words = " ".join(page.text.split())
    assert "The 9 pairs nearest to the threshold" in words
    assert "Pairs with the same image are shown together." in words
    assert len(page.of("img")) == 3
    samples = list(gritmill.read(tmp_path / "out"))
    assert len(samples) == 9
    for sample in samples:  # every sample is complete, and every caption is on the page
        assert sample.jpeg
        assert sample.caption in words
    sizes = [len(sample.jpeg) for sample in samples]
    repeated = sum(sizes) - sum({sample.jpeg: len(sample.jpeg) for sample in samples}.values())
    assert repeated > 0
    assert f"{repeated:,} of " in words
    assert json.loads((tmp_path / "out/report.json").read_text())["repeated_bytes"] == repeated
    (shard,) = json.loads((tmp_path / "out/manifest.json").read_text())["shards"]
    assert shard["repeated_bytes"] == repeated


def test_a_card_draws_a_box_of_several_captions_once():
    policy = Policy(SelectionSettings(), 0.3, TextSettings(), False)
    pairs = []
    for number, caption in enumerate(("a dog", "a dog runs", "a cat")):
        box = Box(0, 0.1, 0.1, 0.5, 0.5 + number / 1000, 0.9)
        pair = Pair(f"p{number}", "s/t.jsonl", number, caption, phrases=(Phrase(0, 5, 2, 5, 0, 5),), boxes=(box,))
        pairs.append((pair, policy))
    card = _make_card(pairs, Thumbnail(b"jpeg"))
    assert [text for _, text, _, _ in card["boxes"]] == ["a dog", "a cat"]
    assert [one["caption"] for one in card["captions"]] == ["a dog", "a dog runs", "a cat"]
    assert [len(one["boxes"]) for one in card["captions"]] == [1, 1, 1]
    assert (
        card["captions"][0]["boxes"][0][0] == card["captions"][1]["boxes"][0][0] != card["captions"][2]["boxes"][0][0]
    )


@pytest.mark.filterwarnings("ignore:scene-grounder works only")
def test_screen_report_card_and_viewer_say_the_same_of_the_threshold_and_the_embedded_detector(tmp_path, capsys):
    table = sample_pairs.as_jsonl(sample_pairs.drawn(2), tmp_path / "in")
    settings = sample_pairs.settings("caption-parser", "scene-grounder", selection={"score": None})
    settings["phrases"]["ask"] = "head"
    run = tmp_path / "out"
    manifest = gritmill.run(settings, inputs=table, output=run)
    show(read_report(str(run)), str(run))
    gritmill.view(run, tmp_path / "view")
    gritmill.export(run, to="coco", output=tmp_path / "coco")
    others = "detector.candidates 5 (measured with 30), phrases.ask head (measured with chunk)"
    line = f"0.184: the detector's default, not measured with {others}"
    warning = bundled.SCENE_GROUNDER_WARNING
    assert manifest["threshold"] == {"score": 0.184, "measured": False, "source": line.partition(": ")[2]}
    assert manifest["warnings"] == [warning]
    assert f"score threshold {line}\n" in capsys.readouterr().out
    report = " ".join(Page(run / "report.html").text.split())
    assert f"Score threshold {line}." in report
    assert f"Warning: {warning}." in report
    card = (tmp_path / "coco/README.md").read_text()
    assert f"- score threshold {line}\n" in card
    assert f"\n\n**Warning:** {warning}.\n\n" in card
    exported = json.loads((tmp_path / "coco/export.json").read_text())["run"]
    assert exported["warnings"] == [warning]
    viewed = read_page(tmp_path / "view")
    assert (viewed["run"]["threshold"], viewed["run"]["warnings"]) == (line, [warning])
    assert viewed["clicks"]["file"]["threshold"] == {"score": 0.184, "source": line.partition(": ")[2]}


def test_without_a_warning_nothing_is_said(finished, tmp_path):
    gritmill.export(finished, to="coco", output=tmp_path / "coco")
    exported = json.loads((tmp_path / "coco/export.json").read_text())["run"]
    assert "warnings" not in exported | json.loads((finished / "manifest.json").read_text())
    assert "Warning" not in (tmp_path / "coco/README.md").read_text() + Page(finished / "report.html").text


def test_boxes_lie_where_they_are(tmp_path, middle):
    gritmill.run(middle, inputs=sample_pairs.as_jsonl(sample_pairs.drawn(1), tmp_path / "in"), output=tmp_path / "out")
    (sample,) = gritmill.read(tmp_path / "out")
    page = Page(tmp_path / "out/report.html")
    assert "1 pair read, 1 written with 2 boxes in 1 shard." in " ".join(page.text.split())
    drawn = [r for r in page.of("rect") if "stroke" in r]
    found = {tuple(float(r[name]) for name in ("x", "y", "width", "height")) for r in drawn}
    rows = sample.record["ref_exps"]
    assert found == {
        tuple(float(f"{100 * share:.2f}") for share in (x1, y1, x2 - x1, y2 - y1)) for _, _, x1, y1, x2, y2, _ in rows
    }


def test_captions_stay_text_and_nothing_comes_from_outside(tmp_path, middle):
    table = sample_pairs.as_jsonl(sample_pairs.drawn(3), tmp_path / "in")
    lines = [json.loads(line) | {"caption": HOSTILE} for line in (tmp_path / "in/pairs.jsonl").read_text().splitlines()]
    (tmp_path / "in/pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    gritmill.run({**middle, "text": {"dialect": "loc1000"}}, inputs=table, output=tmp_path / "out")
    page = Page(tmp_path / "out/report.html")
    assert page.text.count(HOSTILE) == 3
    assert page.of("script") == []
    (policy,) = [meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    links = [v for _, attributes in page.tags for k, v in attributes.items() if k in ("src", "href") and v]
    assert not [link for link in links if not link.startswith("data:")]
    assert not re.search(r"url\(|@import", (tmp_path / "out/report.html").read_text())


def test_the_page_stays_as_it_is_while_the_run_does(tmp_path, middle):
    call = {"inputs": sample_pairs.as_jsonl(sample_pairs.drawn(6), tmp_path / "in"), "output": tmp_path / "out"}
    gritmill.run(middle, **call)
    page = tmp_path / "out/report.html"
    before = page.read_bytes()
    for image in (tmp_path / "in/images").iterdir():
        image.unlink()
    gritmill.pack(middle, output=call["output"])
    assert page.read_bytes() == before
    gritmill.pack({**middle, "selection": {"score": 0.85}}, output=call["output"], fresh=True)
    assert "no image (fetch: gone)" in page.read_text()


def test_pairs_that_just_missed(tmp_path, middle):
    table = sample_pairs.as_jsonl(sample_pairs.drawn(20), tmp_path / "in")
    gritmill.run({**middle, "selection": {"score": 1.0}}, inputs=table, output=tmp_path / "out")
    page = Page(tmp_path / "out/report.html")
    words = " ".join(page.text.split())
    assert "rejected no_box 20 100.0%" in words
    assert "Barely kept There are no such pairs. Barely missed The 12 pairs nearest to the threshold" in words
    assert len(page.of("img")) == 12
    assert [r for r in page.of("rect") if "stroke" in r]


def test_a_run_over_nothing_has_a_page(tmp_path, middle):
    (tmp_path / "pairs.csv").write_text("image,caption\n")
    gritmill.run(middle, inputs=tmp_path / "pairs.csv", output=tmp_path / "out")
    assert "0 pairs read, 0 written" in " ".join(Page(tmp_path / "out/report.html").text.split())
    assert "Nothing was measured." in (tmp_path / "out/report.html").read_text()


def test_a_report_that_was_cut_short_is_written_by_the_next_call(copied, middle, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    strict = {**middle, "selection": {"score": 0.85}}
    with monkeypatch.context() as patched:
        patched.setattr("gritmill.pages.report.write_page", killed)
        with pytest.raises(KeyboardInterrupt):
            gritmill.pack(strict, output=copied, fresh=True)
    assert not (copied / "report.html").exists()
    gritmill.pack(strict, output=copied)
    assert "Score threshold 0.85" in (copied / "report.html").read_text()


def test_another_dialect_is_another_page(copied, middle):
    manifest = gritmill.pack({**middle, "text": {"dialect": "kosmos2:training"}}, output=copied, fresh=True)
    assert manifest["fingerprints"]["pack"] in (copied / "report.html").read_text()
