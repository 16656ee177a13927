"""Files beside data that have no pairs."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import files
from pipeline.plan.find_sources import find_sources
from tests import fake_object_store
from tests.pipeline.builders import image, stored, tar

COCO = {"images": [], "annotations": []}


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two shards of img2dataset, a third one as a folder of pictures, and a table with images."""
    for n in range(2):
        stored(tmp_path / f"0000{n}.tar", tar([("0.jpg", image(1)), ("0.txt", b"a dog")]))
    stored(tmp_path / "00002" / "0.jpg", image(1))
    stored(tmp_path / "00002" / "0.txt", b"a dog")
    table = pa.table({"url": ["http://x/1"], "caption": ["a dog"], "key": ["0"], "status": ["success"]})
    for n in range(3):
        pq.write_table(table, tmp_path / f"0000{n}.parquet")
        stored(tmp_path / f"0000{n}_stats.json", json.dumps({"count": 1}))
    pq.write_table(table.append_column("jpg", [[image(1)]]), tmp_path / "00003.parquet")
    return tmp_path


def names(*inputs: Path | str, **settings: str) -> tuple[list[str], list[str]]:
    """The names of the sources, and the lines about others."""
    told: list[str] = []
    found = find_sources([str(given) for given in inputs], tell=told.append, **settings)  # type: ignore[arg-type]
    return [files.name(info.uri.rstrip("/")) for info in found], told


def test_what_img2dataset_writes_beside_its_shards_is_left_out(shards: Path) -> None:
    expected = ["00000.tar", "00001.tar", "00002", "00003.parquet"]
    lines = [
        f"left out: 3 files without pairs beside data, first {shards}/00000_stats.json",
        f"left out: 3 files without images beside a tar or folder of the same name, first {shards}/00000.parquet",
    ]
    assert names(*shards.iterdir()) == (expected, lines)
    found, told = names(shards / "0000[013]*")
    assert (found, len(told)) == (["00000.tar", "00001.tar", "00003.parquet"], 2)


def test_what_is_alone_is_a_source(shards: Path) -> None:
    assert names(shards / "00000_stats.json") == (["00000_stats.json"], [])
    assert names(shards / "00000.parquet", shards / "00001.tar") == (["00000.parquet", "00001.tar"], [])
    assert len(names(shards / "0000[01]*", kind="webdataset")[0]) == 6


def test_on_an_object_store(shards: Path, tmp_path: Path) -> None:
    fake_object_store.use(tmp_path / "shelf")
    for name in ("00000.tar", "00000.parquet", "00000_stats.json"):
        fake_object_store.put(f"shelf://data/{name}", (shards / name).read_bytes())
    assert names("shelf://data/*")[0] == ["00000.tar"]


@pytest.mark.parametrize("pattern", ["annotations", "annotations/*.json", "."])
def test_annotations_of_coco_beside_captions_are_left_out(tmp_path: Path, pattern: str) -> None:
    for name in ("captions_train2017", "captions_val2017", "instances_val2017", "person_keypoints_train2017", "mine"):
        stored(tmp_path / "annotations" / f"{name}.json", json.dumps(COCO))
    found, [line] = names(tmp_path / pattern)
    assert found == ["captions_train2017.json", "captions_val2017.json", "mine.json"]
    assert line == (
        "left out: 2 files of COCO without captions beside one with captions, first "
        f"{tmp_path}/annotations/instances_val2017.json"
    )
    assert names(tmp_path / "annotations" / "instances_val2017.json")[0] == ["instances_val2017.json"]
