"""Which rows have the same image: by its name in a folder, or because equal files follow each other, as exports write
the image of a pair for each of its captions."""

import filecmp
import os
import stat
from array import array
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import xxhash
from numpy.typing import NDArray

from gritmill.auditing.grounded_row import GroundedRow
from pipeline import files

_FEW = 1 << 16  # names that are added before they are compared


@dataclass
class DistinctNames:
    """Counts different names. Keeps 8 bytes of each: two of 100 million have the same with a chance of 1 in 3,700."""

    _hashes: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    _new: "array[int]" = field(default_factory=lambda: array("Q"))

    def add(self, name: str) -> None:
        """Adds a name, which may be known."""
        self._new.append(xxhash.xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")))
        if len(self._new) >= max(_FEW, len(self._hashes) // 4):
            self._merge()

    def __len__(self) -> int:
        self._merge()
        return len(self._hashes)

    def _merge(self) -> None:
        both = np.concatenate([self._hashes, np.frombuffer(self._new, np.uint64)])
        both.sort()  # np.unique of NumPy 2.4 takes a hundred times as long
        self._hashes = both[np.diff(both, prepend=~both[:1]) != 0]
        self._new = array("Q")


@dataclass
class SameImages:
    """Names the images of a file's rows: by the folder of the file, and the name in the row. Rows that follow each
    other get one name if the images that they name are equal.

    Images are looked for beside the file, on a local disk only, and read only if they have as many bytes as the one
    before. A row whose image is not there keeps its name.
    """

    uri: str
    _picture: str = ""
    _path: str = ""
    _size: int = -1
    _name: str = ""

    def __post_init__(self) -> None:
        self._folder = files.parent(self.uri)

    def __call__(self, row: GroundedRow) -> GroundedRow:
        """The row with the name of its image."""
        if row.picture != self._picture:
            before, size = self._path, self._size
            self._picture, self._path, self._size = row.picture, *self._find(row.picture)
            if not (size == self._size > 0 and _are_equal(before, self._path)):
                self._name = row.picture
        if "://" in self._name:  # a URL, which is the same in every folder
            return row if self._name == row.picture else replace(row, picture=self._name)
        return replace(row, picture=type(self._name)(f"{self._folder}\n{self._name}"))

    def _find(self, name: str) -> tuple[str, int]:
        """The path of an image and its number of bytes; -1 if there is no such file."""
        path = files.resolve_below(self._folder, name) if files.is_local(self.uri) else None
        with suppress(OSError, ValueError):  # a name may contain NULs
            if path and stat.S_ISREG((found := os.stat(path)).st_mode):
                return path, found.st_size
        return "", -1


def _are_equal(first: str, second: str) -> bool:
    with suppress(OSError):
        return filecmp.cmp(first, second, shallow=False)
    return False
