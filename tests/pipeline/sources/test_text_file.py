import gzip
import random
from pathlib import Path

import pytest

from pipeline.faults import SourceFault
from pipeline.sources import text_file
from pipeline.sources.text_file import open_text, read_text
from tests.pipeline.builders import stored

LINES = [f'{{"n": {n}, "caption": "ein Hütchen 🎩 und 犬 {"x" * (n % 70)}"}}\n' for n in range(3_000)]
TEXT = "".join(LINES)


def lines_of(path: Path, encoding: str = "", offset: int = 0) -> tuple[list[bytes], str]:
    """The lines from a byte on, and the fault that ends them, if any."""
    lines: list[bytes] = []
    try:
        with open_text(str(path), encoding) as text:
            text.file.seek(offset)
            lines.extend(iter(text.file.readline, b""))
    except SourceFault as fault:
        return lines, str(fault)
    return lines, ""


def read_up_to(path: Path, data: bytes, encoding: str = "") -> tuple[int, str]:
    """The number of sound lines, and the fault. They are the same wherever reading begins."""
    stored(path, data)
    lines, fault = lines_of(path, encoding)
    assert [line.decode().removeprefix("\ufeff") for line in lines] == LINES[: len(lines)]
    for start in (1, len(lines) // 2, len(lines)):
        assert lines_of(path, encoding, sum(map(len, lines[:start]))) == (lines[start:], fault)
    return len(lines), fault


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("lost", [1, 3])
def test_after_a_lost_byte_the_rest_is_a_fault(tmp_path: Path, encoding: str, lost: int) -> None:
    mark = "\ufeff".encode(encoding)
    data = mark + TEXT.encode(encoding)
    for line in (0, 1, 1_700, 2_999):
        at = len(mark) + len("".join(LINES[:line]).encode(encoding)) + 20
        for setting in ("", encoding):
            name = setting or encoding[:6]
            number, fault = read_up_to(tmp_path / "a.jsonl", data[:at] + data[at + lost :], setting)
            assert (number, fault.partition(":")[0]) == (line, f"not {name} from line {line + 1} on")


def test_two_lost_bytes_in_two_lines_are_seen_though_the_length_is_even(tmp_path: Path) -> None:
    data = TEXT.encode("utf-16-le")
    first, second = (len("".join(LINES[:line]).encode("utf-16-le")) + 21 for line in (1_000, 2_000))
    number, fault = read_up_to(tmp_path / "a", data[:first] + data[first + 1 : second] + data[second + 1 :], "utf-16le")
    assert number == 1_000
    assert (
        fault
        == "not utf-16-le from line 1001 on: a byte is lost, or the order of bytes is wrong; save it again as UTF-8"
    )


@pytest.mark.parametrize(("right", "wrong"), [("utf-16-le", "utf-16-be"), ("utf-32-be", "utf-32-le")])
def test_the_wrong_byte_order_is_a_fault(tmp_path: Path, right: str, wrong: str) -> None:
    number, fault = read_up_to(tmp_path / "a", TEXT.encode(right), wrong)
    assert (number, fault) == (
        0,
        f"not {wrong} from line 1 on: a byte is lost, or the order of bytes is wrong; save it again as UTF-8",
    )


def test_a_file_that_is_cut_in_a_character_says_so(tmp_path: Path) -> None:
    number, fault = read_up_to(tmp_path / "a", TEXT.encode("utf-16")[:-5])
    assert (number, fault) == (
        2_999,
        "not utf-16 from line 3000 on: it ends in the middle of a character; save it again as UTF-8",
    )


@pytest.mark.parametrize("encoding", ["utf-16", "U16", "utf_16-LE", "utf-16-be", "utf-32", "UTF32", "utf-8-sig"])
def test_sound_text_is_read_in_each_encoding(tmp_path: Path, encoding: str) -> None:
    assert read_up_to(tmp_path / "a", TEXT.encode(encoding), encoding) == (3_000, "")
    assert read_text(str(tmp_path / "a"), encoding).decode().removeprefix("\ufeff") == TEXT


@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "utf-16"), ("U32", "utf-32"), ("UTF16", "utf-16")])
@pytest.mark.parametrize("data", [TEXT.encode("utf-16-le"), b"a", b"image,caption\n", "\ufeffa".encode()])
def test_an_encoding_that_needs_a_mark_names_those_that_do_not(
    tmp_path: Path, encoding: str, name: str, data: bytes
) -> None:
    stored(tmp_path / "a", data)
    fault = f"^{name} without a byte-order mark; set source.encoding={name}-le or {name}-be$"
    assert not lines_of(tmp_path / "a", encoding)[0]
    with pytest.raises(SourceFault, match=fault), open_text(str(tmp_path / "a"), encoding):
        pass
    with pytest.raises(SourceFault, match=fault):
        read_text(str(tmp_path / "a"), encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "iso2022_jp", "utf-7", "shift_jis"])
def test_any_bytes_in_any_encoding_are_lines_or_a_fault_of_one_line(tmp_path: Path, encoding: str) -> None:
    noise = random.Random(7)
    for _ in range(50):
        stored(tmp_path / "a", "\ufeff".encode("utf-16-le") * (encoding == "utf-16") + noise.randbytes(3_000))
        lines, fault = lines_of(tmp_path / "a", encoding)
        assert "\n" not in fault
        assert (not fault) or fault.startswith(f"not {encoding} from line {len(lines) + 1} on: ")


def test_an_empty_file_needs_no_mark(tmp_path: Path) -> None:
    assert read_up_to(tmp_path / "a", b"", "utf-16") == (0, "")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("more", [0, 1, 70_000])
def test_a_line_has_a_longest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, more: int) -> None:
    """The same one wherever reading begins, whatever precedes it."""
    monkeypatch.setattr(text_file, "LONGEST_LINE", 1 << 20)
    long = b"y" * ((1 << 20) + more)
    for before in (0, 1, 60_000, 65_535, 65_536, 131_000):
        for after in (b"", b"\n", b"\nnext\n"):
            start = b"x" * before + b"\n"
            data = start + long + after
            stored(tmp_path / "a", gzip.compress(data, 1) if packed else data)
            for offset in (0, len(start)):
                lines, fault = lines_of(tmp_path / "a", "", offset)
                sound = data.splitlines(keepends=True)
                expected = sound if not more else sound[:1]
                assert lines == (expected if offset == 0 else expected[1:])
                cure = "end each row with a line end, or set source.kind if this is no text table"
                assert fault == (f"the line at byte {len(start)} is longer than 1 MiB; {cure}" if more else "")
            assert read_text(str(tmp_path / "a"), "") == data
