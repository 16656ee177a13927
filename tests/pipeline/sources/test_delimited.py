import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.faults import CallError
from pipeline.sources.delimited import CsvSource, DelimitedSource, TsvSource
from tests.pipeline.builders import assert_reads_alike_from_anywhere, pairs_of, source_settings, stored
from transforms.records import Reason

TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), st.sampled_from('\n\r",\t'))
)


def opened(path: Path, data: bytes | str, **values: Any) -> DelimitedSource:
    return (TsvSource if path.suffix == ".tsv" else CsvSource)(stored(path, data), source_settings(**values))


@pytest.mark.parametrize(("name", "comma"), [("a.csv", ","), ("a.tsv", "\t")])
def test_a_header_then_one_pair_a_row(tmp_path: Path, name: str, comma: str) -> None:
    data = "image|caption|n\n1.png|a dog|7\n2.png|ein Hütchen 🎩|8\n".replace("|", comma)
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / name, data))
    assert [(p.key, p.caption, p.image.uri, p.meta) for p in pairs] == [
        ("0", "a dog", str(tmp_path / "1.png"), '{"n":"7"}'),
        ("1", "ein Hütchen 🎩", str(tmp_path / "2.png"), '{"n":"8"}'),
    ]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(TEXT, st.sampled_from("ab"), st.booleans()), max_size=9),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["a.csv", "a.tsv"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
)
def test_reading_from_any_position_gives_the_same_suffix(
    tmp_path: Path, rows: list[tuple[str, str, bool]], end: str, name: str, bom: bool, ended: bool, size: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, "excel-tab" if name == "a.tsv" else "excel", lineterminator=end, quoting=csv.QUOTE_ALL)
    if name == "a.tsv":  # in a .tsv a row is always one line
        rows = [(" ".join(caption.split("\n")).replace("\r", " "), picture, blank) for caption, picture, blank in rows]
    writer.writerow(["caption", "a column of images" if name == "a.tsv" else "a column\nof images", "image"])
    for caption, picture, blank in rows:
        writer.writerow([caption, "", picture])
        text.write(end if blank else "")
    value = text.getvalue() if ended else text.getvalue().rstrip("\r\n")
    data = (b"\xef\xbb\xbf" if bom else b"") + value.encode()
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / name, data), size)
    assert [(pair.caption, pair.error) for pair in pairs] == [(caption, None) for caption, _, _ in rows]


def test_a_stray_quote_swallows_no_other_row(tmp_path: Path) -> None:
    data = 'image,caption\n1.png,"Best dog ever\n2.png,a cat\n3.png,"nice" hat\n4.png,"a\nhat"\n5.png,"open\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", data))
    assert [pair.caption for pair in pairs] == ["", "a cat", "", "a\nhat", ""]
    assert [bool(pair.error) for pair in pairs] == [True, False, True, False, True]


def test_a_stray_quote_in_tsv_is_text(tmp_path: Path) -> None:
    data = 'image\tcaption\n1.png\t"Best dog ever\n2.png\t"a ""nice"" cat"\n3.png\t5" pipe\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", data))
    assert [pair.caption for pair in pairs] == ['"Best dog ever', 'a "nice" cat', '5" pipe']


def test_a_row_of_another_length_is_a_failed_pair(tmp_path: Path) -> None:
    data = "image,caption\n1.png,a dog\n2.png\n3.png,a,b\n4.png,a hat\n"
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", data))
    assert [p.error.reason if p.error else None for p in pairs] == [None, Reason.BROKEN_ROW, Reason.BROKEN_ROW, None]
    assert pairs[1].error is not None
    assert pairs[1].error.detail == "row 2, at byte 26: 1 cells, but 2 columns"


def test_a_stray_quote_spoils_at_most_a_mebibyte(tmp_path: Path) -> None:
    more = " and more" * 20
    rows = "".join(f"{i}.png,caption number {i}{more}\n" for i in range(8000))
    data = f'image,caption\na.png,a dog\nb.png,"stray\n{rows}'
    pairs = pairs_of(opened(tmp_path / "a.csv", data))
    assert pairs[0].caption == "a dog"
    assert pairs[1].error is not None
    assert pairs[1].error.reason == Reason.BROKEN_ROW
    assert "field larger" in pairs[1].error.detail
    assert pairs[-1].caption == f"caption number 7999{more}"
    assert len(pairs) > 8000 - (1 << 20) // len(f"0.png,caption number 0{more}\n")


def test_quotes_can_mean_nothing(tmp_path: Path) -> None:
    data = 'image\tcaption\n1.png\t"a" dog\n2.png\t"open\n3.png\t12" disc\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", data, quoting="none"))
    assert [p.caption for p in pairs] == ['"a" dog', '"open', '12" disc']


def test_a_zero_byte_inside_of_a_caption_costs_its_pair(tmp_path: Path) -> None:
    data = b"image,caption\n1.png,a\0dog\n2.png,a hat\0\0\n3.png,\xef\xbb\xbfa cat\n"
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", data))
    assert [p.caption for p in pairs] == ["a\0dog", "a hat", "a cat"]
    assert [p.error.reason if p.error else None for p in pairs] == [Reason.ENCODING, None, None]


def test_a_carriage_return_in_a_bare_cell_breaks_its_row_alone(tmp_path: Path) -> None:
    data = "image,caption\n1.png,a dog\n2.png,a\rhat\n3.png,a cat\n"
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", data))
    assert [p.error.reason if p.error else None for p in pairs] == [None, Reason.BROKEN_ROW, None]


@pytest.mark.parametrize(
    "row", [b"1.png,caf\xe9,n", b"1.png,a dog,caf\xe9", b"caf\xe9.png,a dog,n"], ids=["caption", "other", "image"]
)
def test_what_is_no_utf8_can_be_written_to_the_table_of_detections(tmp_path: Path, row: bytes) -> None:
    data = b"image,caption,note\n0.png,a cat,n\n" + row + b"\n2.png,a hat,n\n"
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", data))
    assert [p.caption for p in pairs][::2] == ["a cat", "a hat"]
    assert [p.error for p in pairs][::2] == [None, None]
    for pair in pairs:
        f"{pair.key}{pair.caption}{pair.meta}{pair.image.uri}{pair.error}".encode()


def test_a_caption_that_is_no_utf8_is_a_failed_pair(tmp_path: Path) -> None:
    [pair] = pairs_of(opened(tmp_path / "a.csv", b"image,caption\n1.png,caf\xe9\n"))
    assert pair.error is not None
    assert pair.error.reason == Reason.ENCODING


def test_a_missing_caption_column_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"^source\.columns\.caption: .*it has image, words$"):
        opened(tmp_path / "a.csv", "image,words\n1.png,a dog\n").ranges(10)


@pytest.mark.parametrize("data", [b"", b'"' + b"x" * (2 << 20) + b'",caption\n1.png,a\n'])
def test_a_table_without_a_header_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CallError, match=r"--input: .*a\.csv: no header line"):
        _ = opened(tmp_path / "a.csv", data).columns


def test_a_header_alone_is_no_pair(tmp_path: Path) -> None:
    source = opened(tmp_path / "a.csv", "image,caption\n")
    assert source.ranges(10) == []


def test_a_big_table_is_cut_into_ranges_but_never_inside_one_images_captions(tmp_path: Path) -> None:
    rows = "".join(f'{i // 3}.png,"a\n{i}"\n' for i in range(40))
    source = opened(tmp_path / "a.csv", "image,caption\n" + rows)
    assert [spec.pairs for spec in source.ranges(8)] == [9, 9, 9, 9, 4]
    assert [p.caption for p in assert_reads_alike_from_anywhere(source, 8)] == [f"a\n{i}" for i in range(40)]
