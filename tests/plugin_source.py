"""A source kind as another package would provide it: images and their texts in a zip."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZipFile

from pipeline.configuration import SourceSettings
from pipeline.files import FileInfo
from pipeline.source_kinds import GROUP
from pipeline.sources import Position, RangeSpec
from pipeline.sources.base import broken_row
from transforms.records import Fault, ImageRef, Pair

BROKEN = "cannot be read"
"""The text of a row that must fail."""


class ZippedSource:
    """A source over a zip. The `part` of a reference names the member."""

    suffixes = (".zip",)

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        self.uri = info.uri

    def ranges(self, rows: int) -> list[RangeSpec]:
        number = len(list(self.starts({"index": 0})))
        return [RangeSpec({"index": first}, min(rows, number - first)) for first in range(0, number, rows)]

    def starts(self, start: Position) -> Iterator[Position]:
        with ZipFile(self.uri) as file:
            number = sum(name.endswith(".jpg") for name in file.namelist())
        return ({"index": index} for index in range(start["index"], number))

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        with ZipFile(self.uri) as file:
            for position in self.starts(start):
                yield position, self._pair(file, position["index"])

    def _pair(self, file: ZipFile, index: int) -> Pair:
        caption = file.read(f"{index}.txt").decode()
        if caption == BROKEN:
            return broken_row(self.uri, index, index, caption)
        data = file.read(f"{index}.jpg")
        reference = ImageRef(self.uri, length=len(data), part=f"{index}.jpg")
        return Pair(str(index), self.uri, index, caption, reference, data)

    def fetch(self, references: Iterable[ImageRef]) -> Iterator[bytes | Fault]:
        with ZipFile(self.uri) as file:
            for reference in references:
                yield file.read(reference.part)

    def needs(self) -> list[str]:
        return [self.uri]


def write(path: Path, pictures: Iterable[tuple[bytes, str]]) -> Path:
    """Writes a zip of images and texts."""
    with ZipFile(path, "w") as file:
        for i, (data, text) in enumerate(pictures):
            file.writestr(f"{i}.jpg", data)
            file.writestr(f"{i}.txt", text)
    return path


ENTRY = GROUP, f"zipped = {__name__}:{ZippedSource.__name__}"
"""The entry point of the package that provides the source kind."""
