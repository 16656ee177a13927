import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.faults import CallError
from pipeline.files import FileInfo
from pipeline.sources.jsonl import JsonlSource
from tests import fake_object_store
from tests.pipeline.builders import assert_reads_alike_from_anywhere, image, pairs_of, source_settings, stored
from transforms.records import Reason

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def opened(path: Path, data: bytes | str, **values: Any) -> JsonlSource:
    return JsonlSource(stored(path, data), source_settings(**values))


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_one_object_a_line(tmp_path: Path) -> None:
    data = lines({"image": "1.png", "caption": "a dog", "n": 1}, {"image": "d/2.png", "caption": "a hat 🎩"})
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.jsonl", data))
    assert [(p.key, p.caption, p.image.uri, p.meta) for p in pairs] == [
        ("0", "a dog", str(tmp_path / "1.png"), '{"n":1}'),
        ("1", "a hat 🎩", str(tmp_path / "d/2.png"), "{}"),
    ]


@settings(
    max_examples=settings.default.max_examples * 3 // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.tuples(st.one_of(TEXT, st.lists(TEXT, max_size=3)), st.sampled_from("ab"), st.booleans()), max_size=9),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)
def test_reading_from_any_position_gives_the_same_suffix(
    tmp_path: Path, rows: list[tuple[str | list[str], str, bool]], end: str, bom: bool, ended: bool, size: int
) -> None:
    text = ""
    for caption, name, blank in rows:
        text += json.dumps({"caption": caption, "image": name}, ensure_ascii=False) + end + (" " + end if blank else "")
    data = (b"\xef\xbb\xbf" if bom else b"") + (text if ended else text.rstrip()).encode()
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.jsonl", data), size)
    wanted = [text for caption, _, _ in rows for text in (caption if isinstance(caption, list) else [caption]) or [""]]
    # A mark of byte order and NULs at the end are framing.
    assert [pair.caption for pair in pairs] == [text.removeprefix("\ufeff").rstrip("\0") for text in wanted]


@pytest.mark.parametrize("line", ["{", "[1]", "7", "null", '{"image": "2.png", "caption": "a"', '"\\ud800"', "\x00"])
def test_a_broken_line_is_a_failed_pair(tmp_path: Path, line: str) -> None:
    good = lines({"image": "1.png", "caption": "a dog"})
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.jsonl", good + line + "\n" + good))
    assert [p.error.reason if p.error else None for p in pairs] == [None, Reason.BROKEN_ROW, None]
    assert pairs[1].error is not None
    assert pairs[1].error.detail.startswith(f"row 2, at byte {len(good)}: ")


def test_bytes_that_are_no_utf8_break_their_line_alone(tmp_path: Path) -> None:
    good = lines({"image": "1.png", "caption": "a dog"}).encode()
    bad = b'{"image": "2.png", "caption": "caf\xe9"}\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.jsonl", good + bad + good))
    assert [p.error.reason if p.error else None for p in pairs] == [None, Reason.BROKEN_ROW, None]
    assert pairs[1].error is not None
    assert pairs[1].error.detail == (
        f"row 2, at byte {len(good)}: not UTF-8; set source.encoding to its encoding, for example latin-1"
    )


def test_nesting_without_end_breaks_its_line_alone(tmp_path: Path) -> None:
    good = lines({"image": "1.png", "caption": "a dog"})
    pairs = pairs_of(opened(tmp_path / "a.jsonl", good + "[" * 100_000 + "\n" + good))
    assert [p.error.reason if p.error else None for p in pairs] == [None, Reason.BROKEN_ROW, None]


def test_a_first_line_that_is_broken_does_not_hide_the_columns(tmp_path: Path) -> None:
    data = "{\n" + lines({"image": "1.png", "caption": "a dog"})
    assert [p.caption for p in pairs_of(opened(tmp_path / "a.jsonl", data))] == ["", "a dog"]


def test_the_grounding_of_odvg_gives_caption_and_regions(tmp_path: Path) -> None:
    grounding = {"caption": "a dog", "regions": [{"bbox": [0, 0, 9, 9], "phrase": "a dog"}]}
    [pair] = pairs_of(opened(tmp_path / "a.jsonl", lines({"filename": "1.png", "grounding": grounding})))
    assert (pair.caption, json.loads(pair.meta)) == ("a dog", {"regions": grounding["regions"]})
    [pair] = pairs_of(opened(tmp_path / "b.jsonl", lines({"filename": "1.png", "grounding": {}, "caption": "a cat"})))
    assert (pair.caption, pair.meta) == ("a cat", '{"grounding":{}}')


@pytest.mark.parametrize(
    ("row", "columns", "captions"),
    [
        ({"text": "a dog"}, {}, ["a dog"]),
        ({"captions": ["a", "b"]}, {}, ["a", "b"]),
        ({"alt_text": "a dog"}, {}, ["a dog"]),
        ({"caption": None, "text": "no"}, {}, [""]),
        ({"x": "a dog"}, {"caption": ["x"]}, ["a dog"]),
        ({"text": "a dog", "caption": "no"}, {"caption": ["text", "caption"]}, ["a dog"]),
    ],
)
def test_grounding_replaces_no_caption(tmp_path: Path, row: Any, columns: Any, captions: list[str]) -> None:
    """Nor does it change `meta`: earlier releases read such rows."""
    row = {"image": "1.png", **row, "grounding": {"caption": "other", "regions": []}}
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.jsonl", lines(row), columns=columns))
    assert [pair.caption for pair in pairs] == captions
    assert all(json.loads(pair.meta)["grounding"] == row["grounding"] for pair in pairs)


def test_a_row_without_caption_beside_captions_stays_as_earlier_releases_read_it(tmp_path: Path) -> None:
    other = {"image": "2.png", "grounding": {"caption": ["a", "b"]}}
    rows = lines(*[other] * 2, {"image": "1.png", "sentence": "a dog"}, other)
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.jsonl", rows), 1)
    assert [pair.caption for pair in pairs] == ["", "", "a dog", ""]
    assert pairs[3].meta == '{"grounding":{"caption":["a","b"]}}'


def test_grounding_is_no_column_that_was_set(tmp_path: Path) -> None:
    rows = lines({"image": "1.png", "grounding": {"caption": "other"}})
    with pytest.raises(CallError, match=r"has no column x; it has image, grounding$"):
        opened(tmp_path / "a.jsonl", rows, columns={"caption": ["x"]}).ranges(10)


@pytest.mark.parametrize("line", [b"\0" * 4, b"\0" * 5, b'{"image": "1.png"\0\0', b"\xff\0"])
def test_a_line_with_nuls_says_so(tmp_path: Path, line: bytes) -> None:
    """A file that was not written to its end may be filled with them."""
    good = lines({"image": "1.png", "caption": "a dog"}).encode()
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.jsonl", good + line + b"\n" + good))
    assert [p.error.reason if p.error else None for p in pairs] == [None, Reason.BROKEN_ROW, None]
    assert pairs[1].error is not None
    assert pairs[1].error.detail == (
        f"row 2, at byte {len(good)}: not JSON: its byte {line.index(0) + 1} is a NUL, so the file is damaged or "
        "binary; if it is UTF-16, set source.encoding=utf-16-le or utf-16-be"
    )


def test_a_missing_caption_column_is_refused_in_one_line(tmp_path: Path) -> None:
    source = opened(tmp_path / "a.jsonl", lines({"image": "1.png", "words": "a dog"}))
    with pytest.raises(CallError, match=r"^source\.columns\.caption: .*it has image, words$"):
        source.ranges(10)


def test_a_later_line_without_caption_is_a_pair_without_caption(tmp_path: Path) -> None:
    data = lines({"image": "1.png", "caption": "a dog"}, {"image": "2.png"}, {"caption": "a hat"})
    pairs = pairs_of(opened(tmp_path / "a.jsonl", data))
    assert [(p.caption, p.error.reason if p.error else None) for p in pairs] == [
        ("a dog", None),
        ("", None),
        ("a hat", Reason.NO_IMAGE),
    ]


@pytest.mark.parametrize("cell", [{"bytes": None, "path": "1.png"}, {"url": "http://x"}, ["1.png"], 7])
def test_an_image_that_is_no_path_never_means_the_table_itself(tmp_path: Path, cell: object) -> None:
    [pair] = pairs_of(opened(tmp_path / "a.jsonl", lines({"image": cell, "caption": "a dog"})))
    assert pair.image.uri != str(tmp_path / "a.jsonl")


def test_image_root(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    data = lines({"image": "1.png", "caption": "a dog"}, {"image": "../a.jsonl", "caption": "a dog"})
    pairs = pairs_of(opened(tmp_path / "t/a.jsonl", data, image_root=str(tmp_path / "pictures")))
    assert [p.image.uri for p in pairs] == [str(tmp_path / "pictures/1.png"), ""]


def test_a_big_table_is_cut_into_ranges_but_never_inside_one_images_captions(tmp_path: Path) -> None:
    rows = [{"image": f"{i // 3}.png", "caption": f"c{i}"} for i in range(40)]
    source = opened(tmp_path / "a.jsonl", lines(*rows))
    ranges = source.ranges(8)
    assert [spec.pairs for spec in ranges] == [9, 9, 9, 9, 4]
    assert [spec.start["row"] for spec in ranges] == [0, 9, 18, 27, 36]
    assert_reads_alike_from_anywhere(source, 8)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b" \r\n"])
def test_nothing_but_blank_lines_is_no_pair(tmp_path: Path, data: bytes) -> None:
    source = opened(tmp_path / "a.jsonl", data)
    assert source.ranges(10) == []


def test_on_an_object_store_images_lie_beside_the_table(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    fake_object_store.put("shelf://data/1.png", image())
    data = lines({"image": "1.png", "caption": "a dog"}, {"image": "shelf://data/2.png", "caption": "a hat"})
    uri = fake_object_store.put("shelf://data/a.jsonl", data.encode())
    source = JsonlSource(FileInfo(uri, len(data), 0.0), source_settings())
    pairs = assert_reads_alike_from_anywhere(source)
    assert [p.image.uri for p in pairs] == ["shelf://data/1.png", "shelf://data/2.png"]


def test_deep_json_and_huge_integers_cost_only_their_meta(tmp_path: Path) -> None:
    deep = "[" * 300 + "9" * 5_000 + "]" * 300
    lines = f'{{"image": "1.png", "caption": "a dog", "x": {deep}}}\n{{"image": "2.png", "caption": "a hat\\u0000"}}\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.jsonl", lines))
    assert [(p.caption, p.error) for p in pairs] == [("a dog", None), ("a hat", None)]
    assert "nested deeper than 64" in pairs[0].meta
