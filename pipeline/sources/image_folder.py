"""The folder of the images that a table names, if they are not below `source.image_root`."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice

from pipeline import files
from pipeline.sources.member_names import IMAGES, is_image_name

_MAX_FOLDERS = 1000


def find_image_folder(root: str, paths: Sequence[str]) -> str:
    """A folder near `root` below which all of the relative paths are files: below it, above it, or beside it, such as
    `../val2017`. The nearest one; "" if there is none, or if `root` is not local."""
    if not (files.is_local(root) and paths):
        return ""
    folders = islice(_near(root), _MAX_FOLDERS)
    return next((folder for folder in folders if all(_has_image(folder, path) for path in paths)), "")


def _has_image(folder: str, path: str) -> bool:
    """Whether a path is a file; one without suffix, as kohya's trainers write it, whether an image has this name."""
    path = os.path.join(folder, path)
    return os.path.isfile(path) or (
        not is_image_name(path) and any(os.path.isfile(f"{path}.{suffix}") for suffix in IMAGES)
    )


def _near(root: str) -> Iterator[str]:
    """The folders below a folder, the one above it, those beside it with those in each of them, and the next ones."""
    above = files.parent(root)
    for folder in (root, above):
        for below in _below(folder):
            yield below
            yield from _below(below)
        yield files.parent(folder)
    yield from _below(files.parent(above))


def _below(folder: str) -> Iterator[str]:
    """The folders in a folder, sorted. There are none if it cannot be read."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        names = []
    return (files.join(folder, name) for name in names)
