import base64
import csv
import gzip
import io
import random
import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from pipeline.faults import CallError, SourceFault
from pipeline.sources.delimited import CsvSource, DelimitedSource, TsvSource
from tests.pipeline.builders import assert_reads_alike_from_anywhere, image, pairs_of, source_settings, stored
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


@settings(
    max_examples=settings.default.max_examples * 4 // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
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
    writer.writerow(["caption", "a column\nof images", "image"])
    for caption, picture, blank in rows:
        writer.writerow([caption, "", f"{picture}.png"])
        text.write(end if blank else "")
    value = text.getvalue() if ended else text.getvalue().rstrip("\r\n")
    data = (b"\xef\xbb\xbf" if bom else b"") + value.encode()
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / name, data), size)
    captions = [caption.removeprefix("\ufeff") for caption, _, _ in rows]  # a mark of byte order is framing
    assert [(pair.caption, pair.error) for pair in pairs] == [(caption, None) for caption in captions]


def test_a_stray_quote_swallows_no_other_row(tmp_path: Path) -> None:
    data = 'image,caption\n1.png,"Best dog ever\n2.png,a cat\n3.png,"nice" hat\n4.png,"a\nhat"\n5.png,"open\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", data))
    assert [pair.caption for pair in pairs] == ["", "a cat", "", "a\nhat", ""]
    assert [bool(pair.error) for pair in pairs] == [True, False, True, False, True]


def test_a_stray_quote_in_tsv_is_text(tmp_path: Path) -> None:
    data = 'image\tcaption\n1.png\t"Best dog ever\n2.png\t"a ""nice"" cat"\n3.png\t5" pipe\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", data))
    assert [pair.caption for pair in pairs] == ['"Best dog ever', 'a "nice" cat', '5" pipe']


@pytest.mark.parametrize("names", ["caption image id", "id caption image", "image id caption", "image caption"])
def test_a_quoted_cell_of_tsv_may_have_line_ends(tmp_path: Path, names: str) -> None:
    """As pandas, polars and duckdb write it, and Excel."""
    captions = ["a dog", 'a "nice"\ncat,\n\nand\r\na hat\n', '5" pipe', '\n"\n', "a bird"]
    rows = [{"caption": caption, "image": f"{n}.png", "id": f"i{n}"} for n, caption in enumerate(captions)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names.split(), dialect="excel-tab", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    for name, data in {"a.tsv": text.getvalue().encode(), "a.tsv.gz": gzip.compress(text.getvalue().encode())}.items():
        pairs = assert_reads_alike_from_anywhere(TsvSource(stored(tmp_path / name, data), source_settings()), 1)
        assert [(p.caption, Path(p.image.uri).name) for p in pairs] == [(row["caption"], row["image"]) for row in rows]


@pytest.mark.parametrize(
    ("rows", "captions"),
    [
        ('1.png\t"open\n2.png\ta dog\n3.png\tclosed"\n', ['"open', "a dog", 'closed"']),
        ('1.png\t"open\n\n2.png\ta "nice" dog\n', ['"open', 'a "nice" dog']),
        ('1.png\t"open\nno row\n2.png\t"a dog"\n', ['"open', "", "a dog"]),
        ('1.png\t"open\n', ['"open']),
        ('1.png\t"open\nand "so" on\n', ['"open', ""]),
        ('"1.png\n2.png\t"a dog"\n', ["", "a dog"]),
    ],
)
def test_an_open_quote_in_tsv_swallows_no_row(tmp_path: Path, rows: str, captions: list[str]) -> None:
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", f"image\tcaption\n{rows}"))
    assert [pair.caption for pair in pairs] == captions
    assert [bool(pair.error) for pair in pairs] == [not caption for caption in captions]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (
            'image|caption|note\na.jpg|"dog\nb.jpg|cat|x\nc.jpg|fox|x\nd.jpg|cow"|z\ne.jpg|ok|z\n',
            ["", "cat b.jpg", "fox c.jpg", 'cow" d.jpg', "ok e.jpg"],
        ),
        (
            'caption|image|w\n"dog|a.jpg\ncat|b.jpg|4\nfox"|c.jpg|5\n',
            ["", "cat b.jpg", 'fox" c.jpg'],
        ),
        ('caption|image|w\n"dog|a.jpg\nfox"|c.jpg|5\n', ["", 'fox" c.jpg']),
        ('image|caption|w\na.jpg|"dog\nb.jpg|"a cat"|3\n', ["", "a cat b.jpg"]),
        ('image|caption|\na.jpg|"one\nb.jpg|two\nc.jpg|three"|\n', ["", "", 'three" c.jpg']),
        ('caption|note|image\n"dog\ncat|x"|b.jpg|4\nfox|y|c.jpg\n', ["", "", "fox c.jpg"]),
        ('caption|image|w\n"dog|a\ncat|b|4\nfox"|c|5\n', ["", "cat b", 'fox" c']),
        ('image|caption\na.jpg|"dog|x\nb.jpg\nc.jpg|cow"\n', ["", "", 'cow" c.jpg']),
    ],
)
def test_an_open_quote_of_a_ragged_row_swallows_no_row(tmp_path: Path, table: str, found: list[str]) -> None:
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", table.replace("|", "\t")), 1)
    assert [f"{p.caption} {Path(p.image.uri).name}" if not p.error else "" for p in pairs] == found


def test_an_open_quote_in_tsv_with_commas_swallows_no_row(tmp_path: Path) -> None:
    data = 'image,caption\na.jpg,"big, red dog\nb.jpg,a cat\nc.jpg,a cow"\nd.jpg,cow\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", data))
    assert [(p.caption, Path(p.image.uri).name) for p in pairs[1:]] == [
        ("a cat", "b.jpg"),
        ('a cow"', "c.jpg"),
        ("cow", "d.jpg"),
    ]
    assert pairs[0].error


QUOTES = st.sampled_from(["", "", '"', '""'])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.permutations(["image", "caption", "note", "other"]),
    st.integers(2, 4),
    st.lists(st.tuples(st.integers(1, 5), st.lists(QUOTES, min_size=6, max_size=6)), max_size=8),
)
def test_no_row_is_swallowed_and_no_caption_gets_another_picture(
    tmp_path: Path, names: list[str], columns: int, lines: list[tuple[int, list[str]]]
) -> None:
    names = [name for name in names if name in ("image", "caption", "note", "other")[:columns]]
    written_lines = []
    for i, (length, quotes) in enumerate(lines):
        words = {"image": f"{i}.png", "caption": f"{quotes[0]}w{i};{quotes[1]}", "note": f"{quotes[2]}n{quotes[3]}"}
        written_lines.append(
            "\t".join([*(words.get(n, f"{quotes[4]}o{quotes[5]}") for n in names), "x"][:length]) + "\n"
        )

    def read(rows: list[str]) -> list[tuple[list[str], str]]:
        source = opened(tmp_path / "a.tsv", "\t".join(names) + "\n" + "".join(rows))
        pairs = assert_reads_alike_from_anywhere(source, 1)
        return [(re.findall("w[0-9]", p.caption), Path(p.image.uri).name) for p in pairs if not p.error]

    pairs = read(written_lines)
    for i, line in enumerate(written_lines):
        alone = read([line])
        for own, picture in alone:
            assert not own or [found for words, found in pairs if own[0] in words] == [picture]
        if not alone and f"{i}.png" in line:
            assert all(found == f"{i}.png" for words, found in pairs if f"w{i}" in words)


@pytest.mark.parametrize("names", ["caption image id", "id caption image", "image id caption", "image caption"])
def test_a_quoted_cell_of_tsv_may_have_tabs_and_line_ends(tmp_path: Path, names: str) -> None:
    captions = ["one\ttwo\nthree", "one\ntwo\tthree\tfour\n", "a dog", "\t\n\t", 'a "big"\tdog\r\n\n\ta cat']
    rows = [{"caption": caption, "image": f"{n}.png", "id": f"i{n}"} for n, caption in enumerate(captions)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names.split(), dialect="excel-tab", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", text.getvalue()), 1)
    assert [(p.caption, Path(p.image.uri).name) for p in pairs] == [(row["caption"], row["image"]) for row in rows]


@pytest.mark.parametrize("values", [{}, {"header": ["caption", "image"]}])
def test_the_first_caption_of_a_table_without_a_header_may_have_line_ends(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    data = '"line one\nline two"\ta.jpg\ncat\tb.jpg\n"a\nhat"\tc.jpg\n'
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", data, **values), 1)
    found = [("line one\nline two", "a.jpg"), ("cat", "b.jpg"), ("a\nhat", "c.jpg")]
    assert [(p.caption, Path(p.image.uri).name) for p in pairs] == found


def test_three_columns_whose_first_caption_has_line_ends_need_their_names(tmp_path: Path) -> None:
    data = '"line one\nline two"\ta.jpg\t7\ncat\tb.jpg\t8\n'
    with pytest.raises(CallError, match=r"source\.header: .*set source\.header=caption,image,c2$"):
        opened(tmp_path / "a.tsv", data).ranges(10)
    pairs = pairs_of(opened(tmp_path / "a.tsv", data, header="caption,image,c2"))
    assert [p.caption for p in pairs] == ["line one\nline two", "cat"]


def test_a_plan_of_an_earlier_release_reads_one_row_per_line(tmp_path: Path) -> None:
    """The ranges and rows are those of 0.1, which stored no rule in positions."""
    data = 'caption\timage\n"one\ntwo"\t1.png\n"a\n2.png\ta\nb"\t3.png\na dog\t4.png\n'
    source = opened(tmp_path / "a.tsv", data)
    read: list[tuple[str, str, str]] = []
    for offset, row in ((14, 0), (30, 2), (41, 4)):
        start = {"offset": offset, "row": row, "skip": 0, "index": row}
        for position, pair in islice(source.read(start), 2):
            assert position.keys() == start.keys()
            assert next(source.read(position))[1] == pair
            read.append((pair.caption, Path(pair.image.uri).name, pair.error.detail if pair.error else ""))
    assert read == [
        ("", "", "row 1, at byte 14: 1 cells, but 2 columns"),
        ('two"', "1.png", ""),
        ("", "", "row 3, at byte 30: 1 cells, but 2 columns"),
        ("2.png", "a", ""),
        ('b"', "3.png", ""),
        ("a dog", "4.png", ""),
    ]
    assert [pair.caption for pair in pairs_of(source)] == ["one\ntwo", "", "2.png", 'b"', "a dog"]


@pytest.mark.parametrize("packed", [False, True])
def test_images_in_cells_are_found_by_references_of_an_earlier_release(tmp_path: Path, packed: bool) -> None:
    images = [image(shade) for shade in range(4)]
    cells = [base64.b64encode(data).decode() for data in images]
    text = f'caption\timage\n"one\ntwo"\t{cells[0]}\ncat\t{cells[1]}\n"a\n\nb"\t{cells[2]}\nfox\t{cells[3]}\n'
    source = opened(tmp_path / "a.tsv", gzip.compress(text.encode()) if packed else text)
    start = {"offset": 0, "row": 0, "skip": 0, "index": 0}
    for first, number in ((start, 6), (source.start(), 4)):
        pairs = [pair for _, pair in source.read(first)]
        assert len(pairs) == number
        references = [pair.image for pair in pairs if not pair.error]
        assert [pair.data for pair in pairs if not pair.error] == images
        assert list(source.fetch(references)) == images
        assert list(source.fetch(references[::-1])) == images[::-1]


def test_an_open_quote_before_damage_costs_no_row(tmp_path: Path) -> None:
    rows = [[f"{i}.png", f"{i * 7919 % 99991} dogs"] for i in range(15_000)]
    data = gzip.compress(written([["image", "caption"], *rows], "\t").encode())[:50_000]
    number = len(read_up_to_damage(opened(tmp_path / "a.tsv", data)))
    for row in rows[number - 9 :: 20]:
        row[1] = f'"{row[1]}'
    data = gzip.compress(written([["image", "caption"], *rows], "\t").encode())[:50_000]
    captions = read_up_to_damage(opened(tmp_path / "a.tsv", data))
    assert any(caption.startswith('"') for caption in captions[-20:])
    assert captions == read_up_to_damage(opened(tmp_path / "a.tsv", data, quoting="none"))


def read_up_to_damage(source: DelimitedSource) -> list[str]:
    captions = []
    with pytest.raises(SourceFault, match="truncated or damaged"):
        captions.extend(pair.caption for _, pair in source.read(source.start()))
    return captions


def test_open_quotes_in_tsv_cost_little_time(tmp_path: Path) -> None:
    """Each search reads a line once, and ends at the next quote of another row."""
    rows = '1.png\t"open\n' * 8_000 + '"\n' * 8_000 + '2.png\t"open\n' + "no row\n" * 8_000
    assert len(pairs_of(opened(tmp_path / "a.tsv", f"image\tcaption\n{rows}"))) > 20_000
    cell = "\n".join(f'line {i} says ""wuff"" to me' for i in range(10_000))
    assert len(pairs_of(opened(tmp_path / "b.tsv", f'image\tcaption\n1.png\t"{cell}"\n'))) == 10_000
    rows = "".join(f'{i}.png\ta dog said ""wuff"", row {i}\tx\n' for i in range(8_000))
    assert len(pairs_of(opened(tmp_path / "c.tsv", f'image\tcaption\tw\n1.png\t"open\n{rows}'))) == 8_001


@pytest.mark.parametrize(
    ("lines", "length", "number"), [(1_000, 1, 1), (1_001, 1, 1_001), (60, 1_000, 1), (70, 1_000, 70)]
)
def test_a_row_of_tsv_has_a_largest_size(tmp_path: Path, lines: int, length: int, number: int) -> None:
    cell = "\n".join(["x" * length] * lines)
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", f'image\tcaption\n1.png\t"{cell}"\n'))
    assert len(pairs) == number
    assert (pairs[0].caption == cell) == (number == 1)


def test_an_image_in_a_cell_may_be_beside_a_caption_with_line_ends(tmp_path: Path) -> None:
    data = random.Random(7).randbytes(300_000)
    cell = base64.b64encode(b"\xff\xd8\xff" + data).decode()
    for row in (f'{cell}\t"a\nhat"', f'"a\nhat"\t{cell}'):
        [pair] = pairs_of(opened(tmp_path / "a.tsv", f"{row}\n"))
        assert (pair.caption, pair.data[3:]) == ("a\nhat", data)


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


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", r"--input: .*a\.csv: no header line$"),
        (b'"' + b"x" * (2 << 20) + b'",caption\n1.png,a\n', r'has no column image .*; it has "x{59}…, caption$'),
    ],
)
def test_a_table_without_a_header_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(CallError, match=told):
        _ = opened(tmp_path / "a.csv", data).columns


def test_a_header_alone_is_no_pair(tmp_path: Path) -> None:
    source = opened(tmp_path / "a.csv", "image,caption\n")
    assert source.ranges(10) == []


def test_a_big_table_is_cut_into_ranges_but_never_inside_one_images_captions(tmp_path: Path) -> None:
    rows = "".join(f'{i // 3}.png,"a\n{i}"\n' for i in range(40))
    source = opened(tmp_path / "a.csv", "image,caption\n" + rows)
    assert [spec.pairs for spec in source.ranges(8)] == [9, 9, 9, 9, 4]
    assert [p.caption for p in assert_reads_alike_from_anywhere(source, 8)] == [f"a\n{i}" for i in range(40)]


def written(rows: list[list[str]], glue: str, end: str = "\n") -> str:
    return "".join(glue.join(row) + end for row in rows)


ROWS = [["1.png", "a dog"], ["2.png", "ein Hütchen 🎩"]]
TABLE = [["image", "caption"], *ROWS]
FOUND = [("a dog", "1.png"), ("ein Hütchen 🎩", "2.png")]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("semicolon.csv", written(TABLE, ";")),
        ("tab.csv", written(TABLE, "\t")),
        ("comma.tsv", written(TABLE, ",")),
        ("pipe.csv", written(TABLE, "| ")),
        ("blank.csv", written(TABLE, ", ")),
        ("blank.tsv", "image\t caption\n1.png\ta dog\n2.png\tein Hütchen 🎩\n"),
        ("quoted.csv", 'image; caption\n1.png; "a dog"\n"2.png"; ein Hütchen 🎩\n'),
        ("quoted_header.csv", '"image";"caption"\n"1.png";"a dog"\n"2.png";"ein Hütchen 🎩"\n'),
        ("quoted_header.tsv", '"image"|"caption"\n"1.png"|"a dog"\n"2.png"|"ein Hütchen 🎩"\n'),
        ("excel.csv", written([["Image", "CAPTION"], *ROWS], ";")),
        ("padded.csv", written([[" image ", "caption "], *ROWS], ",")),
        ("cr.csv", written(TABLE, ",", "\r")),
        ("cr.tsv", written(TABLE, "\t", "\r")),
        ("utf16.csv", written(TABLE, ",", "\r\n").encode("utf-16")),
        ("utf16be.tsv", b"\xfe\xff" + written(TABLE, "\t").encode("utf-16-be")),
        ("utf32.csv", written(TABLE, ";", "\r").encode("utf-32")),
        ("gz.csv", gzip.compress(written(TABLE, ";").encode("utf-16"), mtime=0)),
        ("headerless.tsv", written(ROWS, "\t")),
        ("headerless.csv", written(ROWS, ", ")),
        ("caption_first.tsv", written([row[::-1] for row in ROWS], "\t")),
        ("flickr.token", "1.png#0\ta dog\n2.png#0\tein Hütchen 🎩\n"),
        ("mac.token", "1.png#0\ta dog\r2.png#13\tein Hütchen 🎩\r"),
        ("flickr.csv", "image_name| comment_number| comment\n1.png| 0| a dog\n2.png| 0| ein Hütchen 🎩\n"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value and len(value) < 30 else "",
)
def test_tables_as_people_have_them(tmp_path: Path, name: str, data: bytes | str) -> None:
    path = tmp_path / name
    source = (TsvSource if path.suffix in (".tsv", ".token") else CsvSource)(stored(path, data), source_settings())
    pairs = assert_reads_alike_from_anywhere(source, 1)
    assert [(p.caption, Path(p.image.uri).name, p.error) for p in pairs] == [(*found, None) for found in FOUND]


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ("1.png:a dog:7\n2.png:ein Hütchen 🎩:8\n", {"delimiter": ":", "header": ["image", "caption", "n"]}),
        ("a dog,x,1.png\nein Hütchen 🎩,y,2.png\n", {"header": ["caption", "n", "image"]}),
        ("a dog|1.png\nein Hütchen 🎩|2.png\n", {"header": ["caption", "path"]}),
        ("1.png;a dog;x\n2.png;ein Hütchen 🎩;y\n", {"header": "image, caption,n"}),
        (" caption,image\na dog,1.png\nein Hütchen 🎩,2.png\n", {"columns": {"caption": [" caption"]}}),
        ("image,caption\n1.png,a dog\n2.png,ein Hütchen 🎩\n".encode("utf-16-le"), {"encoding": "UTF-16LE"}),
    ],
)
def test_settings_say_what_the_first_row_does_not(tmp_path: Path, data: bytes | str, values: dict[str, Any]) -> None:
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", data, **values))
    assert [(p.caption, Path(p.image.uri).name, p.error) for p in pairs] == [(*found, None) for found in FOUND]


@pytest.mark.parametrize("glue", ["|", ";", "\t"])
@pytest.mark.parametrize("values", [{}, {"header": ["caption", "image"]}])
def test_a_comma_in_a_caption_is_no_delimiter(tmp_path: Path, glue: str, values: dict[str, Any]) -> None:
    rows = [["a man, smiling", "1.png"], ["a dog", "2.png"]]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", written(rows, glue), **values))
    assert [(p.caption, Path(p.image.uri).name) for p in pairs] == [("a man, smiling", "1.png"), ("a dog", "2.png")]


def test_blanks_after_delimiters_go_only_if_every_row_has_them(tmp_path: Path) -> None:
    for name, data, captions in (
        ("a.csv", "1.png, a\n2.png,  b\n", ["a", "b"]),
        ("b.csv", "1.png, a\n2.png,b\n", [" a", "b"]),
        ("c.tsv", "1.png\t a\n2.png\t b\n", [" a", " b"]),
    ):
        assert [p.caption for p in pairs_of(opened(tmp_path / name, data))] == captions


def test_the_printed_names_of_columns_work(tmp_path: Path) -> None:
    data = "7,1.png,a dog\n8,2.png,ein Hütchen 🎩\n"
    with pytest.raises(CallError) as refused:
        opened(tmp_path / "a.csv", data).ranges(10)
    [header] = re.findall(r"--set source\.header=(\S+)", str(refused.value))
    pairs = pairs_of(opened(tmp_path / "a.csv", data, header=header))
    assert [(p.caption, Path(p.image.uri).name) for p in pairs] == FOUND


def test_a_headerless_table_with_images_in_cells(tmp_path: Path) -> None:
    rows = [[base64.b64encode(image(i)).decode(), f"dog {i}"] for i in range(3)]
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.tsv", written(rows, "\t")))
    assert [(p.caption, p.data) for p in pairs] == [(f"dog {i}", image(i)) for i in range(3)]


def test_bytes_that_are_not_text_in_the_encoding_fail_their_pair(tmp_path: Path) -> None:
    data = "image,caption\n1.png,猫と犬\n2.png,".encode("shift_jis") + b"\xff\xfe\n3.png,a dog\n"
    pairs = assert_reads_alike_from_anywhere(opened(tmp_path / "a.csv", data, encoding="shift_jis"))
    assert [(p.caption, p.error.reason if p.error else None) for p in pairs][::2] == [("猫と犬", None), ("a dog", None)]
    assert pairs[1].error
    assert pairs[1].error.reason == Reason.ENCODING


@pytest.mark.parametrize(
    ("data", "values", "told"),
    [
        (
            "1.png,a dog,7\n",
            {},
            r"source\.header: .*a\.csv has no header line, but begins with '1\.png', 'a dog', '7'; name",
        ),
        (
            "a dog,http://x/1\n",
            {},
            r"has no header line, .* it lists URLs; write a header line with caption and url, in the order",
        ),
        (
            "caption,url\na,http://x\n",
            {},
            r"lists URLs, in the column url; .* img2dataset --url_list .*a\.csv --input_f",
        ),
        (
            "caption,image\na,http://x\n",
            {},
            r"lists URLs, in the column image; .* --url_col image --caption_col caption",
        ),
        ("caption;url\na;http://x\n", {}, r"lists URLs, in the column url; .* --url_col url --caption_col caption"),
        ("1.png,http://x/1.png\n", {}, r"source\.header: .* has no header line"),
        ("caption,image\n" + "a,http://x\n" * 3, {}, r"lists URLs"),
        (
            "caption,url,image_path\na,http://x,1.png\n",
            {"columns": {"image": "imge_path"}},
            r"has no column imge_path; it has caption, url, image_path; did you mean image_path\?",
        ),
        (
            "file,image,caption\n1.png,http://x,a\n",
            {},
            r"set source\.columns\.image=file if that column names files, or",
        ),
        ("caption,image,caption\na,1.png,b\n", {}, r"2 columns are called caption; rename all but one$"),
        ("a,b\nc,d\n", {}, r"source\.columns\.caption: .*a\.csv has no column caption or .*; it has a, b$"),
        (
            "1.png,a\n",
            {"header": ["image", "caption", "n"]},
            r"source\.header: 3 names, but the first row of .*a\.csv has 2 cells, separated",
        ),
        ("\n", {}, r"--input: .*a\.csv: no header line$"),
    ],
)
def test_what_cannot_be_a_table_of_images_is_refused(
    tmp_path: Path, data: str, values: dict[str, Any], told: str
) -> None:
    with pytest.raises(CallError, match=told):
        opened(tmp_path / "a.csv", data, **values).ranges(10)


@pytest.mark.parametrize(
    "data",
    [
        "sep=;\npath;text\n1.png;a, dog\n2.png;a hat\n",
        "\ufeffsep=\t\r\npath\ttext\r\n1.png\ta, dog\r\n2.png\ta hat\r\n",
        '"sep=|"\r1.png|a, dog\r2.png|a hat\r',
        "SEP=^\npath^text\n1.png^a, dog\n2.png^a hat\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_first_line_of_excel_names_the_delimiter(tmp_path: Path, data: str, encoding: str) -> None:
    source = opened(tmp_path / "a.csv", data.encode(encoding))
    pairs = assert_reads_alike_from_anywhere(source, 1)
    assert [(p.key, p.caption, p.image.uri) for p in pairs] == [
        ("0", "a, dog", f"{tmp_path}/1.png"),
        ("1", "a hat", f"{tmp_path}/2.png"),
    ]


def test_a_given_delimiter_goes_before_that_of_the_first_line(tmp_path: Path) -> None:
    pairs = pairs_of(opened(tmp_path / "a.csv", "sep=;\npath,text\n1.png,a; dog\n", delimiter=","))
    assert [(p.caption, p.image.uri) for p in pairs] == [("a; dog", f"{tmp_path}/1.png")]
    with pytest.raises(CallError, match="no header line"):
        opened(tmp_path / "b.csv", "sep=;\n").ranges(10)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text", ["path,text\n1.png,ein Hütchen 🎩\n", "1.png,a dog\n", "path,text\n1.png,一只狗在田野里奔跑着追一个球\n"]
)
def test_an_encoding_without_its_mark_is_named(tmp_path: Path, encoding: str, text: str) -> None:
    source = opened(tmp_path / "a.csv", text.encode(encoding))
    with pytest.raises(CallError, match=rf"a\.csv looks like {encoding} without .*; set source\.encoding={encoding}$"):
        source.ranges(10)
    [pair] = pairs_of(opened(tmp_path / "a.csv", text.encode(encoding), encoding=encoding))
    assert pair.image.uri == f"{tmp_path}/1.png"


BASE64 = base64.b64encode(image(1, "JPEG")).decode()


@pytest.mark.parametrize(
    ("captions", "image_first"),
    [
        (["1234", "1235", "1236"], False),
        (["img_0012", "img_0013", "img_2"], True),
        (["17", "3", "17", "3"], True),
        (["0a1e-f2", "0a1e-f3", "77b1-08"], True),
        (["2024-01-02 ", "2024-01-03", "2024-02-01"], False),
        (["dQw4w9WgXcQ", "a1b2c3d4e5f", "9bZkp7q19f0"], False),
    ],
)
def test_ids_beside_images_are_no_captions(tmp_path: Path, captions: list[str], image_first: bool) -> None:
    data = written([[BASE64, caption] if image_first else [caption, BASE64] for caption in captions], "\t")
    names = "image,caption" if image_first else "caption,image"
    told = (
        rf"^source\.header: beside its images, .*a\.tsv has '{captions[0].strip()}' and the like, which are no captions"
    )
    with pytest.raises(CallError, match=rf"{told}; .*; if they are captions, set source\.header={names}$"):
        opened(tmp_path / "a.tsv", data).ranges(10)
    assert [p.caption for p in pairs_of(opened(tmp_path / "a.tsv", data, header=names))] == captions
    start = {"offset": 0, "row": 0, "skip": 0, "index": 0}  # of a plan of 0.1, which read them
    assert [pair.caption for _, pair in opened(tmp_path / "a.tsv", data).read(start)] == captions


@pytest.mark.parametrize(
    "captions",
    [
        ["1girl,solo,blue_eyes"] * 30,
        ["1girl"] * 30,
        ["1girl", "2girls", "1boy", "1girl"],
        ["MP3-player", "4x4"],
        ["cat1"],
        ["4x4", "a1", "mp3"],
        ["1984", "a dog"],
    ],
)
def test_tags_and_words_beside_images_are_captions(tmp_path: Path, captions: list[str]) -> None:
    data = written([[f"{i}.jpg", caption] for i, caption in enumerate(captions)], "\t")
    assert [p.caption for p in pairs_of(opened(tmp_path / "a.tsv", data))] == captions


@pytest.mark.parametrize("caption", ["dog", "一只狗", "7 dogs", "chien2é", "", "a1 b"])
def test_a_short_caption_beside_an_image_is_one(tmp_path: Path, caption: str) -> None:
    assert pairs_of(opened(tmp_path / "a.tsv", f"1.jpg\t{caption}\n"))[0].caption == caption


def test_nuls_alone_are_no_encoding(tmp_path: Path) -> None:
    [pair] = pairs_of(opened(tmp_path / "a.csv", b"path,text\n1.png,a dog\0\0\0\n"))
    assert pair.caption == "a dog"


@pytest.mark.parametrize("packed", [gzip.compress, ZstdCompressor(write_checksum=True).compress])
def test_of_a_damaged_compressed_table_the_rows_before_the_damage_are_read(tmp_path: Path, packed: Any) -> None:
    rows = [[f"{i}.png", f"{i * 7919 % 99991} dogs"] for i in range(15_000)]
    data = packed(written([["image", "caption"], *rows], ",").encode())
    source = opened(tmp_path / "a.csv", data[: len(data) // 2])
    [spec] = source.ranges(100)
    captions = []
    with pytest.raises(SourceFault, match=r"^the (gzip|zstd) stream is truncated or damaged$"):
        captions.extend(pair.caption for _, pair in source.read(spec.start))
    assert captions == [caption for _, caption in rows[: len(captions)]]
    assert len(captions) > 4_000
