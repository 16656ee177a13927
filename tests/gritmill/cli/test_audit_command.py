"""`gritmill audit` on the command line."""

import json

from gritmill.cli.show_audit import _rates
from tests.gritmill.auditing import planted


def test_the_screen_says_what_was_read_and_what_is_wrong(call, tmp_path):
    rows = [planted.clean(number) for number in range(20)]
    planted.both(rows[3], 0, x2=1.25)
    planted.both(rows[4], 0, end=4)
    planted.write_lines(rows, tmp_path / "a.jsonl")
    planted.write_lines([{"\x1b[31mname": 1}], tmp_path / "b.jsonl")
    status, out, lines = call("audit", "a.jsonl", "b.jsonl", "--examples", 1)
    text = " ".join(out.split())
    assert (status, lines) == (0, [])
    assert "a.jsonl: grit, 20 rows" in text
    assert f"left out: {tmp_path}/b.jsonl: its columns are \\x1b[31mname: none of grit, odvg, coco, hf, truth" in text
    assert " 20 pairs, 60 phrases, 60 boxes" in text
    assert "pictures" not in text  # each caption names an image of its own, and two of these may be equal
    assert "as if no two captions had the same picture" in text
    assert "boxes that reach out of the image 1 60 16.7 2.91 to 89.5" in text
    assert "a.jsonl:4: noun_chunks[0] [0.1, 0.2, 1.25, 0.6]" in text
    assert "a.jsonl:5: 'a ho'" in text
    assert "counts 60 59 1 0 0" in text


def test_an_audit_is_no_gate_but_says_what_it_could_not_read(call, tmp_path):
    rows = [planted.clean(number) for number in range(3)]
    planted.both(rows[0], 0, x1=0.9)
    planted.write_lines(rows, tmp_path / "a.jsonl")
    (tmp_path / "b.parquet").write_bytes(b"no parquet")
    (tmp_path / "c.jsonl").write_text("no JSON\n")
    assert call("audit", "a.jsonl", "--no-claims")[0] == 0
    status, out, (line,) = call("audit", "a.jsonl", "b.parquet", "--no-claims")
    assert status == 1
    assert line.startswith(f"gritmill: {tmp_path}/b.parquet: not a parquet file: ")
    assert "b.parquet: cannot be read: not a parquet file" in out
    status, _, (line,) = call("audit", "c.jsonl", "--no-claims")
    assert status == 1
    assert line.startswith(f"gritmill: nothing was read: {tmp_path}/c.jsonl: no row that can be read; row 1: ")
    assert call("audit", "missing.jsonl")[::2] == (2, ["gritmill: FILE: missing.jsonl: no such file"])


def test_what_could_not_be_read_is_said_once(call, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"name": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"caption": "a", "noun_chunks": 5}\n')
    status, out, (line,) = call("audit", "a.jsonl", "--no-claims")
    assert (status, out) == (1, "")
    assert line.startswith(f"gritmill: nothing was read: {tmp_path}/a.jsonl: its columns are name")
    (tmp_path / "c.jsonl").write_text('{"word": 1}\n')
    _, out, _ = call("audit", "a.jsonl", "c.jsonl", "--no-claims")
    assert [line.split(": ")[1] for line in out.splitlines()] == [f"{tmp_path}/a.jsonl", f"{tmp_path}/c.jsonl"]
    _, _, (line,) = call("audit", "b.jsonl", "--no-claims", "--examples", 0)
    assert line == "gritmill: nothing was read: no row is in the format; --examples 1 shows one"


def test_rates_have_no_exponent():
    values = ((1000.0, "1,000"), (999.7, "1,000"), (12.345, "12.3"), (0.05, "0.05"), (0.0, "0"), (4e-5, "0.00004"))
    for value, text in values:
        assert _rates({"per_thousand": value, "low": 0.0, "high": 1000.0}) == (text, "0 to 1,000")


def test_a_wrong_choice_is_said_in_our_words(call):
    """Pydantic, by which Typer reads choices, puts two words before them."""
    status, _, (line,) = call("eval", "demo", "--on", "vsrr")
    assert status == 2
    assert line.startswith("gritmill: Invalid value for '--on': 'vsrr' is not one of 'flickr30k'")


def test_json_has_the_figures(call, tmp_path):
    planted.write_lines([planted.clean(0)], tmp_path / "a.jsonl")
    status, out, _ = call("audit", "a.jsonl", "--json")
    result = json.loads(out)
    assert status == result["status"] == 0
    assert result["counts"]["boxes"] == 3
    assert set(result["checks"]["outside"]) >= {"found", "of", "per_thousand", "low", "high", "examples"}
    assert result["claims"]["count"]["supported"]["found"] == 3


def test_pictures_are_counted_where_the_rows_tell_them_apart(call, tmp_path):
    rows = [
        {**planted.clean(number), "url": f"https://example.com/{number // 4}.jpg", "key": ""} for number in range(8)
    ]
    planted.write_lines(rows, tmp_path / "a.jsonl")
    text = call("audit", "a.jsonl", "--no-claims")[1]
    assert "\n2 pictures, 8 pairs, 24 phrases, 24 boxes\n" in text
    assert "Intervals are of 95 %, by picture." in text
