"""The folder of images that a table names, if they are elsewhere."""

import base64
import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.configuration import SourceSettings
from pipeline.files import FileInfo
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan_sources import plan_sources
from pipeline.sources import notices
from tests import fake_object_store
from tests.pipeline.builders import configuration, image, stored

COCO = {
    "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(3)],
    "annotations": [{"id": n, "image_id": n, "caption": "a dog"} for n in range(3)],
}
LLAVA = [{"image": f"train/{n}.jpg", "conversations": [{"from": "gpt", "value": "a dog"}]} for n in range(3)]
KOHYA = {str(n): {"caption": "a dog", "tags": "dog"} for n in range(3)}
CSV = "path,text\n0.jpg,a dog\n1.jpg,a hat\n"


def noticed(path: Path, content: Any, **source: Any) -> list[str]:
    stored(path, content if isinstance(content, str | bytes) else json.dumps(content))
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


def test_nothing_is_said_if_one_of_the_first_hundred_images_is_there(tmp_path: Path) -> None:
    tmp_path = tmp_path / "alone" / "here"  # folders of other tests are not near
    rows = [f"{n}.jpg,a dog" for n in range(200)]
    for n in range(200):
        stored(tmp_path / "thumbs" / f"{n}.jpg", b"")
    table = "\n".join(["path,text", *rows])
    assert noticed(tmp_path / "a.csv", table)[0].endswith(f"set source.image_root={tmp_path}/thumbs")
    stored(tmp_path / "98.jpg", b"")
    assert noticed(tmp_path / "a.csv", table) == []
    (tmp_path / "thumbs" / "96.jpg").unlink()
    (tmp_path / "98.jpg").unlink()
    assert noticed(tmp_path / "a.csv", table)[0].endswith("set source.image_root to the folder of the images")


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_paths_in_parquet_and_arrow_are_looked_up(tmp_path: Path, suffix: str) -> None:
    stored(tmp_path / "images" / "1.jpg", b"")
    paths = pa.table({"image": [None, "1.jpg"], "caption": ["a dog"] * 2})
    assert noticed(tmp_path / f"a.{suffix}", written(paths, suffix)) == [
        f"the first images are not in {tmp_path}; set source.image_root={tmp_path}/images"
    ]


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl"])
def test_images_in_cells_are_not_read_for_a_notice(tmp_path: Path, suffix: str) -> None:
    rows = 50
    if suffix == "jsonl":
        line = json.dumps({"caption": "a dog", "image": base64.b64encode(image(1) + bytes(100_000)).decode()})
        content: Any = f"{line}\n" * rows
    else:
        table = pa.table({"image": [image(1) + random.Random(n).randbytes(100_000) for n in range(rows)]})
        content = written(table.append_column("caption", [["a dog"] * rows]), suffix)
    info = stored(tmp_path / f"a.{suffix}", content)
    made = configuration()
    [planned] = plan_sources([info], made)
    source = planned.open(made.source)
    before = bytes_read()
    assert notices(source, planned.ranges[0].start) == []
    assert bytes_read() - before < 1_000_000


def bytes_read() -> int:
    """By this process, also from what the system has cached; 0 on systems that do not tell."""
    counters = Path("/proc/self/io")
    return int(counters.read_text().split()[1]) if counters.exists() else 0


def written(table: pa.Table, suffix: str) -> bytes:
    target = io.BytesIO()
    if suffix == "parquet":
        pq.write_table(table, target)
    else:
        with pa.ipc.new_stream(target, table.schema) as writer:
            writer.write_table(table)
    return target.getvalue()
