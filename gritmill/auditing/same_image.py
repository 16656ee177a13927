"""Rows of one image that name different files: exports write the image of a pair for each of its captions."""

import filecmp
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, replace

from gritmill.auditing.grounded_row import GroundedRow
from pipeline import files


@dataclass
class SameImages:
    """Gives rows of a file that follow each other one name if the images that they name are equal.

    Images are looked for beside the file, on a local disk only, and read only if they have as many bytes as the one
    before. A row whose image is not there keeps its name.
    """

    uri: str
    _picture: str = ""
    _path: str = ""
    _size: int = -1
    _name: str = ""

    def __call__(self, row: GroundedRow) -> GroundedRow:
        """The row, with the name of the one before it if both have the same image."""
        if row.picture != self._picture:
            before, size = self._path, self._size
            self._picture, self._path, self._size = row.picture, *self._find(row.picture)
            if not (size == self._size > 0 and _are_equal(before, self._path)):
                self._name = row.picture
        return row if self._name == row.picture else replace(row, picture=self._name)

    def _find(self, name: str) -> tuple[str, int]:
        """The path of an image and its number of bytes; -1 if there is no such file."""
        path = files.resolve_below(files.parent(self.uri), name) if files.is_local(self.uri) else None
        with suppress(OSError, ValueError):  # a name may contain NULs
            if path and stat.S_ISREG((found := os.stat(path)).st_mode):
                return path, found.st_size
        return "", -1


def _are_equal(first: str, second: str) -> bool:
    with suppress(OSError):
        return filecmp.cmp(first, second, shallow=False)
    return False
