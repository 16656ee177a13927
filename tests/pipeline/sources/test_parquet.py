import io
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.faults import CallError, SourceFault
from pipeline.files import FileInfo
from pipeline.sources.base import RangeSpec
from pipeline.sources.parquet import ParquetSource
from tests import fake_object_store
from tests.pipeline.builders import assert_reads_alike_from_anywhere, image, pairs_of, source_settings, stored
from transforms.records import Reason


def parquet(columns: dict[str, Any], rows_per_group: int = 1000) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target, row_group_size=rows_per_group, compression="none", use_dictionary=False)
    return target.getvalue()


def opened(path: Path, data: bytes, **values: Any) -> ParquetSource:
    return ParquetSource(stored(path, data), source_settings(**values))


def ranges_of(path: Path, groups: list[int], rows: int) -> list[tuple[int, int]]:
    schema = pa.schema({"image": pa.binary(), "caption": pa.string()})
    target = io.BytesIO()
    with pq.ParquetWriter(target, schema) as writer:
        for size in groups:
            writer.write_table(pa.table({"image": [b"x"] * size, "caption": ["a"] * size}, schema))
    source = opened(path, target.getvalue())
    assert_reads_alike_from_anywhere(source, rows)
    return [(spec.start["row"], spec.pairs or 0) for spec in source.ranges(rows)]


def test_a_binary_column(tmp_path: Path) -> None:
    data = parquet({"jpg": [image(i) for i in range(5)], "text": [f"c{i}" for i in range(5)], "n": range(5)}, 2)
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.parquet", data))
    assert [(p.key, p.caption, p.data, p.meta) for p in pairs] == [
        (str(i), f"c{i}", image(i), f'{{"n":{i}}}') for i in range(5)
    ]
    assert [(p.image.uri, p.image.row, p.image.offset, p.image.length) for p in pairs] == [
        (str(tmp_path / "a.parquet"), i, 0, len(image(i))) for i in range(5)
    ]


def test_a_struct_of_bytes_and_path(tmp_path: Path) -> None:
    cells = [
        {"bytes": image(1), "path": "1.png"},
        {"bytes": None, "path": "2.png"},
        {"bytes": None, "path": None},
        {"bytes": b"", "path": "4.png"},
        None,
    ]
    data = parquet({"image": cells, "caption": ["a"] * 5})
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.parquet", data))
    assert [(p.data, p.image.row, p.error.reason if p.error else None) for p in pairs] == [
        (image(1), 0, None),
        (b"", -1, None),
        (b"", -1, Reason.NO_IMAGE),
        (b"", -1, Reason.NO_IMAGE),
        (b"", -1, Reason.NO_IMAGE),
    ]
    assert pairs[1].image.uri == str(tmp_path / "2.png")


def test_a_column_of_paths(tmp_path: Path) -> None:
    data = parquet({"image": ["1.png", "../2.png", None], "caption": ["a", "b", "c"]})
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.parquet", data))
    assert [(p.image.uri, p.image.row, p.error.reason if p.error else None) for p in pairs] == [
        (str(tmp_path / "1.png"), -1, None),
        ("", -1, Reason.OUTSIDE_ROOT),
        ("", -1, Reason.NO_IMAGE),
    ]


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_lists_of_captions_resume_inside_a_row(tmp_path: Path, kind: Any) -> None:
    captions = pa.array([["a", "b"], ["c"], [], None, ["d", None, "f"]], kind(pa.string()))
    data = parquet({"image": [image(i) for i in range(5)], "caption": captions}, 2)
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.parquet", data), rows=2)
    assert [(p.key, p.caption, p.image.row) for p in pairs] == [
        ("0-0", "a", 0),
        ("0-1", "b", 0),
        ("1", "c", 1),
        ("2", "", 2),
        ("3", "", 3),
        ("4-0", "d", 4),
        ("4-1", "", 4),
        ("4-2", "f", 4),
    ]


def test_captions_of_a_fixed_number(tmp_path: Path) -> None:
    captions = pa.array([["a", "b"], ["c", "d"]], pa.list_(pa.string(), 2))
    data = parquet({"image": [image(0), image(1)], "caption": captions})
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.parquet", data), rows=1)
    assert [p.caption for p in pairs] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("groups", "rows", "wanted"),
    [
        ([10], 4, [(0, 4), (4, 4), (8, 2)]),
        ([2, 2, 2, 2], 4, [(0, 4), (4, 4)]),
        ([3, 3, 3], 4, [(0, 3), (3, 3), (6, 3)]),
        ([4, 4], 4, [(0, 4), (4, 4)]),
        ([1, 9, 1], 4, [(0, 1), (1, 4), (5, 4), (9, 2)]),
        ([5], 100, [(0, 5)]),
        ([], 4, []),
    ],
)
def test_row_groups_are_joined_and_sliced(
    tmp_path: Path, groups: list[int], rows: int, wanted: list[tuple[int, int]]
) -> None:
    assert ranges_of(tmp_path / "a.parquet", groups, rows) == wanted


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 7))
def test_ranges_hold_every_row_once_and_at_most_the_rows_wanted(tmp_path: Path, groups: list[int], rows: int) -> None:
    ranges = ranges_of(tmp_path / "a.parquet", groups, rows)
    assert [row for first, pairs in ranges for row in range(first, first + pairs)] == list(range(sum(groups)))
    assert all(0 < pairs <= rows for _, pairs in ranges)


def test_reading_starts_in_the_middle_of_a_large_row_group(tmp_path: Path) -> None:
    # More than twice as many rows as are decoded at a time.
    data = parquet({"image": [image(i % 9) for i in range(200)], "caption": [f"c{i}" for i in range(200)]}, 150)
    source = opened(tmp_path / "a.parquet", data)
    for row in (0, 63, 64, 65, 149, 150, 199):
        read = list(source.read({"row": row, "skip": 0, "index": row}))
        assert [pair.caption for _, pair in read] == [f"c{i}" for i in range(row, 200)]
        assert [position["row"] for position, _ in read] == list(range(row, 200))


def test_columns_without_a_caption_are_refused_in_one_line(tmp_path: Path) -> None:
    source = opened(tmp_path / "a.parquet", parquet({"image": [b"x"], "words": ["a"]}))
    with pytest.raises(
        CallError, match=r"^source\.columns\.caption: .*a\.parquet has no column .*it has image, words$"
    ):
        source.ranges(10)


def test_other_columns_stay_in_meta(tmp_path: Path) -> None:
    columns = {
        "image": [image()],
        "caption": ["a"],
        "url": ["http://x"],
        "id": [12],
        "key": ["k"],
        "shape": [{"w": 8, "tags": ["x"]}],
        "score": [float("nan")],
    }
    [pair] = pairs_of(opened(tmp_path / "a.parquet", parquet(columns)))
    assert (pair.key, pair.url, pair.id) == ("k", "http://x", "12")
    assert pair.meta == '{"url":"http://x","id":12,"key":"k","shape":{"w":8,"tags":["x"]},"score":null}'


def garbled_footer() -> bytes:
    data = parquet({"image": [b"x"] * 9, "caption": ["a"] * 9})
    return data[:-60] + b"\xff" * 52 + data[-8:]


@pytest.mark.parametrize(
    "data",
    [b"", b"PAR1", b"no parquet", parquet({"image": [b"x"], "caption": ["a"]})[:-20], garbled_footer()],
    ids=["empty", "magic", "text", "cut", "garbled"],
)
def test_a_file_without_a_sound_footer_is_a_source_fault(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceFault, match="not a parquet file"):
        opened(tmp_path / "a.parquet", data).ranges(10)


def test_a_broken_page_costs_the_rows_from_there_to_the_end_of_its_group(tmp_path: Path) -> None:
    columns = {"image": [b"x" * 500] * 300, "caption": [f"c{i}" for i in range(300)], "note": ["n"] * 300}
    data = bytearray(parquet(columns, 100))
    place = data.index(b"c100")
    data[place - 200 : place + 200] = b"\xff" * 400
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.parquet", bytes(data)), 100)
    failed = [pair for pair in pairs if pair.error]
    assert len(pairs) == 300
    assert [pair.caption for pair in pairs if not pair.error] == [f"c{i}" for i in range(300) if not 100 <= i < 200]
    assert {pair.error.reason for pair in failed if pair.error} == {Reason.BROKEN_ROW}
    assert all(pair.error and "column caption: row group 1 cannot be read" in pair.error.detail for pair in failed)


@pytest.mark.parametrize("name", ["image", "caption", "note"])
def test_a_broken_page_beside_lists_of_captions_keeps_their_number(tmp_path: Path, name: str) -> None:
    captions = [[f"caption {i}", f"other {i}"] for i in range(300)]
    columns = {
        "image": [f"image {i}".encode() for i in range(300)],
        "caption": captions,
        "note": [f"note {i}" for i in range(300)],
    }
    data = bytearray(parquet(columns, 100))
    place = data.index({"image": b"image 150", "caption": b"caption 150", "note": b"note 150"}[name])
    group = slice(place - 400, place + 400)
    data[group] = b"\xff" * 800
    source = opened(tmp_path / "a.parquet", bytes(data))
    pairs = assert_reads_alike_from_anywhere(source, 100)
    assert sum(spec.pairs or 0 for spec in source.ranges(100)) == len(pairs)
    sound = [pair.caption for pair in pairs if not pair.error]
    if name == "note":
        assert sound == [caption for row in captions for caption in row]
    else:
        assert sound[:2] + sound[-1:] == ["caption 0", "other 0", "other 299"]
        assert {pair.index // 2 // 100 for pair in pairs if pair.error and name == "image"} <= {1}


def unchecked(texts: list[bytes]) -> pa.Array:
    """A column of texts as writers make it that do not check whether they are UTF-8."""
    return pa.Array.from_buffers(pa.string(), len(texts), pa.array(texts, pa.binary()).buffers())


BAD = unchecked([b"a dog", b"caf\xe9", b"a cat"])
FAR = pa.array([0, 1 << 62, 0], pa.timestamp("us"))


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ({"caption": BAD}, Reason.ENCODING),
        ({"caption": pa.ListArray.from_arrays([0, 1, 2, 3], BAD)}, Reason.ENCODING),
        ({"caption": BAD.cast(pa.large_string())}, Reason.ENCODING),
        ({"url": BAD}, Reason.ENCODING),
        ({"id": FAR}, Reason.BROKEN_ROW),
        ({"note": BAD}, None),
        ({"note": FAR}, None),
        ({"note": FAR.cast(pa.int64()).cast(pa.timestamp("us", "UTC"))}, None),
        ({"note": pa.StructArray.from_arrays([BAD, FAR], ["a", "b"])}, None),
        ({"note": pa.DictionaryArray.from_arrays([0, 1, 2], BAD)}, None),
        ({"note": pa.array([[("k", b"\xff")]] * 3, pa.map_(pa.string(), pa.binary()))}, None),
        ({"note": pa.array([1 << 62] * 3, pa.duration("s"))}, None),
        ({"note": pa.array([99999999] * 3, pa.date32())}, None),
    ],
)
def test_one_cell_costs_its_pair_if_it_is_used_and_else_nothing(
    tmp_path: Path, column: dict[str, Any], reason: Reason | None
) -> None:
    columns = {"image": [image(i) for i in range(3)], "caption": ["a dog", "a hat", "a cat"], **column}
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.parquet", parquet(columns)))
    assert [pair.error.reason if pair.error else None for pair in pairs] == [None, reason, None]
    assert [pair.caption for pair in pairs][::2] == ["a dog", "a cat"]
    for pair in pairs:
        json.loads(pair.meta)
        assert pair.error is None or pair.error.reason is Reason.ENCODING or "row 2: column id: " in pair.error.detail


def test_times_of_nanoseconds_read_alike_with_and_without_pandas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))
    columns = {"image": [b"x"], "caption": ["a"], "t": times, "d": times.cast(pa.int64()).cast(pa.duration("ns"))}
    for absent in (False, True):
        if absent:
            monkeypatch.setitem(sys.modules, "pandas", None)
        [pair] = pairs_of(opened(tmp_path / "a.parquet", parquet(columns)))
        assert json.loads(pair.meta)["t"] == "2023-11-14T22:13:20.123456"


def test_an_image_is_fetched_though_the_path_beside_it_is_not_utf8(tmp_path: Path) -> None:
    cells = pa.StructArray.from_arrays([pa.array([image(1), image(2)]), BAD[:2]], ["bytes", "path"])
    source = opened(tmp_path / "a.parquet", parquet({"image": cells, "caption": ["a dog", "a cat"]}))
    pairs = pairs_of(source)
    assert list(source.fetch(pair.image for pair in pairs)) == [pair.data for pair in pairs] == [image(1), image(2)]


def test_rows_without_an_image_that_img2dataset_has_not_downloaded_say_so(tmp_path: Path) -> None:
    columns = {
        "key": ["000", "001", "002", "003"],
        "jpg": pa.array([image(), None, None, None], pa.binary()),
        "caption": ["a dog", "a cat", "a hat", "a bird"],
        "status": ["success", "failed_to_download", "failed_to_resize", "success"],
        "error_message": [None, "HTTP Error 404: Not Found", None, None],
    }
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "00000.parquet", parquet(columns)))
    assert [pair.error and (pair.error.reason, pair.error.detail) for pair in pairs] == [
        None,
        (Reason.NOT_DOWNLOADED, "failed_to_download: HTTP Error 404: Not Found"),
        (Reason.NOT_DOWNLOADED, "failed_to_resize: no message"),
        (Reason.NO_IMAGE, "the row names no image"),
    ]
    assert [pair.caption for pair in pairs] == ["a dog", "a cat", "a hat", "a bird"]


@pytest.mark.parametrize("image_column", ["png", "webp"])
def test_images_of_img2dataset_may_have_another_format(tmp_path: Path, image_column: str) -> None:
    columns = {"caption": ["a dog"], "url": ["https://x.org/1"], "key": ["000"], image_column: [image()]}
    [pair] = assert_reads_alike_from_anywhere(opened(tmp_path / "00000.parquet", parquet(columns)))
    assert (pair.caption, pair.data, pair.url) == ("a dog", image(), "https://x.org/1")


def test_a_tar_that_datasets_has_loaded(tmp_path: Path) -> None:
    """Its columns are the extensions of the members."""
    cells = [{"bytes": image(), "path": "a.tar::000.jpg"}]
    columns = {"jpg": cells, "txt": ["a dog"], "json": [{"n": 1}], "__key__": ["000"], "__url__": ["/data/a.tar"]}
    [pair] = assert_reads_alike_from_anywhere(opened(tmp_path / "a.parquet", parquet(columns)))
    assert (pair.key, pair.caption, pair.data) == ("000", "a dog", image())


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    arrays = {"image": pa.array([b"x"]), "caption": pa.array(["a"]), "n": pa.array([1])}
    for twice, told in (("n", ""), ("caption", "2 columns are called caption; rename all but one")):
        names = [*arrays, twice]
        target = io.BytesIO()
        pq.write_table(pa.Table.from_arrays([arrays[name] for name in names], names), target)
        source = opened(tmp_path / f"{twice}.parquet", target.getvalue())
        if told:
            with pytest.raises(CallError, match=told):
                source.ranges(10)
        else:
            assert json.loads(pairs_of(source)[0].meta) == {"n": 1, "n (2)": 1}


def test_the_table_may_be_empty(tmp_path: Path) -> None:
    empty = pa.table({"image": pa.array([], pa.binary()), "caption": pa.array([], pa.list_(pa.string()))})
    target = io.BytesIO()
    pq.write_table(empty, target)
    source = opened(tmp_path / "a.parquet", target.getvalue())
    assert source.ranges(10) == []


def test_on_an_object_store(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    data = parquet({"image": [image(1), image(2)], "caption": ["a", "b"]})
    uri = fake_object_store.put("shelf://data/a.parquet", data)
    source = ParquetSource(FileInfo(uri, len(data), 0.0), source_settings())
    assert source.ranges(1) == [
        RangeSpec({"row": 0, "skip": 0, "index": 0}, 1),
        RangeSpec({"row": 1, "skip": 0, "index": 1}, 1),
    ]
    assert [p.data for p in assert_reads_alike_from_anywhere(source)] == [image(1), image(2)]


@pytest.mark.parametrize("captions", [[f"dog {i}" for i in range(12)], [[f"dog {i}", "a"] for i in range(12)]])
def test_a_damaged_count_of_values_loses_no_row(tmp_path: Path, captions: list[Any]) -> None:
    """Arrow reads such a row group as a shorter one, without an error."""
    sink = io.BytesIO()
    table = pa.table({"path": [f"{i}.png" for i in range(12)], "caption": captions})
    pq.write_table(table, sink, row_group_size=5, compression="none")
    data = sink.getvalue()
    rows = 0
    for place in (place for place, byte in enumerate(data) if byte in (5, 10)):  # 10 is 5 as Thrift writes it
        for value in (0, data[place] - 1, data[place] + 1):
            source = opened(tmp_path / "a.parquet", data[:place] + bytes([value]) + data[place + 1 :])
            with suppress(SourceFault, CallError):
                ranges = source.ranges(100)
                pairs = [pair for _, pair in source.read(ranges[0].start)]
                assert len(pairs) == sum(spec.pairs or 0 for spec in ranges)
                assert [pair.index for pair in pairs] == list(range(len(pairs)))
                rows += any(pair.error and "fewer rows than it says" in pair.error.detail for pair in pairs)
    assert rows > 2
