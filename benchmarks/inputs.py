"""Benchmark inputs: photos with five captions each if available, else generated images."""

import io
import json
import random
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from transforms import bundled

_EXAMINED = 40
_WORDS = ("a man", "two dogs", "the red car", "a wooden table", "some flowers", "a woman in a hat", "an old house")


@dataclass(frozen=True)
class Photo:
    """An encoded picture and its captions."""

    data: bytes
    captions: tuple[str, ...]


def photos(folder: Path | None, number: int) -> list[Photo]:
    """Returns photos of a folder with a `photos.jsonl` (`file`, `captions`), repeated if needed. None: generated."""
    if folder is None:
        return [_draw_photo(seed) for seed in range(number)]
    lines = (folder / "photos.jsonl").read_text("utf-8").splitlines()[:number]
    rows = [json.loads(line) for line in lines]
    found = [Photo((folder / row["file"]).read_bytes(), tuple(row["captions"])) for row in rows]
    return [found[i % len(found)] for i in range(number)]


def one_by_one(pictures: Iterable[Photo]) -> list[Photo]:
    """Returns pictures with one of their five captions each. All first captions come first, so that neighbours
    differ."""
    found = list(pictures)
    return [Photo(one.data, (caption,)) for n in range(5) for one in found for caption in one.captions[n : n + 1]]


def four_by_three(folder: Path | None, number: int) -> list[Photo]:
    """Returns pictures of four to three, like most COCO photos, repeated if needed. All have one canvas, 800 x 1056.

    Raises:
      SystemExit: none of the first pictures of the folder is four to three.
    """
    found = list(filter(is_wide, photos(folder, _EXAMINED)))
    if not found:
        raise SystemExit(f"benchmarks: {folder}: none of the first {_EXAMINED} pictures is four to three")
    return [found[i % len(found)] for i in range(number)]


def is_wide(photo: Photo) -> bool:
    """Whether a picture's aspect ratio is four to three."""
    with Image.open(io.BytesIO(photo.data)) as image:
        return abs(image.width / image.height - 4 / 3) < 0.01


def scenes(number: int) -> list[Photo]:
    """Returns bundled scenes (sides of 160 to 320 pixels, one caption each), repeated if needed."""
    found = []
    for path in sorted((bundled.folder("examples") / "scenes").glob("*.tar")):
        with tarfile.open(path) as tar:
            for name in tar.getnames():
                if name.endswith(".jpg"):
                    caption = _member(tar, f"{name.removesuffix('jpg')}txt").decode()
                    found.append(Photo(_member(tar, name), (caption,)))
    return [found[i % len(found)] for i in range(number)]


def write_tars(pictures: Iterable[Photo], folder: Path, captions: int = 1, pairs_per_tar: int = 10_000) -> str:
    """Writes tars in img2dataset's layout, one pair per caption; `captions` limits them. Returns the tars' pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [(picture.data, caption) for picture in pictures for caption in picture.captions[:captions]]
    for first in range(0, len(pairs), pairs_per_tar):
        with tarfile.open(folder / f"{first // pairs_per_tar:05}.tar", "w") as tar:
            for number, (data, caption) in enumerate(pairs[first : first + pairs_per_tar], first):
                _add(tar, f"{number:09}", data, caption)
    return str(folder / "*.tar")


def write_table(pictures: Sequence[Photo], folder: Path) -> str:
    """Writes a JSONL of image files with all their captions, and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pairs.jsonl").open("w", encoding="utf-8") as table:
        for number, picture in enumerate(pictures):
            (folder / f"{number:06}.jpg").write_bytes(picture.data)
            print(json.dumps({"image": f"{number:06}.jpg", "captions": picture.captions}), file=table)
    return str(folder / "pairs.jsonl")


def _add(tar: tarfile.TarFile, key: str, data: bytes, caption: str) -> None:
    for ending, content in (
        ("jpg", data),
        ("txt", caption.encode()),
        ("json", json.dumps({"caption": caption}).encode()),
    ):
        info = tarfile.TarInfo(f"{key}.{ending}")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def _draw_photo(seed: int) -> Photo:
    """Returns coarse and fine coloured noise of 640 x 480 pixels, about 100 KB as a JPEG."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((640, 480))
    fine = rng.normal(0, 18, (480, 640, 3))
    target = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8)).save(target, "JPEG", quality=85)
    pick = random.Random(seed)
    return Photo(target.getvalue(), tuple(f"{' near '.join(pick.sample(_WORDS, 3))}." for _ in range(5)))
