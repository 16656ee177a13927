"""Phrases and boxes that a source brings, in a run: the detector sees only the other pairs."""

import pyarrow.parquet as pq
import pytest

import gritmill
from pipeline.faults import CallError
from pipeline.pack.report import read_report
from tests import plugin_detectors, sample_pairs

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
        "source.columns: the first pairs have no column hedas"
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
