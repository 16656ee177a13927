"""`gritmill look` on small sources."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

import gritmill
from gritmill.cli.show_sources import show
from tests.pipeline.builders import image, stored, tar


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table with a missing file and an empty caption, a tar, a table that is none, and a text file."""
    stored(tmp_path / "1.png", image(1))
    rows = [("1.png", "a dog"), ("2.png", "a cat"), ("1.png", ""), *[("1.png", f"{i} hats") for i in range(6)]]
    stored(tmp_path / "a.csv", "".join(f"{path};{caption}\n" for path, caption in [("path", "text"), *rows]))
    stored(tmp_path / "b.tar", tar([("k.png", image(2)), ("k.json", json.dumps({"caption": ["b", "c"]}).encode())]))
    stored(tmp_path / "c.csv", "n,url\n1,http://x/1.png\n")
    stored(tmp_path / "d.jsonl", json.dumps({"image": base64.b64encode(image(3)).decode(), "text": "d"}))
    stored(tmp_path / "notes.txt", "not a source")
    return tmp_path


def test_what_would_be_read(folder: Path) -> None:
    result = gritmill.look(folder)
    found = {Path(source["uri"]).name: source for source in result["sources"]}
    assert [(name, one["kind"], one["pairs"], one["read"]) for name, one in found.items()] == [
        ("a.csv", "csv", 9, 9),
        ("b.tar", "webdataset", 2, 2),
        ("c.csv", "", None, 0),
        ("d.jsonl", "jsonl", 1, 1),
    ]
    assert found["a.csv"]["about"] == {
        "caption": "column text",
        "image": "column path",
        "cells": 'separated by ";", a header line',
    }
    assert [one["caption"] for one in found["a.csv"]["examples"]] == ["a dog", "0 hats", "1 hats", "2 hats", "3 hats"]
    assert found["a.csv"]["examples"][0] == {"key": "0", "caption": "a dog", "width": 8, "height": 6}
    assert found["a.csv"]["problems"] == {"read: missing_file": 1, "no_caption": 1}
    assert found["a.csv"]["first_problems"]["read: missing_file"] == f"1: {folder}/2.png"
    assert found["c.csv"]["fault"].startswith("source.columns.caption: ")
    assert result["skipped"] == {".png": 1, ".txt": 1}


def test_settings_of_the_source_are_used(folder: Path) -> None:
    config: dict[str, Any] = {"source": {"columns": {"caption": "n", "image": "url"}}}
    [source] = gritmill.look(folder / "c.csv", config=config)["sources"]
    assert "lists URLs, in the column url" in source["fault"]


def test_of_many_sources_only_the_first_are_opened(tmp_path: Path) -> None:
    for number in range(23):
        stored(tmp_path / f"{number:02}.tar", tar([("k.png", image(2)), ("k.txt", b"a dog")]))
    result = gritmill.look(tmp_path)
    assert [source["pairs"] for source in result["sources"]] == [1] * 20
    assert result["others"] == {"webdataset": 3}


def test_it_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(gritmill.look([folder / "a.csv", folder / "c.csv"]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        f"{folder}/a.csv (csv): 9 pairs",
        "  caption  column text",
        "  image    column path",
        '  cells    separated by ";", a header line',
        "  0  8 x 6  a dog",
    ]
    assert lines[9:12] == [
        "  of the first 9 pairs, 7 can be used",
        f"  1 read: missing_file, the first is 1: {folder}/2.png",
        "  1 no_caption, the first is 2",
    ]
    assert lines[12] == f"{folder}/c.csv (unknown kind)"
    assert lines[13].startswith("  cannot be read: source.columns.caption: ")
