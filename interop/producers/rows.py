"""Rows of tables, with image paths or image bytes."""

import shutil
from pathlib import Path
from typing import Any

from interop.written import Given


def with_paths(pairs: list[Given], truth: Path, folder: Path, lists: bool = False) -> list[dict[str, Any]]:
    """Copies the pictures to `images/` in the folder, where the paths of the rows point to. lists: both captions."""
    (folder / "images").mkdir()
    for pair in pairs:
        shutil.copy(truth / pair.picture, folder / "images")
    return [{"id": pair.id, "image": f"images/{pair.picture}", **_rest(pair, lists)} for pair in pairs]


def with_bytes(pairs: list[Given], truth: Path, lists: bool = False) -> list[dict[str, Any]]:
    """The pictures are in the rows. lists: both captions."""
    return [{"id": p.id, "image": (truth / p.picture).read_bytes(), **_rest(p, lists)} for p in pairs]


def _rest(pair: Given, lists: bool) -> dict[str, Any]:
    captions = {"captions": [pair.caption, pair.second]} if lists else {"caption": pair.caption}
    return {**captions, "score": pair.score}
