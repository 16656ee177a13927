"""Generates pairs for the trials. Picture and caption are small and depend only on the number of the pair."""

import io
import json
import tarfile
from pathlib import Path

from PIL import Image, ImageDraw

_COLOURS = ("red", "green", "blue", "orange", "purple")
_THINGS = ("square", "house", "door", "kite", "book", "bag", "box")


def write_tars(folder: Path, pairs: int, pairs_per_tar: int = 10_000) -> str:
    """Writes tars in img2dataset's layout and returns a glob pattern for them."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, pairs, pairs_per_tar):
        with tarfile.open(folder / f"{first // pairs_per_tar:05}.tar", "w") as tar:
            for number in range(first, min(first + pairs_per_tar, pairs)):
                _add(tar, number)
    return str(folder / "*.tar")


def write_jsonl(folder: Path, pairs: int) -> str:
    """Writes a JSONL file whose pictures are files beside it, `<number>.jpg`, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pairs.jsonl"
    lines = ({"image": f"{number}.jpg", "caption": caption(number)} for number in range(pairs))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for number in range(pairs):
        write_picture(folder, number)
    return str(path)


def write_picture(folder: Path, number: int) -> None:
    """Writes the picture of a pair of `write_jsonl`."""
    (folder / f"{number}.jpg").write_bytes(picture(number))


def _add(tar: tarfile.TarFile, number: int) -> None:
    texts = {"txt": caption(number).encode(), "json": json.dumps({"id": number}).encode()}
    for ending, data in {"jpg": picture(number), **texts}.items():
        info = tarfile.TarInfo(f"{number:09}.{ending}")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def caption(number: int) -> str:
    """The caption of a pair."""
    colour, thing = _COLOURS[number % 5], _THINGS[number // 5 % 7]
    return f"a {colour} {thing} and the {_THINGS[number // 35 % 7]} number {number}"


def picture(number: int) -> bytes:
    """The picture of a pair, a JPEG."""
    size = ((64, 64), (96, 64), (64, 96))[number % 3]
    image = Image.new("RGB", size, (230, 230, 200 + number % 50))
    left = 4 + number % 20
    ImageDraw.Draw(image).rectangle((left, 8, left + 24, 40), fill=_COLOURS[number % 5])
    target = io.BytesIO()
    image.save(target, "JPEG", quality=85)
    return target.getvalue()
