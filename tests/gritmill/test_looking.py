"""`gritmill look` on small sources."""

import base64
import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gritmill
from gritmill import looking
from gritmill.cli.show_sources import show
from pipeline.configuration import validate
from tests.pipeline.builders import image, stored, tar
from transforms.records import ImageRef, Pair


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
    assert result["left_out"] == []


def test_pictures_that_are_left_out_are_told(folder: Path) -> None:
    stored(folder / "1.txt", b"a dog")
    [line] = gritmill.look(folder)["left_out"]
    assert line.startswith(f"left out: 1 picture with captions in 1 folder, first {folder}, because of the table")


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


def test_before_the_damage_pairs_are_counted_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path / "1.png", image(1))
    filling = [random.Random(n).randbytes(8_000).hex() for n in range(20)]
    text = "path;text;filling\n" + "".join(f"1.png;{n} hats;{filling[n]}\n" for n in range(20))
    packed = gzip.compress(text.encode())
    stored(tmp_path / "a.csv.gz", packed[: len(packed) // 2])
    [source] = gritmill.look(tmp_path / "a.csv.gz")["sources"]
    assert source["pairs"] == source["read"]
    assert 5 <= source["pairs"] <= 10  # half of them, less a step of 64 KiB
    assert [one["caption"] for one in source["examples"]] == [f"{n} hats" for n in range(5)]
    assert "gzip" in source["fault"]
    show({"sources": [source], "others": {}, "left_out": []})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{tmp_path}/a.csv.gz (csv): {source['pairs']} pairs"
    assert lines[1] == f"  cannot be read completely: {source['fault']}"


def test_damage_after_the_examples_leaves_the_number_before_it(tmp_path: Path) -> None:
    """The first 100 pairs are sound; only counting reaches the damage."""
    stored(tmp_path / "1.png", image(1))
    filling = [random.Random(n).randbytes(2_000).hex() for n in range(300)]
    packed = gzip.compress("".join(f"1.png,{n} hats,{filling[n]}\n" for n in range(300)).encode())
    stored(tmp_path / "a.csv.gz", packed[: len(packed) * 2 // 3])
    config: dict[str, Any] = {"source": {"header": ["path", "text", "filling"]}}
    [source] = gritmill.look(tmp_path / "a.csv.gz", config=config)["sources"]
    assert source["read"] == 100
    assert 180 <= source["pairs"] <= 200
    assert "gzip" in source["fault"]


def test_a_damaged_tar_shows_the_pairs_before_the_damage(tmp_path: Path) -> None:
    members = [(f"{n}.{end}", data) for n in range(4) for end, data in (("png", image(n)), ("txt", b"a dog"))]
    data = tar(members)
    stored(tmp_path / "a.tar", data[: 6 * 1024 + 700])  # ends in the picture of the last pair
    [source] = gritmill.look(tmp_path / "a.tar")["sources"]
    assert [one["key"] for one in source["examples"]] == ["0", "1", "2"]
    assert source["fault"].startswith("truncated or damaged")


def test_what_may_not_be_meant_is_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path / "a.tar", tar([("0.jpg", image(1)), ("0.png", image(2)), ("0.txt", b"a dog")]))
    result = gritmill.look(tmp_path / "a.tar")
    [notice] = result["sources"][0]["notices"]
    assert notice.startswith("0.jpg and 0.png: two images with one key")
    show(result)
    assert capsys.readouterr().out.splitlines()[-1] == f"  note: {notice}"


def test_settings_that_the_kind_does_not_use_are_a_note(tmp_path: Path) -> None:
    stored(tmp_path / "0.jpg", image())
    stored(tmp_path / "a.jsonl", json.dumps({"image": "0.jpg", "caption": "a dog", "uid": 1}))
    settings = {"source": {"header": ["image", "caption"], "columns": {"id": "uidd"}}}
    [source] = gritmill.look([tmp_path / "a.jsonl"], config=settings)["sources"]
    assert source["notices"] == [
        "source.columns.id: the first pairs have no column uidd; did you mean uid?",
        "source.header has no effect: the kind of the sources is jsonl",
    ]


def test_captions_that_stand_for_none_are_a_note(tmp_path: Path) -> None:
    stored(tmp_path / "1.png", image(1))
    captions = ["nan", "a dog", "NULL", "nan", "none of the hats"]
    stored(tmp_path / "a.csv", "path,text\n" + "".join(f"1.png,{caption}\n" for caption in captions))
    [source] = gritmill.look(tmp_path / "a.csv")["sources"]
    assert source["notices"] == [
        "3 captions of the first 5 are the text nan or NULL; filters.min_words=2 rejects captions of one word"
    ]


def test_of_many_sources_an_unknown_kind_is_told(tmp_path: Path) -> None:
    """The other sources are not read: the content of two of them would say that they are of kind json."""
    for number in range(21):
        stored(tmp_path / f"{number:02}.csv", "path;text\n")
    for name in ("21.json", "22.jsonl", "23.notes", "24.png"):
        stored(tmp_path / name, "[]")
    result = gritmill.look(tmp_path / "*.*")
    assert result["others"] == {"csv": 1, "coco or json": 1, "jsonl": 1}
    assert len(result["sources"]) == 22
    notes, picture = (source["fault"] for source in result["sources"][20:])
    assert notes.startswith(f"--input: {tmp_path}/23.notes: cannot detect its kind from its name; ")
    assert picture == f"--input: {tmp_path}/24.png: a picture is no source; use its folder: --input {tmp_path}"


def test_few_images_are_in_memory() -> None:
    """Of 100 pairs, at most eight are read before the first one is dropped."""
    read = []

    class Images:
        def read(self, start: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Pair]]:
            for number in range(120):
                read.append(number)
                reference = ImageRef(uri="a.tar", offset=number)
                yield {"index": number}, Pair(str(number), "a.tar", number, "a dog", reference, image(number))

    looked: Any = looking._read(looking.LookedAt("a.tar"), Images(), {"index": 0}, validate({}))  # type: ignore[arg-type]
    ahead = [len(read) - number for number, _ in enumerate(looked)]
    assert len(ahead) == 100
    assert max(ahead) == 8
