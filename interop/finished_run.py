"""The run whose exports consumers read: scenes of `examples/` with two captions each, or photos."""

import io
import json
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

import gritmill
from gritmill.exports.export import export
from gritmill.exports.options import ExportOptions
from transforms import bundled

_SCENES = 24
_PHOTO_PAIRS = 100
_MODELS = {"phrases": {"model": "caption-parser"}, "detector": {"model": "scene-grounder", "threads": 1}}
_DIALECTS = ["kosmos2", "florence2", "paligemma", "qwen2.5-vl"]

_SECOND = (
    "🔑 Café au lait, 東京: {}",
    "  {}\u00a0",
    '"{}" 5" wide | C:\\temp\\n',
    "İ: {} [ß] 👩‍👩‍👧",
    "#1, {}\nand\tmore",
    "{} &amp; 'x'",
    "{0} Again: {0}",
)
"""Second captions: blanks, quotes, characters that are several bytes or code units long, İ, whose lower case is longer,
and words that occur twice."""


def _rotated(image: Image.Image) -> tuple[Image.Image, dict[str, Any]]:
    """Lies on its side, and EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return image.transpose(Image.Transpose.ROTATE_90), {"exif": exif}


_FORMS: dict[str, Callable[[Image.Image], tuple[Image.Image, dict[str, Any]]]] = {
    "jpg": lambda image: (image, {"progressive": True}),
    "png": lambda image: (image.convert("RGBA"), {}),
    "jpeg": _rotated,
    "webp": lambda image: (image, {"lossless": True}),
    "JPG": lambda image: (image.convert("L"), {}),
    "tiff": lambda image: (image.convert("CMYK"), {}),
}
"""Scenes are written in one of these forms, in turn, or stay as they are."""

EXPORTS: dict[str, tuple[str, ExportOptions]] = {
    "coco": ("coco", ExportOptions()),
    "coco-split": ("coco", ExportOptions(split="train2017")),
    "coco-per-caption": ("coco", ExportOptions(per_caption=True)),
    "yolo": ("yolo", ExportOptions()),
    "yolo-per-caption": ("yolo", ExportOptions(per_caption=True)),
    "refcoco": ("refcoco", ExportOptions()),
    "mdetr": ("mdetr", ExportOptions()),
    "odvg": ("odvg", ExportOptions()),
    "hf": ("hf", ExportOptions()),
    "grit": ("grit", ExportOptions()),
    "instructions-kosmos2": ("instructions", ExportOptions(dialect="kosmos2")),
    "instructions-florence2": ("instructions", ExportOptions(dialect="florence2")),
}
"""Format and options of each export, by the name of its folder."""

SHARDS = "shards"
"""The name of the run itself."""


def write_exports(work: Path, photos: Path | None) -> dict[str, dict[str, int]]:
    """Makes the run in `work/shards`, and each export beside it. Returns the counts of each export."""
    run = work / SHARDS
    if photos:
        settings = {"selection": {"score": 0.3}, "shards": {"pairs": 20}}  # the boxes have no meaning
        source = photos / "photos.jsonl"
    else:
        settings = {"shards": {"pairs": 10}}
        source = _write_scenes(work / "scenes")
    columns = {"source": {"columns": {"image": ["file"], "caption": ["captions"]}}}
    config = {**_MODELS, **columns, **settings, "text": {"dialect": _DIALECTS}}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="scene-grounder works only on drawn scenes")
        gritmill.run(config, inputs=str(source), output=run, limit=_PHOTO_PAIRS)
    return {name: export(run, to, work / name, options)["figures"] for name, (to, options) in EXPORTS.items()}


def _write_scenes(folder: Path) -> Path:
    """Writes `scenes.jsonl`. The layout is that of `--photos`."""
    folder.mkdir()
    rows = []
    with tarfile.open(bundled.folder("examples") / "scenes" / "00000.tar") as tar:
        for number in range(_SCENES):
            picture, caption = (_member(tar, f"{number:09}.{ending}") for ending in ("jpg", "txt"))
            forms = list(_FORMS.items())
            name = f"scene-{number}.jpg"
            if number % 2:
                ending, form = forms[number // 2 % len(forms)]
                image, options = form(Image.open(io.BytesIO(picture)))
                name = f"scene-{number}.{ending}"
                image.save(folder / name, **options)
            else:
                (folder / name).write_bytes(picture)
            second = _SECOND[number % len(_SECOND)].format(caption.decode())
            rows.append({"file": name, "captions": [caption.decode(), second]})
    path = folder / "scenes.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()
