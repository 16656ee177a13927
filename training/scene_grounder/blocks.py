"""Blocks of 1000 scenes on disk, drawn before training, with pictures that are already resized for the detector."""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.scene_grounder.scenes import Thing, make_scene
from transforms.detectors.resize import ResizeRule

BLOCK = 1000
"""Scenes per block."""

SHORT_SIDE, LONG_SIDE, STEP = 160, 224, 32
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESIZE = ResizeRule(SHORT_SIDE, LONG_SIDE, STEP, int(Image.Resampling.BILINEAR), MEAN, STD)


@dataclass(frozen=True)
class StoredScene:
    """A scene of a block: resized pixels, uint8 [height, width, 3], and its things."""

    pixels: np.ndarray
    things: tuple[Thing, ...]


def content_hash(font: Path, seed: int, more: Sequence[str] = ()) -> str:
    """Returns eight hexadecimal digits that depend on the font, the seed and the programs that draw the scenes.

    more: file names of further programs in this folder that the scenes depend on.
    """
    hasher = hashlib.blake2b(str(seed).encode(), digest_size=4)
    programs = ("lexicon.yaml", "lexicon.py", "drawing.py", "scenes.py", "blocks.py", *more)
    for path in (font, *(Path(__file__).with_name(name) for name in programs)):
        hasher.update(path.read_bytes())
    return hasher.hexdigest()


def make_blocks(font: str, folder: Path, seed: int, count: int, workers: int) -> Iterator[int]:
    """Writes the missing blocks. Yields once per block, first for those that exist already."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count) if not _path(folder, number).is_file()]
    yield from range(count - len(missing))
    with ProcessPoolExecutor(workers) as pool:
        for _ in pool.map(partial(_make_block, font, folder, seed), missing):
            count -= 1
            yield count


def _make_block(font: str, folder: Path, seed: int, number: int) -> None:
    rng = np.random.default_rng([seed, number])
    arrays: dict[str, Any] = {}
    things = []
    for i in range(BLOCK):
        scene = make_scene(font, rng)
        picture = _through_jpeg(scene.picture, rng) if rng.random() < 0.6 else scene.picture
        resized = picture.resize(RESIZE.target_size(*picture.size), Image.Resampling.BILINEAR)
        arrays[str(i)] = np.asarray(resized)
        things.append([asdict(thing) for thing in scene.things])
    path = _path(folder, number)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, things=np.frombuffer(json.dumps(things).encode(), np.uint8), **arrays)
    os.replace(unfinished, path)


def _through_jpeg(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(rng.integers(70, 96)))
    return Image.open(file).convert("RGB")


def read_block(folder: Path, number: int) -> list[StoredScene]:
    """Returns the scenes of one block."""
    with np.load(_path(folder, number)) as arrays:
        things = json.loads(arrays["things"].tobytes())
        return [StoredScene(arrays[str(i)], tuple(map(_thing, entries))) for i, entries in enumerate(things)]


def _thing(entry: dict[str, object]) -> Thing:
    return Thing(**{**entry, "box": tuple(entry["box"])})  # type: ignore[arg-type]


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:04}.npz"
