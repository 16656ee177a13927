import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.faults import CallError, SourceFault
from pipeline.sources.coco import CocoSource
from tests.pipeline.builders import assert_reads_alike_from_anywhere, pairs_of, source_settings, stored
from transforms.records import Reason

IMAGES = [
    {"id": 9, "file_name": "9.jpg", "width": 640, "coco_url": "http://x/9"},
    {"id": 10, "file_name": "10.jpg", "flickr_url": "http://f/10", "license": 3},
]
ANNOTATIONS = [
    {"id": 3, "image_id": 10, "caption": "a cat"},
    {"id": 12, "image_id": 9, "caption": "a dog"},
    {"id": 2, "image_id": 9, "caption": "a hat"},
]


def opened(path: Path, value: Any, **values: Any) -> CocoSource:
    return CocoSource(stored(path, value if isinstance(value, bytes) else json.dumps(value)), source_settings(**values))


def test_pairs_come_by_image_then_annotation_as_numbers(tmp_path: Path) -> None:
    value = {"info": {}, "images": IMAGES, "annotations": ANNOTATIONS}
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "captions.json", value), 1)
    assert [(p.key, p.caption, p.image.uri, p.url, p.id) for p in pairs] == [
        ("9-2", "a hat", str(tmp_path / "9.jpg"), "http://x/9", "9"),
        ("9-12", "a dog", str(tmp_path / "9.jpg"), "http://x/9", "9"),
        ("10-3", "a cat", str(tmp_path / "10.jpg"), "http://f/10", "10"),
    ]
    assert json.loads(pairs[0].meta)["width"] == 640
    assert json.loads(pairs[2].meta)["license"] == 3
    assert json.loads(pairs[2].meta)["annotation_id"] == 3


def test_image_root(tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    value = {"images": IMAGES, "annotations": ANNOTATIONS}
    pairs = pairs_of(opened(tmp_path / "annotations/c.json", value, image_root=str(tmp_path / "val2017")))
    assert pairs[0].image.uri == str(tmp_path / "val2017/9.jpg")


def test_ranges_never_part_the_captions_of_an_image(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in range(8)]
    annotations = [{"id": i, "image_id": i // 5, "caption": f"c{i}"} for i in range(40)]
    source = opened(tmp_path / "c.json", {"images": images, "annotations": annotations})
    assert [spec.pairs for spec in source.ranges(8)] == [10, 10, 10, 10]
    assert_reads_alike_from_anywhere(source, 8)


def test_what_is_missing_is_a_failed_or_captionless_pair(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "1.jpg"}, {"id": 2}, {"id": 4, "file_name": "../4.jpg"}]
    annotations = [{"id": i, "image_id": i, "caption": "a dog"} for i in (2, 3, 4)]
    value = {"images": images, "annotations": [*annotations, {"id": 1, "image_id": 1}]}
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "c.json", value))
    assert [(p.caption, p.error.reason if p.error else None) for p in pairs] == [
        ("", None),
        ("a dog", Reason.NO_IMAGE),
        ("a dog", Reason.NO_IMAGE),
        ("a dog", Reason.OUTSIDE_ROOT),
    ]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        [],
        {},
        {"images": []},
        {"images": [], "annotations": 3},
        {"images": {}, "annotations": []},
        {"annotations": ANNOTATIONS},
    ],
)
def test_another_json_is_a_source_fault_of_one_line(tmp_path: Path, value: Any) -> None:
    with pytest.raises(SourceFault, match=r"^not (a COCO captions file|utf-16 from line 1 on): .+$") as fault:
        opened(tmp_path / "c.json", value).ranges(10)
    assert "\n" not in str(fault.value)


def test_what_cannot_be_used_costs_itself_alone(tmp_path: Path) -> None:
    broken = [
        {"id": None, "image_id": 9, "caption": "no id"},
        "a",
        {"id": 4, "caption": "no image"},
        {"id": [], "image_id": 9},
        {"id": 8, "image_id": 9, "caption": ["two", "captions"]},
    ]
    others = [{"id": "x", "image_id": 9.0, "caption": "a text as id"}]
    value = {"images": [None, {}, *IMAGES], "annotations": [*broken, *ANNOTATIONS, *others]}
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "c.json", value), 1)
    assert [pair.key for pair in pairs if not pair.error] == ["9-2", "9-12", "9.0-x", "10-3"]
    assert [(pair.error.reason, pair.error.detail) for pair in pairs if pair.error] == [
        (Reason.BROKEN_ROW, f"annotation {told}")
        for told in (
            "1: its id is not a number or a text",
            "2: not a JSON object",
            "3: its image_id is not a number or a text",
            "4: its id is not a number or a text",
            "5: its caption is not a text",
        )
    ]
    assert len({pair.key for pair in pairs}) == 9


def test_an_id_of_two_files_costs_its_captions(tmp_path: Path) -> None:
    """As in two data sets that were joined without new ids."""
    images = [{"id": i % 3, "file_name": f"{i}.jpg"} for i in range(4)] + [{"id": 1, "file_name": "1.jpg", "width": 4}]
    annotations = [{"id": i, "image_id": i % 3, "caption": f"c{i}"} for i in range(6)]
    pairs = assert_reads_alike_from_anywhere(
        opened(tmp_path / "c.json", {"images": images, "annotations": annotations})
    )
    assert [(p.key, p.caption, p.image.uri) for p in pairs if not p.error] == [
        ("1-1", "c1", str(tmp_path / "1.jpg")),
        ("1-4", "c4", str(tmp_path / "1.jpg")),
        ("2-2", "c2", str(tmp_path / "2.jpg")),
        ("2-5", "c5", str(tmp_path / "2.jpg")),
    ]
    assert [p.error.detail for p in pairs if p.error] == [
        "annotation 1: its image_id 0 is that of '0.jpg' and '3.jpg'",
        "annotation 4: its image_id 0 is that of '0.jpg' and '3.jpg'",
    ]


def test_a_record_that_is_nested_deep_or_holds_a_huge_integer_costs_its_meta(tmp_path: Path) -> None:
    text = json.dumps({"images": IMAGES, "annotations": ANNOTATIONS})
    deep = "[" * 300 + "9" * 5_000 + "]" * 300
    data = text.replace('"width": 640', f'"width": {deep}').encode()
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "c.json", data))
    assert [(p.caption, p.error) for p in pairs] == [("a hat", None), ("a dog", None), ("a cat", None)]
    assert "nested deeper than 64" in pairs[0].meta


def test_a_file_without_any_caption_is_refused(tmp_path: Path) -> None:
    value = {"images": IMAGES, "annotations": [{"id": 1, "image_id": 9, "bbox": []}, "a"]}
    with pytest.raises(CallError, match=r"^--input: .*c\.json: none of its annotations has a caption; leave it out$"):
        opened(tmp_path / "c.json", value).ranges(10)


def test_two_files_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    first = opened(tmp_path / "a/c.json", {"images": IMAGES, "annotations": ANNOTATIONS})
    second = opened(tmp_path / "b/c.json", {"images": IMAGES, "annotations": ANNOTATIONS[:1]})
    assert [len(pairs_of(first)), len(pairs_of(second)), len(pairs_of(first))] == [3, 1, 3]


def test_annotations_without_ids_are_numbered(tmp_path: Path) -> None:
    annotations = [{"image_id": 10, "caption": "a cat"}, {"image_id": 9, "caption": "a dog"}]
    pairs = assert_reads_alike_from_anywhere(
        opened(tmp_path / "c.json", {"images": IMAGES, "annotations": annotations})
    )
    assert [(p.key, p.caption, p.image.uri) for p in pairs] == [
        ("10-1", "a cat", str(tmp_path / "10.jpg")),
        ("9-2", "a dog", str(tmp_path / "9.jpg")),
    ]


def test_every_row_is_where_version_0_1_had_it(tmp_path: Path) -> None:
    """There, annotations without an id and those of an image id with two file names were invalid, and all others were
    sorted: a run that was begun there continues at an index."""
    images = [
        {"id": 1, "file_name": "1.jpg"},
        {"id": 2, "file_name": "2.jpg"},
        {"id": 3, "url": "http://x/3.jpg"},
        {"id": 3, "url": "http://y/3.jpg"},
        {"id": 4, "file_name": "a/4.jpg"},
        {"id": 4, "file_name": "b/4.jpg"},
    ]
    annotations: list[Any] = [
        {"image_id": 1, "caption": "no id"},
        {"id": 8, "image_id": 4, "caption": "two files"},
        7,
        {"id": 6, "image_id": 3, "caption": "two URLs"},
        {"id": 5, "image_id": 2, "caption": "b"},
        {"image_id": 4, "caption": "no id, two files"},
        {"id": 4, "image_id": 2, "caption": "a"},
        {"id": 9, "image_id": 5, "caption": "unknown"},
        None,
    ]
    pairs = assert_reads_alike_from_anywhere(
        opened(tmp_path / "c.json", {"images": images, "annotations": annotations}), 1
    )
    assert [p.error.detail if p.error else p.caption for p in pairs] == [
        "a",
        "b",
        "annotation 4: its image_id 3 is that of 'http://x/3.jpg' and 'http://y/3.jpg'",
        "its image_id 5 is not among the 4 images, the first of which has the id 1",
        "no id",
        "annotation 2: its image_id 4 is that of 'a/4.jpg' and 'b/4.jpg'",
        "annotation 3: not a JSON object",
        "annotation 6: its image_id 4 is that of 'a/4.jpg' and 'b/4.jpg'",
        "annotation 9: not a JSON object",
    ]
    assert [p.index for p in pairs] == list(range(9))


@pytest.mark.parametrize("name", [{}, {"file_name": ""}, {"file_name": None}])
@pytest.mark.parametrize("field", ["url", "coco_url", "flickr_url"])
def test_a_url_field_is_never_a_path(tmp_path: Path, field: str, name: dict[str, Any]) -> None:
    images = [{"id": 1, field: "1.jpg", **name}, {"id": 1, field: "2.jpg", **name}, {"id": 2, field: "HTTPS://x/2"}]
    annotations = [{"id": i, "image_id": i, "caption": "a dog"} for i in (1, 2)]
    for first in ("1.jpg", "2.jpg"):
        stored(tmp_path / first, b"")
    pairs = pairs_of(opened(tmp_path / "c.json", {"images": images, "annotations": annotations}))
    assert [(p.error.reason, p.error.detail) for p in pairs if p.error] == [
        (Reason.NO_IMAGE, "the row names no image"),
        (Reason.UNSUPPORTED_URI, "HTTPS://x/2"),
    ]


@pytest.mark.parametrize(
    ("images", "named", "found"),
    [
        ([1, "2"], ["1", 2], []),  # from two sets
        ([1, 2], ["1", 2], [2]),
        (["1", "2"], [1, "2"], ["2"]),
        ([1, "1"], ["1", 1], [1, "1"]),
        ([1, 2], ["1", "2", "3"], ["1", "2"]),
        (["1", "2"], [1, 2], [1, 2]),
    ],
)
def test_numbers_and_texts_are_the_same_only_if_all_ids_differ_in_it(
    tmp_path: Path, images: list[Any], named: list[Any], found: list[Any]
) -> None:
    value = {
        "images": [{"id": i, "file_name": f"{i!r}.jpg"} for i in images],
        "annotations": [{"id": n, "image_id": i, "caption": repr(i)} for n, i in enumerate(named)],
    }
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "c.json", value))
    assert [p.caption for p in pairs if not p.error] == [repr(i) for i in found]
    assert {p.error.reason for p in pairs if p.error} <= {Reason.NO_IMAGE}
    if set(map(type, images)) == {int, str}:
        assert all(p.image.uri == str(tmp_path / f"{p.caption}.jpg") for p in pairs if not p.error)


@pytest.mark.parametrize(
    ("images", "detail"),
    [
        (IMAGES, "among the 2 images, the first of which has the id 9"),
        (IMAGES[:1], "that of the only image, which is 9"),
        ([], "listed: the file lists no image"),
    ],
)
def test_an_unknown_image_id_is_told_with_those_that_exist(tmp_path: Path, images: list[Any], detail: str) -> None:
    value = {"images": images, "annotations": [{"id": 1, "image_id": 7, "caption": "a dog"}]}
    [pair] = pairs_of(opened(tmp_path / "c.json", value))
    assert pair.error
    assert pair.error.detail == f"its image_id 7 is not {detail}"


@pytest.mark.parametrize(("listed", "named"), [(str, int), (int, str)])
def test_ids_that_are_texts_here_and_numbers_there_are_the_same(tmp_path: Path, listed: type, named: type) -> None:
    images = [{"id": listed(i), "file_name": f"{i}.jpg"} for i in (9, 10)]
    annotations = [{"id": i, "image_id": named(i), "caption": f"c{i}"} for i in (9, 10, 11)]
    pairs = assert_reads_alike_from_anywhere(
        opened(tmp_path / "c.json", {"images": images, "annotations": annotations})
    )
    good = [(p.caption, p.image.uri) for p in pairs if not p.error]
    assert sorted(good) == [("c10", str(tmp_path / "10.jpg")), ("c9", str(tmp_path / "9.jpg"))]
    [error] = [p.error for p in pairs if p.error]
    assert error.reason == Reason.NO_IMAGE
    assert (
        error.detail
        == f"its image_id {named(11)!r} is not among the 2 images, the first of which has the id {listed(9)!r}"
    )


def test_images_that_have_only_a_url_say_so(tmp_path: Path) -> None:
    value = {"images": [{"id": 9, "coco_url": "http://x/9.jpg"}], "annotations": ANNOTATIONS[1:]}
    pairs = pairs_of(opened(tmp_path / "c.json", value))
    assert [(p.error.reason, p.error.detail) for p in pairs if p.error] == [
        (Reason.UNSUPPORTED_URI, "http://x/9.jpg")
    ] * 2
