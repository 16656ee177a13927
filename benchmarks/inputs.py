"""What the benchmarks read: photos where there are some, drawn pictures elsewhere, as tars in img2dataset's layout."""

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from transforms import bundled

_DRAWN = 60
_SIDE = (640, 480)


@dataclass(frozen=True)
class Captioned:
    """An encoded picture and one of its captions."""

    data: bytes
    caption: str


def pairs(photos: Path | None) -> list[Captioned]:
    """Each photo of `photos.jsonl` with each of its captions, or as large pictures with the bundled scenes' captions.

    All first captions come first, so that neighbours differ.
    """
    if photos is None:
        return [Captioned(_drawn(i % _DRAWN), caption) for i, caption in enumerate(bundled_captions())]
    rows = [json.loads(line) for line in (photos / "photos.jsonl").read_text("utf-8").splitlines()]
    images = [(photos / row["file"]).read_bytes() for row in rows]
    most = max(len(row["captions"]) for row in rows)
    turns = ((row["captions"][n : n + 1], data) for n in range(most) for row, data in zip(rows, images, strict=True))
    return [Captioned(data, caption) for captions, data in turns for caption in captions]


def bundled_captions() -> list[str]:
    """The captions of the demo's scenes."""
    captions = []
    for path in sorted(Path(bundled.folder("examples/scenes")).glob("*.tar")):
        with tarfile.open(path) as tar:
            files = (tar.extractfile(info) for info in tar if info.name.endswith(".txt"))
            captions += [file.read().decode() for file in files if file]
    return captions


def write_tars(folder: Path, some: list[Captioned], number: int, a_tar: int) -> str:
    """Writes `number` samples, the pairs again and again with keys of their own; the pattern that names the tars."""
    folder.mkdir(parents=True)
    for first in range(0, number, a_tar):
        with tarfile.open(folder / f"{first // a_tar:05}.tar", "w") as tar:
            for at in range(first, min(first + a_tar, number)):
                _add(tar, at, some[at % len(some)])
    return str(folder / "*.tar")


def _add(tar: tarfile.TarFile, number: int, pair: Captioned) -> None:
    about = {"caption": pair.caption, "url": f"https://pictures.invalid/{number}.jpg", "id": number}
    members = {"jpg": pair.data, "txt": pair.caption.encode(), "json": json.dumps(about).encode()}
    for ending, data in members.items():
        info = tarfile.TarInfo(f"{number:09}.{ending}")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def _drawn(number: int) -> bytes:
    """A JPEG of about a hundred kilobytes: blots under a fine grain, which does not compress."""
    chance = np.random.default_rng(number)
    blots = Image.fromarray(chance.integers(0, 256, (12, 16, 3), np.uint8)).resize(_SIDE, Image.Resampling.BICUBIC)
    grain = chance.normal(0, 14, (_SIDE[1], _SIDE[0], 1))
    noisy = np.clip(np.asarray(blots) + grain, 0, 255).astype(np.uint8)
    target = io.BytesIO()
    Image.fromarray(noisy).save(target, "JPEG", quality=85)
    return target.getvalue()
