"""The comparison of `make interop`: it finds a sound data set sound, and a sabotaged one wrong. Without a network."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps

from interop import server, truth
from interop.check import check
from interop.producers.rows import with_paths
from interop.written import Given, Written

JSONL = Written("pairs.jsonl")

Row = dict[str, Any]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    truth.write(folder)
    return folder


@pytest.fixture
def pairs(pictures: Path) -> list[Given]:
    return [Given(**pair) for pair in json.loads((pictures / "pairs.json").read_text())]


def write(rows: list[Row], folder: Path) -> None:
    (folder / "pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def encode(picture: Path, form: str, side: int, box: str = "") -> None:
    """Writes a picture again in another size; with `box`, as a square with borders of this colour."""
    image = Image.open(io.BytesIO(picture.read_bytes())).convert("RGB")
    image = ImageOps.pad(image, (side, side), color=box) if box else ImageOps.contain(image, (side, side))
    image.save(picture, form, quality=80)


def test_a_sound_data_set_is_sound(tmp_path: Path, pictures: Path, pairs: list[Given]) -> None:
    write(with_paths(pairs, pictures, tmp_path), tmp_path)
    outcome = check(tmp_path, JSONL, pictures, pairs)
    assert (outcome.pairs, outcome.problems) == (12, [])


def with_lists(pairs: list[Given]) -> list[Row]:
    return [{"id": p.id, "image": f"images/{p.picture}", "caption": [p.caption, p.second]} for p in pairs]


def test_two_captions_per_picture_are_compared(tmp_path: Path, pictures: Path, pairs: list[Given]) -> None:
    with_paths(pairs, pictures, tmp_path)
    rows = with_lists(pairs)
    write(rows, tmp_path)
    both = Written("pairs.jsonl", fields=("id",), captions=2)
    assert check(tmp_path, both, pictures, pairs).problems == []
    rows[3]["caption"].pop()
    write(rows, tmp_path)
    assert check(tmp_path, both, pictures, pairs).problems == [f"no pair with the caption {pairs[3].second!r}"]


def swap(rows: list[Row]) -> None:
    rows[0]["caption"], rows[1]["caption"] = rows[1]["caption"], rows[0]["caption"]
    rows[0]["id"], rows[1]["id"] = rows[1]["id"], rows[0]["id"]
    rows[0]["score"], rows[1]["score"] = rows[1]["score"], rows[0]["score"]


def lose_emoji(rows: list[Row]) -> None:
    rows[3]["caption"] = rows[3]["caption"].replace("🔑", "?")


def lose_blanks(rows: list[Row]) -> None:
    rows[5]["caption"] = rows[5]["caption"].strip()


def take_for_null(rows: list[Row]) -> None:
    rows[6]["caption"] = None


def lose_row(rows: list[Row]) -> None:
    del rows[7]


def double_row(rows: list[Row]) -> None:
    rows.append(rows[2])


def another_id(rows: list[Row]) -> None:
    rows[4]["id"] = "4"


def another_score(rows: list[Row]) -> None:
    del rows[4]["score"]


def missing_picture(rows: list[Row]) -> None:
    rows[8]["image"] = "images/gone.jpg"


@pytest.mark.parametrize(
    ("sabotage", "told"),
    [
        (swap, ["other bytes of the picture"] * 2),
        (lose_emoji, ["no pair with the caption 'A key 🔑", "a pair with the caption 'A key ?"]),
        (lose_blanks, ["no pair with the caption '  two", "a pair with the caption 'two"]),
        (take_for_null, ["no pair with the caption 'NA'", "a pair with the caption ''"]),
        (lose_row, ["no pair with the caption '123'"]),
        (double_row, ["2 pairs with the caption 'The so-called"]),
        (another_id, ["the id '4', not 'id-4'"]),
        (another_score, ["the score None, not 0.25"]),
        (missing_picture, ["pairs without a picture: {'missing_file': 1}, not {}", "no pair with the caption 'C:"]),
    ],
)
def test_a_sabotaged_data_set_is_wrong(
    tmp_path: Path, pictures: Path, pairs: list[Given], sabotage: Callable[[list[Row]], None], told: list[str]
) -> None:
    rows = with_paths(pairs, pictures, tmp_path)
    sabotage(rows)
    write(rows, tmp_path)
    problems = check(tmp_path, JSONL, pictures, pairs).problems
    assert len(problems) == len(told)
    assert all(part in problem for part, problem in zip(told, problems, strict=True))


@pytest.mark.parametrize(("form", "side", "box"), [("JPEG", 96, ""), ("WEBP", 128, ""), ("PNG", 200, "white")])
def test_re_encoded_pictures_look_the_same(
    tmp_path: Path, pictures: Path, pairs: list[Given], form: str, side: int, box: str
) -> None:
    write(with_paths(pairs, pictures, tmp_path), tmp_path)
    for pair in pairs:
        encode(tmp_path / "images" / pair.picture, form, side, box)
    assert check(tmp_path, replace(JSONL, images="looks"), pictures, pairs).problems == []
    for images in ("bytes", "pixels"):
        told = [f"other {images} of the picture" in one for one in problems_of(tmp_path, images, pictures, pairs)]
        assert told == [True] * 12


def problems_of(folder: Path, images: Any, pictures: Path, pairs: list[Given]) -> list[str]:
    return check(folder, replace(JSONL, images=images), pictures, pairs).problems


def test_another_picture_does_not_look_the_same(tmp_path: Path, pictures: Path, pairs: list[Given]) -> None:
    write(with_paths(pairs, pictures, tmp_path), tmp_path)
    folder = tmp_path / "images"
    for pair in pairs:
        encode(folder / pair.picture, "JPEG", 96)
    (folder / "scene-1.jpg").write_bytes((folder / "scene-9.jpg").read_bytes())
    Image.new("RGB", (96, 54), "grey").save(folder / "scene-2.jpg")
    first, second = problems_of(tmp_path, "looks", pictures, pairs)
    assert first.endswith("the picture scene-9.jpg, not scene-1.jpg")
    assert "scene-2.jpg" in second


def test_pairs_that_could_not_be_downloaded_must_be_counted(tmp_path: Path, pictures: Path, pairs: list[Given]) -> None:
    rows = with_paths(pairs, pictures, tmp_path)
    failed = {"image": None, "caption": "a dog", "status": "failed_to_download", "error_message": "HTTP Error 404"}
    write([*rows, failed, {**failed, "status": "failed_to_resize"}], tmp_path)
    assert check(tmp_path, replace(JSONL, problems={"not_downloaded": 2}), pictures, pairs).problems == []
    [problem] = check(tmp_path, JSONL, pictures, pairs).problems
    expected = "pairs without a picture: {'not_downloaded': 2}, not {}, first: failed_to_download: HTTP Error 404"
    assert problem == expected


def test_what_is_refused_or_missing_is_wrong(tmp_path: Path, pictures: Path, pairs: list[Given]) -> None:
    [problem] = check(tmp_path, JSONL, pictures, pairs).problems
    assert problem.startswith("refused: ")
    write([{"words": "a dog"}], tmp_path)
    [problem] = check(tmp_path, JSONL, pictures, pairs).problems
    assert problem.startswith("refused: source.columns.caption: ")


def test_the_lists_of_urls_hold_the_pairs_and_what_fails(tmp_path: Path, pairs: list[Given]) -> None:
    server.write_lists(tmp_path / "urls", "http://127.0.0.1:1", pairs)
    rows = [json.loads(line) for line in (tmp_path / "urls" / "urls.jsonl").read_text().splitlines()]
    assert [row["url"].rpartition("/")[2] for row in rows if row["id"] in ("missing", "no picture")] == [
        "missing.jpg",
        "pairs.json",
    ]
    assert [row["caption"] for row in rows if row["id"].startswith("id-")] == [pair.caption for pair in pairs]
    words = (tmp_path / "urls" / "advised.txt").read_text().split()
    assert words[:3] == ["img2dataset", "--url_list", str(tmp_path / "urls" / "urls.parquet")]
    assert words[-1] == "DIR"
