import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.faults import SourceFault
from pipeline.sources import is_source, kind_of
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
        {"a.jpg": {"caption": "a dog"}, "b.jpg": {"caption": "a cat"}},  # no index
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


def test_the_statistics_of_img2dataset_are_no_source() -> None:
    assert not is_source("/data/00003_stats.json")
    assert is_source("/data/my_stats.json")
