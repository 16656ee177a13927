"""`gritmill audit` on the command line."""

import json

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
    assert "20 pictures, 20 pairs, 60 phrases, 60 boxes" in text
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
    assert (status, line) == (1, f"gritmill: nothing was read: {tmp_path}/c.jsonl: no row that can be read")
    assert call("audit", "missing.jsonl")[::2] == (2, ["gritmill: FILE: missing.jsonl: no such file"])


def test_json_has_the_figures(call, tmp_path):
    planted.write_lines([planted.clean(0)], tmp_path / "a.jsonl")
    status, out, _ = call("audit", "a.jsonl", "--json")
    result = json.loads(out)
    assert status == result["status"] == 0
    assert result["counts"]["boxes"] == 3
    assert set(result["checks"]["outside"]) >= {"found", "of", "per_thousand", "low", "high", "examples"}
    assert result["claims"]["count"]["supported"]["found"] == 3
