"""The shards as other libraries read them: webdataset, datasets, pyarrow, pandas."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
import webdataset as wds
from datasets import load_dataset

import gritmill
from tests import sample_pairs

NO_DECOYS = {"absent": []}
"""A field that the files of this run do not have: gritmill adds its default."""


@pytest.fixture(scope="module")
def out(tmp_path_factory, parser):
    folder = tmp_path_factory.mktemp("readers")
    config = sample_pairs.settings(
        parser, "tests.plugin_detectors:factory", shards={"pairs": 8}, text={"dialect": ["kosmos2", "kosmos2:training"]}
    )
    gritmill.run(
        config, inputs=[sample_pairs.as_tars(sample_pairs.drawn(20), folder / "in")], output=str(folder / "out")
    )
    return folder / "out"


def test_webdataset_reads_every_sample(out):
    tars = sorted(map(str, (out / "shards").glob("*.tar")))
    samples = list(wds.WebDataset(tars, shardshuffle=False).decode("pil"))
    assert len(samples) == 20
    for sample, ours in zip(samples, gritmill.read(str(out)), strict=True):
        assert sample["__key__"] == ours.key
        assert sample["json"] | NO_DECOYS == ours.record
        assert sample["txt"] == ours.caption
        assert sample["grounded.txt"] == ours.grounded
        assert sample["kosmos2-training.txt"] == ours.texts["kosmos2-training"]
        assert sample["jpg"].size == (ours.record["width"], ours.record["height"])


def test_datasets_reads_every_sample(out, tmp_path):
    tars = sorted(map(str, (out / "shards").glob("*.tar")))
    data = load_dataset("webdataset", data_files=tars, split="train", cache_dir=str(tmp_path))
    assert len(data) == 20
    ours = next(gritmill.read(str(out)))
    assert data[0]["__key__"] == ours.key
    assert data[0]["grounded.txt"] == ours.grounded
    assert data[0]["json"]["noun_chunks"] == ours.record["noun_chunks"]
    assert data[0]["jpg"].size == (ours.record["width"], ours.record["height"])


def test_the_index_agrees_with_the_records(out):
    records = [sample.record for sample in gritmill.read(str(out))]
    rows = [row for path in sorted((out / "shards").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert [row | NO_DECOYS for row in rows] == records  # 0.0 == 0: some doubles are integers in JSON


def test_pandas_reads_the_index(out):
    frame = pd.read_parquet(out / "shards" / "00000.parquet")
    assert list(frame["key"]) == [f"00000{number:04}" for number in range(len(frame))]
    start, end = map(int, frame["ref_exps"][0][0][:2])
    assert frame["caption"][0][start:end]


def test_offsets_in_json_are_integers(out):
    for sample in gritmill.read(str(out)):
        for row in (*sample.record["noun_chunks"], *sample.record["ref_exps"]):
            assert len(row) == 7
            assert [type(value) for value in row] == [int, int, float, float, float, float, float]


def test_every_record_has_the_same_typed_fields(out):
    shapes = {tuple((k, type(v)) for k, v in sample.record.items()) for sample in gritmill.read(str(out))}
    assert len(shapes) == 1
    assert json.loads((out / "shards" / "00000_stats.json").read_text())["successes"] == 6
