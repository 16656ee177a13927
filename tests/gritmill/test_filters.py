"""Filters in a run: what they reject reaches no model, and the ledger names every reason."""

import json

import pyarrow.parquet as pq
import pytest

import gritmill
from pipeline.faults import FolderMismatch
from pipeline.pack.report import read_report
from tests import plugin_detectors, sample_pairs

ROWS = [  # the pictures of `drawn` are 96 x 64, 64 x 64 and 64 x 96
    {"caption": "a dog and a cat", "punsafe": 0.1},
    {"caption": "a dog and a cat", "punsafe": 0.9, "image": "none.jpg"},
    {"caption": "a dog", "punsafe": 0.1, "image": "none.jpg"},
    {"caption": "a dog and a cat", "punsafe": 0.2},
    {"caption": "a dog and a cat", "punsafe": 0.3},
    {"caption": "a dog and a cat"},
    {"caption": " ", "punsafe": 0.9},
    {"caption": "a dog and a cat", "punsafe": "0.4"},
]


@pytest.fixture(scope="module")
def settings(parser):
    filters = {"min_words": 3, "where": ["punsafe < 0.5", "PUNSAFE == null"], "max_aspect": 1.4}
    return sample_pairs.settings(parser, "tests.plugin_detectors:counting", filters=filters)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    pictures = sample_pairs.drawn(len(ROWS))
    sample_pairs.write_images(pictures, folder)
    rows = [{"image": picture.name, **row} for picture, row in zip(pictures, ROWS, strict=True)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / "pairs.jsonl")


@pytest.fixture(scope="module")
def run(tmp_path_factory, settings, inputs):
    """A finished run, and the number of captions that the detector was asked about."""
    plugin_detectors.Counting.asked = 0
    output = tmp_path_factory.mktemp("run") / "out"
    gritmill.run(settings, inputs=[inputs], output=output)
    return output, plugin_detectors.Counting.asked


def test_rejected_pairs_reach_no_model_and_are_counted_with_an_example(run, inputs):
    output, asked = run
    report = read_report(str(output))
    assert report.ledger.rejected == {
        "max_aspect": 2,
        "min_words": 1,
        "missing_value: punsafe": 1,
        "no_caption": 1,
        "where: punsafe < 0.5": 1,
    }
    assert (report.ledger.read, report.ledger.written, report.ledger.failed_pairs) == (8, 2, 0)
    assert asked == 2
    assert report.rejected_examples["max_aspect"] == f"0 of {inputs}: 96 x 64 pixels"
    assert report.rejected_examples["where: punsafe < 0.5"] == f"1 of {inputs}: 'a dog and a cat'"
    assert report.rejected_examples["missing_value: punsafe"].endswith("its other fields: none")


def test_a_column_that_no_pair_of_a_source_has_is_told(run, inputs):
    report = read_report(str(run[0]))
    assert report.unknown_columns == {"PUNSAFE": f"no pair of {inputs} has this column"}
    assert f"filters.where: PUNSAFE: no pair of {inputs} has this column" in (run[0] / "report.html").read_text()


def test_the_rows_say_what_was_filtered(run):
    [path] = run[0].glob("detections/0*/*.parquet")
    rows = pq.ParquetFile(path).read().to_pylist()
    assert [row["filtered"] for row in rows] == [
        "max_aspect",
        "where: punsafe < 0.5",
        "min_words",
        "max_aspect",
        "",
        "missing_value: punsafe",
        "max_aspect",  # and it has no caption, which the ledger says
        "",
    ]
    assert [row["width"] for row in rows] == [96, 0, 0, 96, 64, 0, 96, 64]
    assert not any(row["phrases"] or row["error"] for row in rows if row["filtered"])


def test_the_start_names_the_column_that_may_have_been_meant(tmp_path, settings, inputs, capsys):
    gritmill.ground(settings, inputs=[inputs], output=tmp_path / "out", limit=1, quiet=False)
    assert "have no column PUNSAFE; did you mean punsafe?" in capsys.readouterr().err


def test_other_filters_are_another_run(run, settings, inputs):
    other = settings | {"filters": settings["filters"] | {"max_aspect": 2}}
    with pytest.raises(FolderMismatch, match=r"another fingerprint \(filters.max_aspect changed\)"):
        gritmill.ground(other, inputs=[inputs], output=run[0])
