"""The folder of the images that a table names, if they are not below `source.image_root`."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice

from pipeline import files

_MAX_FOLDERS = 1000


def find_image_folder(root: str, paths: Sequence[str]) -> str:
    """A folder near `root` below which all of the relative paths are files: below it, above it, or beside it, such as
    `../val2017`. The nearest one; "" if there is none, or if `root` is not local."""
    if not (files.is_local(root) and paths):
        return ""
    folders = islice(_near(root), _MAX_FOLDERS)
    return next((folder for folder in folders if all(os.path.isfile(os.path.join(folder, path)) for path in paths)), "")


def _near(root: str) -> Iterator[str]:
    above = files.parent(root)
    yield from _below(root)
    yield above
    for beside in _below(above):
        yield beside
        yield from _below(beside)
    yield from _below(files.parent(above))


def _below(folder: str) -> Iterator[str]:
    """The folders in a folder, sorted. None if it cannot be read."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")
    except OSError:
        names = []
    return (files.join(folder, name) for name in names)
