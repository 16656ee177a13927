"""A field that is added to the table of record fields, here a list of structs, appears in all outputs."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gritmill
from gritmill.exports.export import export
from tests import sample_pairs
from tests.gritmill.validation.test_validate import changed_record, faults, reindexed, rewrite
from transforms import grit_record

NOVELTY = pa.struct(
    [("words", pa.list_(pa.int32(), 2)), ("kind", pa.string()), ("share", pa.float32()), ("of", pa.list_(pa.int8()))]
)


def novelty(kept):
    return [{"words": row, "kind": "count", "share": 0.1, "of": None if row[0] else [1, None]} for row in spans(kept)]


def spans(kept):
    return [[grounding.phrase.start, grounding.phrase.end] for grounding in kept.groundings]


@pytest.fixture(scope="module")
def old(tmp_path_factory, parser):
    """A run that was packed before the column existed."""
    folder = tmp_path_factory.mktemp("columns")
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory")
    pattern = sample_pairs.as_tars(sample_pairs.drawn(2), folder / "in", tars=1)
    gritmill.run(config, inputs=pattern, output=folder / "old")
    return folder / "old"


@pytest.fixture(scope="module", autouse=True)
def added(old):
    column = grit_record.Column("novelty", pa.list_(NOVELTY), "phrases", "what is new", novelty, list)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grit_record, "COLUMNS", (*grit_record.COLUMNS, column))
        grit_record._columns.cache_clear()
        yield
    grit_record._columns.cache_clear()


@pytest.fixture(scope="module")
def new(old, added):
    gritmill.pack({"selection": {"score": 0.0}}, output=old.parent / "new", detections=old)
    return old.parent / "new"


@pytest.fixture
def copy(new, tmp_path):
    return shutil.copytree(new, tmp_path / "copy")


def exported(run, folder):
    export(run, "hf", folder)
    return pq.read_table(folder / "data")


def test_it_is_in_record_index_and_hf_export(new, tmp_path):
    records = [sample.record for sample in gritmill.read(new)]
    assert [one["words"] for one in records[0]["novelty"]] == [row[:2] for row in records[0]["noun_chunks"]]
    assert faults(new) == []
    index = pq.read_table(new / "shards" / "00000.parquet")["novelty"]
    table = exported(new, tmp_path / "hf")
    assert index.type == table["novelty"].type == pa.list_(NOVELTY)
    assert index.to_pylist() == table["novelty"].to_pylist()
    assert [[one["of"] for one in row] for row in index.to_pylist()] == [
        [one["of"] for one in record["novelty"]] for record in records
    ]
    feature = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["novelty"]["feature"]
    number = {"dtype": "int32", "_type": "Value"}
    assert feature["words"] == {"feature": number, "length": 2, "_type": "List"}
    assert list(feature) == ["words", "kind", "share", "of"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"kind": 7}, "json: novelty.0.kind: Input should be a valid string"),
        ({"of": [1, 128]}, "json: novelty.0.of.1: Input should be less than 128"),
        ({"more": 1}, "json: novelty.0.more: Extra inputs are not permitted"),
        ({"words": [1, 2, 3]}, "the row of the index differs from the record"),
        ({"share": 0.2}, "the row of the index differs from the record"),
    ],
)
def test_validate_names_what_is_wrong_with_it(copy, change, text):
    rewrite(copy, changed_record(novelty=lambda rows: [rows[0] | change, *rows[1:]]))
    assert any(line.startswith(text) for _, line in faults(copy)), faults(copy)


def test_validate_names_an_index_of_another_type(copy):
    reindexed(
        copy, lambda table: table.set_column(table.column_names.index("novelty"), "novelty", pa.array(["new"] * 2))
    )
    assert any(line.startswith("column novelty: string, expected list<") for _, line in faults(copy))


def test_a_run_without_it_is_read_valid_and_exported_as_if_it_were_empty(old, tmp_path):
    assert [sample.record["novelty"] for sample in gritmill.read(old)] == [[], []]
    assert faults(old) == []
    assert exported(old, tmp_path / "hf")["novelty"].to_pylist() == [[], []]
    shutil.copytree(old, tmp_path / "with-it")
    rewrite(tmp_path / "with-it", lambda name, data: data.replace(b'"meta"', b'"novelty":[{}],"meta"'))
    assert any(line.startswith("json: novelty.0.words: Field required") for _, line in faults(tmp_path / "with-it"))
