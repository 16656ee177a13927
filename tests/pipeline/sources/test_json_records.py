import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.faults import SourceFault
from pipeline.sources import is_source, kind_of, open_source
from pipeline.sources.json_records import JsonSource
from tests.pipeline.builders import assert_reads_alike_from_anywhere, source_settings, stored
from transforms.records import Reason

ROWS = [{"image": "1.png", "caption": "a dog", "n": 1}, {"image": "2.png", "caption": ["a hat", "a cat"]}]
COCO = {"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}]}


def opened(path: Path, value: Any, **values: Any) -> JsonSource:
    return JsonSource(stored(path, value if isinstance(value, bytes) else json.dumps(value)), source_settings(**values))


@pytest.mark.parametrize("value", [ROWS, {"info": {}, "data": ROWS}, {"licenses": [], "names": ["a"], "rows": ROWS}])
def test_a_list_of_records_is_read_at_the_top_and_under_a_key(tmp_path: Path, value: Any) -> None:
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.json", value), 1)
    assert [(p.key, p.caption, p.image.uri) for p in pairs] == [
        ("0", "a dog", str(tmp_path / "1.png")),
        ("1-0", "a hat", str(tmp_path / "2.png")),
        ("1-1", "a cat", str(tmp_path / "2.png")),
    ]
    assert pairs[0].meta == '{"n":1}'


FRAMES = {
    "columns": {"image": {"0": "1.png", "7": "2.png"}, "caption": {"0": "a dog", "7": ["a hat", "a cat"]}},
    "split": {
        "columns": ["image", "caption"],
        "index": [0, 7],
        "data": [["1.png", "a dog"], ["2.png", ["a hat", "a cat"]]],
    },
}


@pytest.mark.parametrize("orient", FRAMES)
def test_a_data_frame_of_pandas_is_read_in_its_other_orientations(tmp_path: Path, orient: str) -> None:
    """`columns` is what `to_json` writes by default."""
    source = opened(tmp_path / "a.json", FRAMES[orient])
    assert kind_of(source.uri, source_settings()) == "json"
    pairs = assert_reads_alike_from_anywhere(source, 1)
    assert [(pair.caption, Path(pair.image.uri).name) for pair in pairs] == [
        ("a dog", "1.png"),
        ("a hat", "2.png"),
        ("a cat", "2.png"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"image": {"a": "1.png"}, "words": {"a": "a dog"}},  # no index
        {"image": {"0": "1.png"}, "caption": {"0": "a dog", "1": "a cat"}},  # another index
        {"image": {"0": "1.png"}, "version": 1},
        {"image": {}, "caption": {}},
        {"columns": ["image", "caption"], "index": [0], "data": [["1.png"]]},
    ],
)
def test_what_only_looks_like_a_data_frame_is_none(tmp_path: Path, value: Any) -> None:
    source = opened(tmp_path / "a.json", value)
    assert kind_of(source.uri, source_settings()) == "coco"
    with pytest.raises(SourceFault, match="not one list of records, but 0: none"):
        source.ranges(10)


def test_a_record_that_cannot_be_used_costs_itself(tmp_path: Path) -> None:
    pairs = assert_reads_alike_from_anywhere(
        opened(tmp_path / "a.json", [ROWS[0], 7, None, {"image": "3.png"}, ROWS[0]])
    )
    assert [p.error and (p.error.reason, p.error.detail) for p in pairs] == [
        None,
        (Reason.BROKEN_ROW, "row 2: not a JSON object"),
        (Reason.BROKEN_ROW, "row 3: not a JSON object"),
        None,
        None,
    ]


def test_conversations_of_llava_give_the_replies(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "a dog"}]
    more = [{"from": "human", "value": "And?"}, {"from": "gpt", "value": "a hat"}]
    rows = [
        {"id": "7", "image": "1.png", "conversations": turns},
        {"id": 8, "image": "2.png", "conversations": turns + more},
    ]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.json", rows))
    assert [(p.id, p.caption) for p in pairs] == [("7", "a dog"), ("8", "a dog"), ("8", "a hat")]


def test_splits_of_karpathy(tmp_path: Path) -> None:
    sentences = [{"raw": "A dog.", "tokens": ["a", "dog"], "sentid": 1}, {"raw": "A hat."}]
    image = {"filepath": "val2014", "filename": "1.png", "sentences": sentences, "split": "test", "cocoid": 3}
    pairs = assert_reads_alike_from_anywhere(
        opened(tmp_path / "dataset_coco.json", {"images": [image], "dataset": "coco"})
    )
    assert [(p.caption, p.image.uri) for p in pairs] == [
        (text, str(tmp_path / "val2014/1.png")) for text in ("A dog.", "A hat.")
    ]
    assert json.loads(pairs[0].meta)["split"] == "test"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.json", json.dumps(ROWS, indent=2), "json"),
        ("a.jsonl", json.dumps(ROWS, indent=2), "json"),
        ("a.json", "\ufeff \n[]", "json"),
        ("a.json", "".join(json.dumps(row) + "\n" for row in ROWS), "jsonl"),
        ("a.jsonl", json.dumps(ROWS[0]), "jsonl"),
        ("a.json", json.dumps({"images": [{"id": 1, "sentences": []}]}), "json"),
        ("a.json", json.dumps(COCO), "coco"),
        ("a.json", json.dumps({"1.png": "a dog", "2.png": "a hat", "note": "x"}), "json"),
        ("a.json", json.dumps({"1": {"caption": "a dog"}}), "json"),
        ("a.json", json.dumps({"image": "1.png", "caption": "a dog"}), "coco"),
        ("a.json", json.dumps({"jpg": "a dog"}), "coco"),
        ("a.json", json.dumps({"1": {"width": 7}}), "coco"),
        ("a.json", json.dumps({"1": "a dog"}), "coco"),
        ("a.json", "{}", "coco"),
        ("a.json", "", "coco"),
        ("a.json", "no", "coco"),
        ("a.jsonl", "", "jsonl"),
    ],
)
def test_the_content_tells_the_kind(tmp_path: Path, name: str, content: str, kind: str) -> None:
    assert kind_of(stored(tmp_path / name, content).uri, source_settings()) == kind


@pytest.mark.parametrize("value", [{"a": ROWS, "b": ROWS}, {"a": 1}, 7, b"[{", b"[" * 100_000])
def test_another_json_is_a_source_fault_of_one_line(tmp_path: Path, value: Any) -> None:
    with pytest.raises(SourceFault, match=r"^not (JSON|one list of records).+$"):
        opened(tmp_path / "a.json", value).ranges(10)


def read(path: Path, value: Any, **values: Any) -> list[tuple[str, str, str, str]]:
    pairs = assert_reads_alike_from_anywhere(opened(path, value, **values), 1)
    return [(p.key, p.caption, p.image.uri or (p.error.detail if p.error else ""), p.meta) for p in pairs]


def test_captions_by_image_file(tmp_path: Path) -> None:
    value = {"1.png": "a dog", "b/2.JPG": ["a hat", "a cat"], "3.png": None, "4.png": 7}
    assert read(tmp_path / "a.json", value) == [
        ("0", "a dog", f"{tmp_path}/1.png", "{}"),
        ("1-0", "a hat", f"{tmp_path}/b/2.JPG", "{}"),
        ("1-1", "a cat", f"{tmp_path}/b/2.JPG", "{}"),
        ("2", "", f"{tmp_path}/3.png", "{}"),
        ("3", "", f"{tmp_path}/4.png", "{}"),
    ]


def test_metadata_of_kohyas_trainers(tmp_path: Path) -> None:
    """Their names are those of the images without suffix, below the folder of the images."""
    for name in ("1.webp", "1.txt", "2.v1.png", "2.v1.npz", "10_cat/3.jpg"):
        stored(tmp_path / "train" / name, b"")
    value = {
        "1": {"caption": "a cat", "tags": "cat, sofa", "train_resolution": [512, 512]},
        "2.v1": {"caption": "a dog"},
        "10_cat/3.jpg": {"caption": "a hat"},
        "4": {"tags": "hat"},
    }
    assert read(tmp_path / "meta_lat.json", value, image_root=str(tmp_path / "train")) == [
        ("0", "a cat", f"{tmp_path}/train/1.webp", '{"tags":"cat, sofa","train_resolution":[512,512]}'),
        ("1", "a dog", f"{tmp_path}/train/2.v1.png", "{}"),
        ("2", "a hat", f"{tmp_path}/train/10_cat/3.jpg", "{}"),
        ("3", "", f"{tmp_path}/train/4", '{"tags":"hat"}'),
    ]


def test_records_by_name_keep_the_image_that_they_name(tmp_path: Path) -> None:
    value = {"x1": {"file_name": "1.png", "caption": "a dog"}, "x2": {"caption": "a hat"}}
    assert read(tmp_path / "a.json", value) == [
        ("x1", "a dog", f"{tmp_path}/1.png", '{"key":"x1"}'),
        ("x2", "a hat", f"{tmp_path}/x2", '{"key":"x2"}'),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16", "utf-32-be"])
def test_the_encoding_of_json_is_detected(tmp_path: Path, encoding: str) -> None:
    pairs = read(tmp_path / "a.json", json.dumps(ROWS).encode(encoding))
    assert [caption for _, caption, _, _ in pairs] == ["a dog", "a hat", "a cat"]


@pytest.mark.parametrize("value", [b'[{"image": "1.png", "caption": "caf\xe9"}]', b'{"images": ["\xe9"]}'])
def test_another_encoding_names_the_setting(tmp_path: Path, value: bytes) -> None:
    source = stored(tmp_path / "a.json", value)
    kind = kind_of(source.uri, source_settings())
    with pytest.raises(SourceFault, match=r"not JSON: 'utf-8' codec .*; set source\.encoding to its encoding, for exa"):
        open_source(kind, source, source_settings()).ranges(10)
    if kind == "json":
        assert read(tmp_path / "a.json", value, encoding="latin-1")[0][1] == "café"


def test_the_statistics_of_img2dataset_are_no_source() -> None:
    assert not is_source("/data/00003_stats.json")
    assert is_source("/data/my_stats.json")
