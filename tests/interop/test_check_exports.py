"""The comparison of `make interop` for exports: a sound export is sound, and a sabotaged one wrong. The libraries are
those of `.venv`."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gritmill
from gritmill.exports.export import export
from interop.check_exports import Found, check
from interop.consumers import with_pycocotools, with_webdataset
from interop.finished_run import EXPORTS
from interop.seen import Picture, Read, Reading, Thing
from tests import sample_pairs

pytestmark = pytest.mark.slow

Json = dict[str, Any]

COCO = with_pycocotools.READINGS["loadAnns, loadCats"]
PER_CAPTION = with_pycocotools.READINGS["loadAnns, --per-caption"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, grounding_dino: Path) -> Path:
    """A run with two captions per image, and exports of it."""
    folder = tmp_path_factory.mktemp("work")
    pictures = [
        replace(one, captions=(one.captions[0], f"  “{one.captions[0]}” 🔑 İ again: {one.captions[0]} "))
        for one in sample_pairs.drawn(6)
    ]
    one_box = {"score": 0.0, "boxes_per_phrase": 1, "nms_iou": 1.0, "ambiguous_phrases": "first"}
    config = sample_pairs.settings("caption-parser", grounding_dino, shards={"pairs": 5}, selection=one_box)
    gritmill.run(config, inputs=sample_pairs.as_jsonl(pictures, folder / "in"), output=folder / "shards")
    for name in ("coco", "coco-per-caption", "refcoco", "mdetr"):
        to, options = EXPORTS[name]
        export(folder / "shards", to, folder / name, options)
    return folder


def found_by(entry: tuple[Read, Reading], work: Path, folder: Path | None = None) -> Found:
    """folder: a sabotaged copy of the export."""
    read, reading = entry
    counts: dict[str, int] = {}
    if reading.export != "shards":
        counts = json.loads((work / reading.export / "export.json").read_text())["figures"]
    return check(work, reading, list(read(folder or work / reading.export)), counts)


@pytest.mark.parametrize("name", [name for name in with_pycocotools.READINGS if "--split" not in name])
def test_pycocotools_reads_what_the_run_has(work: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    found = found_by(with_pycocotools.READINGS[name], work)
    assert found.problems == []
    assert found.boxes >= 6
    assert found.images >= 6


@pytest.mark.parametrize("name", with_webdataset.READINGS)
def test_webdataset_reads_what_the_run_has(work: Path, name: str) -> None:
    found = found_by(with_webdataset.READINGS[name], work)
    assert (found.problems, found.images, found.captions) == ([], 12, 12)
    assert found.words == found.boxes > 12


def swap_captions(instances: Json, captions: Json) -> None:
    first, second = captions["annotations"][0], captions["annotations"][-1]
    first["caption"], second["caption"] = second["caption"], first["caption"]


def strip_caption(instances: Json, captions: Json) -> None:
    for one in captions["annotations"]:
        one["caption"] = one["caption"].strip()


def lose_emoji(instances: Json, captions: Json) -> None:
    for one in captions["annotations"]:
        one["caption"] = one["caption"].replace("🔑", "?")


def move_box(instances: Json, captions: Json) -> None:
    instances["annotations"][0]["bbox"][0] += 0.02


def corners_for_sides(instances: Json, captions: Json) -> None:
    x, y, wide, high = instances["annotations"][0]["bbox"]
    instances["annotations"][0]["bbox"] = [x, y, x + wide, y + high]


def rename_classes(instances: Json, captions: Json) -> None:
    names = [one["name"] for one in instances["categories"]]
    for one, name in zip(instances["categories"], names[1:] + names[:1], strict=True):
        one["name"] = name


def cut_phrase(instances: Json, captions: Json) -> None:
    instances["annotations"][0]["phrase"] = instances["annotations"][0]["phrase"][1:]


def lose_box(instances: Json, captions: Json) -> None:
    del instances["annotations"][0]


def lose_all_boxes(instances: Json, captions: Json) -> None:
    instances["annotations"] = []


def double_box(instances: Json, captions: Json) -> None:
    instances["annotations"].append({**instances["annotations"][0], "id": 10_000})


def lose_image(instances: Json, captions: Json) -> None:
    for content in (instances, captions):
        gone = content["images"].pop()["id"]
        content["annotations"] = [one for one in content["annotations"] if one["image_id"] != gone]


@pytest.mark.parametrize(
    ("sabotage", "told"),
    [
        (swap_captions, ["the captions", "the captions"]),
        (strip_caption, ["the captions"] * 6),
        (lose_emoji, ["the captions"] * 6),
        (move_box, ["no row for", "boxes are missing"]),
        (corners_for_sides, ["no row for", "boxes are missing"]),
        (rename_classes, ["no row for"]),
        (cut_phrase, ["no row for", "boxes are missing"]),
        (lose_box, ["boxes are missing, but"]),
        (lose_all_boxes, ["boxes are missing, but"]),
        (double_box, ["no row for"]),
        (lose_image, ["no images", "boxes are missing"]),
    ],
)
@pytest.mark.parametrize("entry", [COCO, PER_CAPTION], ids=["merged", "per caption"])
def test_a_sabotaged_export_is_wrong(
    work: Path,
    tmp_path: Path,
    entry: tuple[Read, Reading],
    sabotage: Callable[[Json, Json], None],
    told: list[str],
) -> None:
    folder = Path(shutil.copytree(work / entry[1].export, tmp_path / "export"))
    paths = folder / "instances.json", folder / "captions.json"
    contents = [json.loads(path.read_text()) for path in paths]
    sabotage(*contents)
    for path, content in zip(paths, contents, strict=True):
        path.write_text(json.dumps(content))
    problems = found_by(entry, work, folder).problems
    assert problems
    assert all(any(part in problem for problem in problems) for part in told)


def test_another_picture_is_wrong(work: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(work / "coco", tmp_path / "export"))
    sizes: dict[tuple[int, int], list[Path]] = {}
    for image in json.loads((folder / "instances.json").read_text())["images"]:
        sizes.setdefault((image["width"], image["height"]), []).append(folder / image["file_name"])
    first, second = next(paths for paths in sizes.values() if len(paths) > 1)[:2]
    first.write_bytes(second.read_bytes())
    (problem,) = found_by(COCO, work, folder).problems
    assert problem.startswith(f"{first.stem}: another picture: ")


def pictures(work: Path) -> tuple[list[Picture], dict[str, int]]:
    read, reading = COCO
    return list(read(work / reading.export)), json.loads((work / "coco" / "export.json").read_text())["figures"]


def test_what_a_library_cannot_say_is_not_compared(work: Path) -> None:
    seen, counts = pictures(work)
    silent = [Picture(one.key, [Thing(thing.box) for thing in one.things or ()]) for one in seen]
    found = check(work, COCO[1], silent, counts)
    assert (found.problems, found.captions, found.words, found.classes) == ([], 0, 0, 0)
    assert found.boxes == counts["boxes"]


def test_an_image_of_another_size_or_key_is_wrong(work: Path) -> None:
    seen, counts = pictures(work)
    assert seen[0].size is not None
    turned = [replace(seen[0], size=seen[0].size[::-1]), *seen[1:]]
    (problem,) = check(work, COCO[1], turned, counts).problems
    assert problem.startswith(f"{seen[0].key}: the size ")
    problems = check(work, COCO[1], [*seen, seen[0]], counts).problems
    assert problems == [f"{seen[0].key}: no such image, or twice"]


def test_a_box_that_was_not_counted_as_left_out_is_missing(work: Path) -> None:
    seen, counts = pictures(work)
    name = "boxes that another caption of the image has too, left out"
    (problem,) = check(work, COCO[1], seen, {**counts, name: counts[name] - 1}).problems
    assert problem == f"{counts[name]} boxes are missing, but {counts[name] - 1} were left out"
