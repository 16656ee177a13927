import datetime
import decimal
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration import ColumnSettings
from pipeline.faults import CallError
from pipeline.sources import is_source, kind_of, open_source
from pipeline.sources.base import (
    Caption,
    captions_of,
    check_root,
    image_reference,
    image_root,
    meta_json,
    row_pairs,
    slice_ranges,
    with_valid_text,
)
from pipeline.sources.columns import Columns
from tests import fake_object_store
from tests.pipeline.builders import source_settings, stored
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason

COLUMNS = Columns("caption", "image", "url", "id", "key")


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=60), st.integers(1, 9))
def test_slices_hold_every_row_once_and_end_where_the_image_changes(rows: list[tuple[int, int]], wanted: int) -> None:
    starts = [sum(count for count, _ in rows[:i]) for i in range(len(rows))]
    table = [({"index": start, "row": i}, count, image) for i, (start, (count, image)) in enumerate(zip(starts, rows))]  # noqa: B905
    ranges = slice_ranges(table, wanted)
    assert [spec.start["index"] for spec in ranges][:1] == [0][: len(rows)]
    assert sum(spec.pairs or 0 for spec in ranges) == sum(count for count, _ in rows)
    for before, after in itertools.pairwise(ranges):
        first, last = before.start["row"], after.start["row"]
        assert after.start["index"] == before.start["index"] + (before.pairs or 0)
        assert last - first >= wanted
        assert rows[last - 1][1] != rows[last][1]
        # The range is as short as possible: the image does not change anywhere between.
        assert len({image for _, image in rows[first + wanted - 1 : last]}) == 1


def not_a_text(what: str) -> Fault:
    return Fault(FailureStage.READ, Reason.BROKEN_ROW, f"row 1: {what}, not a text")


@pytest.mark.parametrize(
    ("value", "captions"),
    [
        ("a dog", ["a dog"]),
        ("", [""]),
        (["a", "b"], ["a", "b"]),
        (["a", None, 3], ["a", None, not_a_text("a number")]),
        ([], [None]),
        (None, [None]),
        (float("nan"), [None]),
        (7, [not_a_text("a number")]),
        ({"en": "a"}, [not_a_text("an object with en")]),
    ],
)
def test_captions_of_a_cell(value: object, captions: list[Caption]) -> None:
    assert captions_of(value, "row 1") == captions


def test_the_first_wanted_column_that_is_there_is_taken() -> None:
    wanted = ColumnSettings(caption=("alt", "text"), image=("file", "path"))
    picked = Columns.pick(["path", "text", "alt", "id"], wanted, "a.csv")
    assert picked == Columns(caption="alt", image="path", url="", id="id", key="")


@pytest.mark.parametrize(("there", "role"), [(["image", "words"], "caption"), (["caption", "picture"], "image")])
def test_a_table_without_a_column_is_refused_in_one_line(there: list[str], role: str) -> None:
    with pytest.raises(CallError) as refused:
        Columns.pick(there, ColumnSettings(), "a.csv")
    text = str(refused.value)
    assert text.startswith(f"source.columns.{role}: a.csv has no column")
    assert text.endswith(f"it has {', '.join(there)}")
    assert "\n" not in text


def test_a_table_of_img2dataset_names_the_folder_with_its_images() -> None:
    there = ["url", "caption", "key", "status", "error_message"]
    with pytest.raises(CallError, match=r"; if img2dataset has written it .*, use --input '/my out'; else dow"):
        Columns.pick(there, ColumnSettings(), "/my out/00000.parquet")


def test_captions_of_a_row_share_image_and_fields_and_have_keys_of_their_own() -> None:
    row = {"caption": ["a dog", "a hat"], "image": "1.png", "url": "http://x", "id": 7, "key": "k", "n": 1}
    first, second = row_pairs(row, COLUMNS, "/t/a.jsonl", 3, 10, (image_reference(row["image"], "/t"), b""))
    assert (first.key, first.index, first.caption) == ("k-0", 10, "a dog")
    assert (second.key, second.index, second.caption) == ("k-1", 11, "a hat")
    assert first.image == second.image
    assert (first.image.uri, first.image.row, first.image.length) == ("/t/1.png", -1, 0)
    assert (second.url, second.id, second.source) == ("http://x", "7", "/t/a.jsonl")
    assert json.loads(second.meta) == {"url": "http://x", "id": 7, "key": "k", "n": 1}


def test_a_row_without_a_key_is_called_by_its_number() -> None:
    row = {"caption": "a dog", "image": "1.png"}
    [pair] = row_pairs(row, Columns("caption", "image"), "/t/a.jsonl", 3, 10, (image_reference("1.png", "/t"), b""))
    assert (pair.key, pair.url, pair.id, pair.meta) == ("3", "", "", "{}")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.NO_IMAGE),
        ("", Reason.NO_IMAGE),
        ("http://x/1.jpg", Reason.UNSUPPORTED_URI),
        ("HTTPS://x/1.jpg", Reason.UNSUPPORTED_URI),
        ("ftp://x/1.jpg", Reason.UNSUPPORTED_URI),
        ("data://x", Reason.UNSUPPORTED_URI),
        ("../1.jpg", Reason.OUTSIDE_ROOT),
        ("/etc/passwd", Reason.OUTSIDE_ROOT),
        ("a/../../1.jpg", Reason.OUTSIDE_ROOT),
        ("s3://bucket/1.jpg", Reason.OUTSIDE_ROOT),
        ("file:///elsewhere/1.jpg", Reason.OUTSIDE_ROOT),
    ],
)
def test_images_that_cannot_be_had_are_failed_pairs(value: object, reason: Reason) -> None:
    row = {"caption": ["a dog", "a hat"], "image": value}
    pairs = list(row_pairs(row, COLUMNS, "/t/a.jsonl", 0, 0, (image_reference(value, "/t"), b"")))
    assert [pair.error.reason if pair.error else None for pair in pairs] == [reason, reason]
    assert [pair.image.uri for pair in pairs] == ["", ""]


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/data/images/1.jpg", "/data/images/1.jpg; set source.image_root=/data/images"),
        ("/data/my images/1.jpg", "/data/my images/1.jpg; set source.image_root='/data/my images'"),
        ("s3://bucket/a/1.jpg", "s3://bucket/a/1.jpg; set source.image_root=s3://bucket/a"),
        ("../1.jpg", "../1.jpg, from /t"),
        ("../" + "x" * 23_000, f"../{'x' * 86}…, from /t"),
    ],
)
def test_a_path_outside_of_the_root_names_a_root_that_would_do(path: str, detail: str) -> None:
    found = image_reference(path, "/t")
    assert isinstance(found, Fault)
    assert found.detail == detail


@pytest.mark.parametrize("value", ["1.jpg", "./1.jpg", "a/../1.jpg", "/t/1.jpg", "file:///t/1.jpg"])
def test_paths_below_the_root_are_taken(value: str) -> None:
    [pair] = row_pairs({"caption": "a dog"}, COLUMNS, "/t/a.jsonl", 0, 0, (image_reference(value, "/t"), b""))
    assert (pair.image.uri, pair.error) == ("/t/1.jpg", None)


@pytest.mark.parametrize("field", ["caption", "key", "url", "id"])
def test_text_that_is_no_utf8_is_a_failed_pair(field: str) -> None:
    broken = b"caf\xe9".decode("utf-8", "surrogateescape")
    pair = with_valid_text(Pair(**{"key": "k", "source": "s", "index": 0, "caption": "c", field: broken}))  # type: ignore[arg-type]
    assert pair.error is not None
    assert pair.error.reason == Reason.ENCODING
    assert getattr(pair, field) == "caf\ufffd"


def test_meta_is_json_whatever_a_table_holds() -> None:
    row: dict[str, Any] = {
        "left out": "x",
        "nan": float("nan"),
        "inf": float("inf"),
        "day": datetime.date(2020, 1, 2),
        "time": datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
        "price": decimal.Decimal("1.10"),
        "nested": [{"a": None}],
        "many": 10**30,
        "emoji": "🎩",
        "bytes": b"\xff\x00",
    }
    value = json.loads(meta_json(row, ["left out"]))
    assert list(value) == [key for key in row if key != "left out"]
    assert (value["nan"], value["inf"], value["nested"], value["many"]) == (None, None, [{"a": None}], 10**30)
    assert (value["day"], value["emoji"]) == ("2020-01-02", "🎩")
    assert value["bytes"] == "2 bytes"


@pytest.mark.parametrize("row", [{"a": "\udce9"}, {"\udce9": "a"}, {"a": ["\udce9"]}])
def test_meta_stands_text_that_is_no_utf8(row: dict[str, Any]) -> None:
    assert len(json.loads(meta_json(row, ()))) == 1
    meta_json(row, ()).encode()


def test_image_paths_are_relative_to_the_file_or_to_image_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert image_root(source_settings(), "/t/a.csv") == "/t"
    assert image_root(source_settings(), "s3://b/t/a.csv") == "s3://b/t"
    assert image_root(source_settings(image_root="s3://b/i"), "/t/a.csv") == "s3://b/i"
    monkeypatch.chdir(tmp_path)
    assert image_root(source_settings(image_root="pictures"), "/t/a.csv") == str(tmp_path / "pictures")


def test_an_image_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    check_root(source_settings())
    check_root(source_settings(image_root=str(tmp_path)))
    with pytest.raises(CallError, match=r"^source\.image_root: .*nowhere: no such folder$"):
        check_root(source_settings(image_root=str(tmp_path / "nowhere")))


def test_an_image_root_on_an_object_store_is_no_object(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    fake_object_store.put("shelf://pictures/2020/1.png", b"x")
    check_root(source_settings(image_root="shelf://pictures/2020"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.tar", "webdataset"),
        ("a.TAR.GZ", "webdataset"),
        ("a.jsonl.csv.tar.zstd", "webdataset"),
        ("a.tar?b=.tar .Csv.Zst", "csv"),
        ("a.tgz", "webdataset"),
        ("a.parquet", "parquet"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.csv", "csv"),
        ("a.tsv", "tsv"),
        ("captions.json", "coco"),
    ],
)
def test_the_name_tells_the_kind(tmp_path: Path, name: str, kind: str) -> None:
    assert is_source(f"/t/{name}")
    assert kind_of(f"s3://t/{name}", source_settings()) == kind
    assert open_source(kind, stored(tmp_path / name, b""), source_settings()) is not None


def test_a_name_that_tells_nothing_is_refused_unless_the_kind_is_set() -> None:
    assert not is_source("/t/tar")
    assert kind_of("/t/words.txt", source_settings(kind="tsv")) == "tsv"
    with pytest.raises(CallError, match=r"--input: /t/words\.txt: .*source\.kind"):
        kind_of("/t/words.txt", source_settings())


def test_a_path_with_backslashes_is_one_with_slashes_unless_such_a_file_exists(tmp_path: Path) -> None:
    stored(tmp_path / "b\\c.jpg", b"")
    found = [image_reference(path, str(tmp_path)) for path in ("a\\b.jpg", "b\\c.jpg", "a\\..\\..\\d.jpg")]
    assert [one.uri if isinstance(one, ImageRef) else one.reason for one in found] == [
        str(tmp_path / "a/b.jpg"),
        str(tmp_path / "b\\c.jpg"),
        Reason.OUTSIDE_ROOT,
    ]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (7, "a number"),
        ({"en": "a dog", "de": "ein Hund"}, "an object with en, de"),
        ([["a"], ["b"]], "a list of 1 text"),
        (b"a dog", "a binary value"),
    ],
)
def test_a_caption_that_is_no_text_says_what_it_is(cell: Any, told: str) -> None:
    pairs = list(row_pairs({"caption": cell}, COLUMNS, "/a.jsonl", 6, 0, (ImageRef("/a.jpg"), b"")))
    for pair in pairs:
        assert pair.error
        assert (pair.error.reason, pair.error.detail) == (
            Reason.BROKEN_ROW,
            f"row 7: column caption: {told}, not a text",
        )


def test_a_missing_caption_of_pandas_is_no_caption() -> None:
    [pair] = row_pairs({"caption": float("nan")}, COLUMNS, "/a.jsonl", 6, 0, (ImageRef("/a.jpg"), b""))
    assert (pair.caption, pair.error) == ("", None)
