"""Generates pairs for tests, and writes the same pairs as each kind of source."""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from pipeline import layout
from tests.shared import SHARED

COLOURS = ("red", "green", "blue", "yellow")
THINGS = ("dog", "cat", "car", "tree", "house")


@dataclass(frozen=True)
class Picture:
    """An image file with its captions."""

    name: str
    data: bytes
    captions: tuple[str, ...]
    url: str
    id: int


def drawn(count, captions=1):
    """Returns pictures of two coloured shapes each, in three sizes, with captions of simple grammar."""
    return [_drawn(number, captions) for number in range(count)]


def _drawn(number, captions):
    size = ((96, 64), (64, 64), (64, 96))[number % 3]
    one, two = COLOURS[number % 4], COLOURS[(number // 4 + 1 + number) % 4]
    thing, other = THINGS[number % 5], THINGS[(number // 5 + 1 + number) % 5]
    image = Image.new("RGB", size, (240, 240, 240 - number % 50))
    ImageDraw.Draw(image).rectangle((5, 5, 25 + number % 9, 30), fill=one)
    ImageDraw.Draw(image).ellipse((35, 25, 60, 55), fill=two)
    target = io.BytesIO()
    image.save(target, "JPEG", quality=90)
    texts = (f"a {one} {thing} near a {two} {other}", f"the {two} {other}", f"a {thing} and a {other} in a field")
    name = f"images/{number:05}.jpg"
    url = f"https://pictures.invalid/{number}.jpg"
    return Picture(name, target.getvalue(), tuple(texts[i % 3] for i in range(captions)), url, 1000 + number)


def photos():
    """Returns the 120 photos of the shared data with their 600 captions."""
    folder = SHARED / "data" / "photos"
    rows = [json.loads(line) for line in (folder / "photos.jsonl").read_text("utf-8").splitlines()]
    return [
        Picture(r["file"], (folder / r["file"]).read_bytes(), tuple(r["captions"]), r["flickr_url"], r["image_id"])
        for r in rows
    ]


def as_tars(pictures, folder, tars=2):
    """Writes tars in img2dataset's layout, one sample per caption."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = [(picture, caption) for picture in pictures for caption in picture.captions]
    for tar in range(tars):
        with tarfile.open(folder / f"{tar:05}.tar", "w") as file:
            part = samples[tar * len(samples) // tars : (tar + 1) * len(samples) // tars]
            for number, (picture, caption) in enumerate(part):
                about = {"caption": caption, "url": picture.url, "id": picture.id, "status": "success"}
                members = {"jpg": picture.data, "txt": caption.encode(), "json": json.dumps(about).encode()}
                for ending, data in members.items():
                    info = tarfile.TarInfo(f"{tar:05}{number:04}.{ending}")
                    info.size = len(data)
                    file.addfile(info, io.BytesIO(data))
    return str(folder / "*.tar")


def write_images(pictures, folder):
    """Writes the image files below a folder."""
    for picture in pictures:
        path = folder / picture.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.data)


def write_rows(rows, folder):
    """Writes rows as JSON lines, each with a picture of `drawn` unless it names one. Returns the path of the table."""
    pictures = drawn(len(rows))
    write_images(pictures, folder)
    rows = [{"image": picture.name, **row} for picture, row in zip(pictures, rows, strict=True)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / "pairs.jsonl")


def as_jsonl(pictures, folder):
    """Writes one line per picture, its captions in a list, and the images next to the file."""
    write_images(pictures, folder)
    lines = [{"image": p.name, "captions": list(p.captions), "url": p.url, "id": p.id} for p in pictures]
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def as_parquet(pictures, folder, group=50):
    """Writes image bytes in Hugging Face's struct, and captions in a list."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"image": {"bytes": p.data, "path": p.name}, "captions": list(p.captions), "url": p.url, "id": p.id}
        for p in pictures
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "pairs.parquet", row_group_size=group)
    return str(folder / "pairs.parquet")


def as_coco(pictures, folder):
    """Writes one JSON file and the images next to it."""
    write_images(pictures, folder)
    images = [{"id": p.id, "file_name": p.name, "coco_url": p.url} for p in pictures]
    captions = [(p.id, caption) for p in pictures for caption in p.captions]
    annotations = [{"id": n, "image_id": image, "caption": caption} for n, (image, caption) in enumerate(captions)]
    path = folder / "captions.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return str(path)


def settings(parser, detector, **changes):
    """Returns a configuration for small runs. `changes` are sections to merge."""
    base = {
        "phrases": {"model": str(parser)},
        "detector": {"model": str(detector), "threads": 1, "floor": 0.0, "candidates": 5},
        "chunk": {"pairs": 8},
        "selection": {"score": 0.0},
    }
    return {name: {**base.get(name, {}), **changes.get(name, {})} for name in {*base, *changes}}


def files_of(folder: Path, *patterns):
    """Returns the bytes of the files below a folder that match a pattern, by relative name.

    Leaves out the log, which has a line for each call, with its time."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for p in patterns
        for path in sorted(folder.glob(p))
        if path.is_file() and path.name not in (layout.RUN_LOG, layout.OLD_RUN_LOG)
    }
