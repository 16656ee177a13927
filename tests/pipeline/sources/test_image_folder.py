"""The folder of images that a table names, if they are elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.configuration import SourceSettings
from pipeline.files import FileInfo
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan_sources import plan_sources
from pipeline.sources import notices
from tests import fake_object_store
from tests.pipeline.builders import configuration, stored

COCO = {
    "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(3)],
    "annotations": [{"id": n, "image_id": n, "caption": "a dog"} for n in range(3)],
}
LLAVA = [{"image": f"train/{n}.jpg", "conversations": [{"from": "gpt", "value": "a dog"}]} for n in range(3)]
KOHYA = {str(n): {"caption": "a dog", "tags": "dog"} for n in range(3)}
CSV = "path,text\n0.jpg,a dog\n1.jpg,a hat\n"


def noticed(path: Path, content: Any, **source: Any) -> list[str]:
    stored(path, content if isinstance(content, str) else json.dumps(content))
    made = configuration(source=source)
    [planned] = plan_sources(find_sources([str(path)]), made)
    return notices(planned.open(made.source), planned.ranges[0].start)


@pytest.mark.parametrize(
    ("images", "table", "content", "found"),
    [
        ("val2017", "annotations/captions_val2017.json", COCO, "val2017"),
        ("images/val2017", "annotations/captions_val2017.json", COCO, "images/val2017"),
        ("coco/images", "coco/annotations/a.json", COCO, "coco/images"),
        ("my images", "a.csv", CSV, "'my images'"),
        ("data/images/train", "data/llava.json", LLAVA, "data/images"),
        ("images/train", "texts/v1/llava.json", LLAVA, "images"),
        ("train/10_dog", "meta_lat.json", KOHYA, "train/10_dog"),
        ("train", "texts/meta_cap.json", KOHYA, "train"),
        ("deep/er/and/deeper", "a.csv", CSV, ""),
    ],
)
def test_the_folder_that_has_the_first_images_is_named(
    tmp_path: Path, images: str, table: str, content: Any, found: str
) -> None:
    tmp_path = tmp_path / "alone" / "here"
    for n in range(3):
        stored(tmp_path / images / f"{n}.jpg", b"")
    stored(tmp_path / "train2017" / "0.jpg", b"")  # which lacks the others
    [line] = noticed(tmp_path / table, content)
    root = (tmp_path / table).parent
    if found:
        folder = f"'{tmp_path}/{found[1:]}" if found[0] == "'" else f"{tmp_path}/{found}"
        assert line == f"the first images are not in {root}; set source.image_root={folder}"
    else:
        assert line == f"the first images are not in {root}; set source.image_root to the folder of the images"


def test_nothing_is_said_if_one_of_the_first_images_is_there(tmp_path: Path) -> None:
    stored(tmp_path / "1.jpg", b"")
    assert noticed(tmp_path / "a.csv", CSV) == []
    assert noticed(tmp_path / "in" / "a.csv", CSV, image_root=str(tmp_path)) == []


def test_on_an_object_store_the_setting_is_named(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    fake_object_store.put("shelf://data/in/a.csv", CSV.encode())
    made = configuration()
    [planned] = plan_sources([FileInfo("shelf://data/in/a.csv", len(CSV), 0.0)], made)
    [line] = notices(planned.open(SourceSettings()), planned.ranges[0].start)
    assert line == "the first images are not in shelf://data/in; set source.image_root to the folder of the images"
