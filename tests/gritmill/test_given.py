"""Phrases and boxes that a source brings, in a run: the detector sees only the other pairs."""

import json
import shutil
from collections import Counter

import pyarrow.parquet as pq
import pytest

import gritmill
from gritmill.pages.viewer.page_data import run_json
from pipeline.faults import CallError, FolderMismatch
from pipeline.pack.given_boxes import GivenBoxes
from pipeline.pack.manifest import need_manifest
from pipeline.pack.report import read_report
from pipeline.pack.statistics import read_statistics
from pipeline.pack.summary import show
from tests import plugin_detectors, sample_pairs
from tests.unsealed import unsealed
from transforms.annotations.annotate import NO_LINKS

ROWS = [  # the pictures of `drawn` are 96 x 64, 64 x 64 and 64 x 96
    {"caption": "a dog and a cat", "objects": [{"bbox": [0, 0, 48, 32], "label": "dog"}]},
    {"caption": "a dog and a cat"},
    {"caption": "a dog and a cat", "objects": [{"bbox": [0, 0, 32, 48], "label": "zebra"}]},
    {"caption": "a dog and a cat", "objects": [{"bbox": [0, 0, 97, 640], "label": "dog"}]},
    {"caption": "a dog and a cat", "objects": " ", "phrases": ["a cat"]},
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return sample_pairs.write_rows(ROWS, tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def settings(parser):
    source = {
        "columns": {"boxes": "objects", "phrases": "phrases", "heads": "hedas"},
        "boxes": {"format": "xywh"},
    }
    return sample_pairs.settings(parser, "tests.plugin_detectors:counting", source=source)


@pytest.fixture(scope="module")
def run(tmp_path_factory, settings, inputs):
    """A finished run, and the number of captions that the detector was asked about."""
    plugin_detectors.Counting.asked = 0
    output = tmp_path_factory.mktemp("run") / "out"
    gritmill.run(settings, inputs=[inputs], output=output)
    return output, plugin_detectors.Counting.asked


def test_the_detector_sees_only_pairs_without_boxes(run, inputs):
    output, asked = run
    assert asked == 2
    records = [sample.record for sample in gritmill.read(output)]
    assert records[0]["noun_chunks"] == [[0, 5, 0, 0, 0.5, 0.5, 1]]
    assert [[record["caption"][row[0] : row[1]] for row in record["noun_chunks"]] for record in records] == [
        ["a dog"],
        ["a dog", "a cat"],
        ["a cat"],
    ]


def test_what_is_left_out_is_counted_and_what_does_not_fit_fails(run, inputs):
    report = read_report(str(run[0]))
    assert report.ledger.rejected == {"no_box": 1}
    assert report.ledger.failed == {"read": {"broken_row": 1}}
    assert report.failed_examples["read: broken_row"].endswith("check source.boxes.format and source.boxes.unit")
    assert report.left_out == {"boxes without a phrase or an area": 1}
    assert report.left_out_examples == {"boxes without a phrase or an area": f"2 of {inputs}"}
    assert report.unknown_columns == {"hedas": f"no pair of {inputs} has this column"}
    line = "Left out: boxes without a phrase or an area: 1, for example of 2 of"
    assert line in (run[0] / "report.html").read_text()


def test_look_counts_them_and_shows_what_does_not_fit(settings, inputs):
    [source] = gritmill.look([inputs], config=settings)["sources"]
    assert source["given"] == {"boxes": 3, "phrases": 1}
    assert source["problems"] == {"read: broken_row": 1}
    assert [line.partition(";")[0] for line in source["notices"]] == [
        "source.columns.heads: the first pairs have no column hedas"
    ]
    [unset] = gritmill.look([inputs])["sources"]
    assert [line.partition(",")[0] for line in unset["notices"]] == ["the column objects seems to have boxes"]


def test_shards_are_a_source_with_phrases_and_boxes(run, settings, tmp_path):
    columns = {"boxes": "noun_chunks", "expressions": "ref_exps", "heads": "heads"}
    again = {**settings, "source": {"columns": columns, "boxes": {"format": "grit"}}}
    plugin_detectors.Counting.asked = 0
    gritmill.run(again, inputs=[run[0] / "shards"], output=tmp_path / "again")
    assert plugin_detectors.Counting.asked == 0
    names = ["caption", "noun_chunks", "ref_exps", "heads", "width", "height"]
    [before], [after] = ((folder / "shards").glob("*.parquet") for folder in (run[0], tmp_path / "again"))
    assert pq.read_table(after, columns=names).equals(pq.read_table(before, columns=names))


def test_boxes_without_a_format_are_refused(inputs, tmp_path):
    told = "columns.boxes is set, so boxes.format must be, too; use one of grit, xyxy, xywh, cxcywh"
    with pytest.raises(CallError, match=told):
        gritmill.run({"source": {"columns": {"boxes": "objects"}}}, inputs=[inputs], output=tmp_path / "out")


def test_what_is_written_is_sound(run):
    assert not any(finding.text for finding in gritmill.validate(run[0]))


def texts(output, folder):
    """The card of an export, and the page of the report."""
    gritmill.export(output, "odvg", folder)
    return (folder / "README.md").read_text(), (output / "report.html").read_text()


def test_a_run_with_boxes_of_both_kinds_says_which_are_of_the_source(run, settings, tmp_path):
    manifest = need_manifest(run[0])
    assert manifest.given_boxes == GivenBoxes(1, 1)
    assert (manifest.are_all_given, manifest.boxes_by) == (False, "tests.plugin_detectors:counting and the source")
    line = "1 of 4 boxes come from the source, in 1 of 3 pairs: of these, no detector was asked, so what has no box may"
    card, page = texts(run[0], tmp_path / "odvg")
    assert line in card
    assert line in page
    assert (
        "The boxes come from a detector, except where the source has some; those of the detector were not reviewed"
        in card
    )
    assert "- detector: `tests.plugin_detectors:counting`" in card
    assert "The detector was busy" in page


def test_a_run_with_boxes_of_the_source_alone_speaks_of_no_detector(run, settings, tmp_path, capsys):
    columns = {"boxes": "noun_chunks", "expressions": "ref_exps", "heads": "heads"}
    alone = {**settings, "source": {"columns": columns, "boxes": {"format": "grit"}}}
    alone |= {"detector": {"model": "scene-grounder"}, "selection": {}}
    with pytest.warns(UserWarning, match="It is asked only about pairs that come without boxes"):
        gritmill.run(alone, inputs=[run[0] / "shards"], output=tmp_path / "out")
    manifest = need_manifest(tmp_path / "out")
    assert (manifest.given_boxes, manifest.are_all_given, manifest.boxes_by) == (GivenBoxes(3, 4), True, "the source")
    assert manifest.warnings == ()
    assert not manifest.threshold.measured
    assert manifest.threshold.origin == "the detector's default, not measured on boxes of the source"
    show(read_report(str(tmp_path / "out")), str(tmp_path / "out"))
    screen = capsys.readouterr().out
    assert "all boxes come from the source; no detector was asked" in screen
    assert "busy" not in screen
    card, page = texts(tmp_path / "out", tmp_path / "odvg")
    assert "The boxes come from the source, and from no detector." in card
    assert "- boxes: of the source, `noun_chunks`" in card
    assert "scene-grounder" not in card
    for name in ("Warning", "busy"):
        assert name not in page
    shown = run_json(manifest, read_statistics(str(tmp_path / "out")).histograms, "out")
    assert (shown["boxes_by"], shown["floor"], shown["warnings"]) == ("the source", None, ())


def test_another_number_of_boxes_of_the_source_is_found(run, tmp_path):
    output = shutil.copytree(run[0], tmp_path / "out")
    for name in ("manifest.json", "shards/00000_stats.json"):
        changed = unsealed(output / name)
        changed["given_boxes"]["boxes"] += 1
        (output / name).write_text(json.dumps(changed))
    found = [finding.text for finding in gritmill.validate(output) if finding.text]
    assert found == ["given_boxes: 2 boxes of 1 pairs, but 1 boxes of 1 pairs were counted"]


def test_a_pack_by_earlier_rules_stays_readable_and_is_not_checked_by_those_of_now(
    run, settings, tmp_path, monkeypatch
):
    """Version 2 contradicted "a cat" without a box, as if the detector had looked for it."""
    output = tmp_path / "out"
    with monkeypatch.context() as before:
        before.setattr("pipeline.configuration.rules_version", lambda given_boxes: 2)
        before.setattr("pipeline.pack.select_rows.given_links", lambda pair, given: NO_LINKS)
        gritmill.pack(settings, detections=run[0], output=output)
    verdicts = {
        folder: [claim["verdict"] for claim in next(gritmill.read(folder)).record["claims"]]
        for folder in (output, run[0])
    }
    assert verdicts == {output: ["supported", "contradicted"], run[0]: ["supported", "undecided"]}
    assert [need_manifest(folder).settings.claim_rules for folder in (output, run[0])] == [3, 3]
    assert [need_manifest(folder).claim_rules for folder in (output, run[0])] == [2, 3]
    assert not any(finding.text for finding in gritmill.validate(output))
    with pytest.raises(FolderMismatch, match=r"\(the rules that check claims changed\)"):
        gritmill.pack(settings, detections=run[0], output=output)
    gritmill.pack(settings, detections=run[0], output=output, fresh=True)
    shards = [(folder / "shards/00000.tar").read_bytes() for folder in (output, run[0])]
    assert shards[0] == shards[1]


def test_an_audit_of_the_shards_has_the_verdicts_of_the_records(tmp_path):
    """Also on crowds, on labels of phrases with attributes, and on one box of several things."""
    left, middle, right = [2, 20, 10, 20], [20, 20, 10, 20], [40, 20, 10, 20]
    drawn = [  # each picture has a label for the first noun and one for the second
        ("two dogs to the left of a cat", "dog", [right], "cat", [middle], {}),
        ("two dogs to the left of a cat", "dog", [left], "cat", [middle], {}),
        ("a dog to the left of a cat", "dog", [right], "cat", [middle], {}),
        ("a dog to the left of a cat", "dog", [right], "cat", [middle], {"iscrowd": 1}),
        ("a cat on a couch with no dog", "dog", [right], "cat", [middle], {}),
        ("two brown dogs near a cat", "dog", [left, middle, right], "cat", [], {}),
        ("two dogs near a cat", "dog", [left, middle, right], "cat", [], {}),
        ("two dogs near a cat", "dog", [left, right], "cat", [], {"iscrowd": 1}),
        ("two dogs near a cat", "dog", [left, right], "cat", [], {"iscrowd": 0}),
    ]
    rows = [
        {
            "caption": caption,
            "objects": [
                *({"bbox": box, "label": noun, **marks} for box in boxes),
                *({"bbox": box, "label": other, **marks} for box in others),
            ],
        }
        for caption, noun, boxes, other, others, marks in drawn
    ]
    source = {"columns": {"boxes": "objects"}, "boxes": {"format": "xywh"}}
    settings = sample_pairs.settings("caption-parser", "tests.plugin_detectors:counting", source=source)
    gritmill.run(settings, inputs=[sample_pairs.write_rows(rows, tmp_path / "in")], output=tmp_path / "out")
    claims = [claim for sample in gritmill.read(tmp_path / "out") for claim in sample.record["claims"]]
    found = Counter((claim["predicate"], claim["verdict"]) for claim in claims)
    assert {key: number for key, number in found.items() if key[0] in ("exactly", "left_of")} == {
        ("exactly", "undecided"): 4,
        ("exactly", "contradicted"): 1,
        ("exactly", "supported"): 1,
        ("left_of", "undecided"): 2,
        ("left_of", "supported"): 1,
        ("left_of", "contradicted"): 1,
    }
    result = gritmill.audit(tmp_path / "out")
    audited = result["claims"]
    assert result["runs"] == []  # the run knows no more: no detector was asked
    assert found == {
        (predicate, verdict): number
        for kind in ("count", "relation", "rank")
        for predicate, verdicts in audited[kind]["predicates"].items()
        for verdict, number in verdicts.items()
    }
    shutil.rmtree(tmp_path / "out/detections")
    assert not any(finding.text for finding in gritmill.validate(tmp_path / "out"))
