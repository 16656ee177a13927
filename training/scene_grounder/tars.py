"""Scenes as tars in img2dataset's layout, like users' data, with the truth in the `json` member.

`truth` lists the phrases of the caption that name something in the picture. Each has its character span, its boxes
(normalised corners, five decimals), and `unseen`: whether it combines a colour and a noun that are held out of
training. `absent` lists phrases that name nothing in the picture; the caption may contain them or not.
"""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from training.scene_grounder.captions import Caption, make_caption
from training.scene_grounder.lexicon import held_out
from training.scene_grounder.phrases import absent
from training.scene_grounder.scenes import Kind, Scene, make_scene
from training.scene_grounder.stated import Stated

_QUALITY = 88  # of the JPEGs
_ABSENT = 2


@dataclass(frozen=True)
class Truth:
    """A phrase and its boxes (normalised corners). unseen: whether its combination is held out of training."""

    text: str
    boxes: tuple[tuple[float, float, float, float], ...]
    unseen: bool = False


@dataclass(frozen=True)
class Example:
    """A scene, read from a tar. data: the encoded picture."""

    key: str
    data: bytes = field(repr=False)
    width: int
    height: int
    caption: str
    truths: tuple[Truth, ...]
    absent: tuple[str, ...]


def write_tars(font: str, folder: Path, seed: int, scenes: int, per_tar: int, *, unseen: bool = False) -> None:
    """Draws scenes into `folder`/00000.tar and so on. The same seed gives the same bytes.

    unseen: whether every scene contains a combination of colour and noun that is held out of training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for first in range(0, scenes, per_tar):
        path = folder / f"{first // per_tar:05}.tar"
        unfinished = path.with_suffix(".part")
        with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(first, min(first + per_tar, scenes)):
                scene = make_scene(font, rng, unseen=unseen)
                caption = make_caption(scene.things, rng, unseen=unseen)
                _write(tar, f"{number:09}", scene, caption, _absent(scene, caption, rng, unseen))
        os.replace(unfinished, path)


def _absent(scene: Scene, caption: Caption, rng: np.random.Generator, unseen: bool) -> list[str]:
    texts = [mention.phrase.text for mention in caption.mentions if not mention.phrase.things]
    while len(texts) < _ABSENT:
        one = absent(scene.things, rng, unseen=unseen)
        if one.text not in texts and one.text not in caption.text.lower():
            texts.append(one.text)
    return texts


def _write(tar: tarfile.TarFile, key: str, scene: Scene, caption: Caption, texts: list[str]) -> None:
    picture = io.BytesIO()
    scene.picture.save(picture, "JPEG", quality=_QUALITY)
    entry = {
        "key": key,
        "caption": caption.text,
        "width": scene.picture.width,
        "height": scene.picture.height,
        "status": "success",
        "truth": _truth(scene, caption),
        "absent": texts,
        "statements": [_statement(one, caption) for one in caption.claims],
    }
    for ending, content in (
        ("jpg", picture.getvalue()),
        ("json", json.dumps(entry, ensure_ascii=False).encode()),
        ("txt", caption.text.encode()),
    ):
        info = tarfile.TarInfo(f"{key}.{ending}")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def _truth(scene: Scene, caption: Caption) -> list[dict[str, Any]]:
    return [
        {
            "start": mention.start,
            "end": mention.end,
            "text": caption.text[mention.start : mention.end],
            "boxes": [[round(c, 5) for c in scene.things[number].box] for number in mention.phrase.things],
            "unseen": _is_unseen(mention.phrase.kind),
        }
        for mention in caption.mentions
        if mention.phrase.things
    ]


def _statement(one: Stated, caption: Caption) -> dict[str, Any]:
    """A statement with the fields of a claim in the record. The words of a bare plural are the noun."""
    subject = caption.mentions[one.subject]
    noun = subject.end - len(subject.phrase.text.split()[-1])
    fields = {
        "subject": [subject.start, subject.end],
        "predicate": one.predicate,
        "object": [[caption.mentions[one.object].start, caption.mentions[one.object].end]] if one.object >= 0 else [],
        "number": one.number,
        "true": one.true,
    }
    words = {"words": [noun, subject.end]} if one.bare else {}
    return fields | words | ({"optional": True} if one.optional else {})


def _is_unseen(kind: Kind) -> bool:
    return bool(kind.colour and held_out(kind.colour, kind.noun))


def read_tars(folder: Path) -> Iterator[Example]:
    """Yields the scenes of all tars in a folder.

    Raises:
      ValueError: the folder contains no tar.
    """
    paths = sorted(folder.glob("*.tar"))
    if not paths:
        raise ValueError(f"{folder}: no *.tar")
    for path in paths:
        with tarfile.open(path) as tar:
            members = {member.name: tar.extractfile(member) for member in tar}
            contents = {name: file.read() for name, file in members.items() if file}
        for name in sorted(contents):
            if name.endswith(".json"):
                key = name.removesuffix(".json")
                yield _example(key, contents[f"{key}.jpg"], json.loads(contents[name]))


def _example(key: str, data: bytes, entry: dict[str, Any]) -> Example:
    truths = tuple(Truth(t["text"], tuple(map(tuple, t["boxes"])), t.get("unseen", False)) for t in entry["truth"])
    return Example(key, data, entry["width"], entry["height"], entry["caption"], truths, tuple(entry["absent"]))
