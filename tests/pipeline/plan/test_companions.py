"""Files beside data that have no pairs."""

import json
import random
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
        f"left out: 3 files without pairs beside data, first {shards}/00000_stats.json; to read one, give it alone",
        f"left out: 3 files without images beside a tar or folder of the same name, first {shards}/00000.parquet; "
        "if they name images, set source.columns.image",
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
        f"{tmp_path}/annotations/instances_val2017.json; source.kind=coco reads them, too"
    )
    assert names(tmp_path / "annotations" / "instances_val2017.json")[0] == ["instances_val2017.json"]


RECORDS = [{"image": "0.jpg", "caption": "a dog"}]
CAPTIONED = {"images": [{"id": 1, "file_name": "0.jpg"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}]}
OF_DATASETS = {
    "state.json": {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "0", "_split": "train"},
    "dataset_dict.json": {"splits": ["train"]},
    "dataset_info.json": {"features": {"caption": {"dtype": "string"}, "image": {"_type": "Image"}}, "splits": {}},
    "dataset_infos.json": {"default": {"features": {"text": {"dtype": "string"}}, "description": "captions"}},
}


@pytest.mark.parametrize("name", ["state.json", "dataset_info.json", "00007_stats.json"])
@pytest.mark.parametrize(
    "content",
    [
        json.dumps(RECORDS),
        json.dumps({"data": RECORDS}),
        json.dumps(CAPTIONED),
        json.dumps({"0.jpg": "a dog"}),
        "".join(f"{json.dumps(row)}\n" for row in RECORDS * 2),
    ],
    ids=["list", "under a key", "coco", "by image file", "lines"],
)
def test_what_has_pairs_is_a_source_under_any_name(tmp_path: Path, name: str, content: str) -> None:
    stored(tmp_path / name, content)
    stored(tmp_path / "other.jsonl", json.dumps(RECORDS[0]))
    assert names(tmp_path / name, tmp_path / "other.jsonl") == (sorted([name, "other.jsonl"]), [])
    assert names(tmp_path) == (sorted([name, "other.jsonl"]), [])


def test_what_datasets_writes_has_no_pairs(tmp_path: Path) -> None:
    for name, content in OF_DATASETS.items():
        stored(tmp_path / name, json.dumps(content))
    stored(tmp_path / "other.jsonl", json.dumps(RECORDS[0]))
    assert names(tmp_path) == (["other.jsonl"], [])
    line = (
        f"left out: 4 files without pairs beside data, first {tmp_path}/dataset_dict.json; to read one, give it alone"
    )
    assert names(tmp_path / "*") == (["other.jsonl"], [line])


def test_annotations_of_coco_with_captions_are_a_source(tmp_path: Path) -> None:
    stored(tmp_path / "captions_train2017.json", json.dumps(CAPTIONED))
    stored(tmp_path / "instances_train_with_captions.json", json.dumps(CAPTIONED))
    images = [{"id": n, "file_name": f"{n}.jpg", "x": "x" * 100} for n in range(20_000)]
    stored(tmp_path / "instances_val2017.json", json.dumps({"images": images, **CAPTIONED}))  # the last key wins
    stored(tmp_path / "stuff_val2017.json", json.dumps({"annotations": CAPTIONED["annotations"], "images": images}))
    stored(tmp_path / "image_info_test2017.json", json.dumps({"images": images, "categories": [{"name": "caption"}]}))
    found, [line] = names(tmp_path / "*.json")
    assert len(found) == 4
    assert f"1 file of COCO without captions beside one with captions, first {tmp_path}/image_info_test2017" in line


def test_of_a_glob_of_shards_one_table_is_opened(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(4, 12):
        stored(shards / f"{n:05}.tar", tar([("0.jpg", image(1)), ("0.txt", b"a dog")]))
        stored(shards / f"{n:05}.parquet", (shards / "00000.parquet").read_bytes())
    table = pq.read_table(shards / "00003.parquet")
    wide = table.append_column("more", [[random.Random(0).randbytes(100_000)]])
    pq.write_table(wide, shards / "00011.parquet")  # is larger, and has images
    stored(shards / "a.tar", tar([]))
    pq.write_table(table, shards / "a.parquet")
    opened = []
    open_read = files.open_read
    monkeypatch.setattr(files, "open_read", lambda uri: opened.append(files.name(uri)) or open_read(uri))
    found, _ = names(*shards.glob("*.parquet"), *shards.glob("*.tar"))
    assert [name for name in found if name.endswith(".parquet")] == [
        "00002.parquet",
        "00003.parquet",
        "00011.parquet",
        "a.parquet",
    ]
    assert opened == ["00000.parquet", "00011.parquet", "a.parquet"]
    opened.clear()
    assert names(*shards.glob("*.parquet"))[0] == [f"{n:05}.parquet" for n in range(12)] + ["a.parquet"]
    assert opened == []


def test_a_planned_source_stays_one(shards: Path) -> None:
    planned = {f"{shards}/00000.parquet", f"{shards}/00001_stats.json", f"{shards}/gone.csv"}
    expected = ["00000.parquet", "00000.tar", "00001.tar", "00001_stats.json", "00002", "00003.parquet"]
    told: list[str] = []
    for inputs in (list(map(str, shards.iterdir())), [str(shards)]):
        found = find_sources(inputs, tell=told.append, planned=planned)
        assert [files.name(info.uri.rstrip("/")) for info in found if info.uri != f"{shards}/00002/"] == [
            name for name in expected if name != "00002"
        ]
