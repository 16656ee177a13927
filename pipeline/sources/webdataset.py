"""WebDataset tars, as img2dataset writes them: image, `.txt` and `.json` of a sample next to each other, in any order.

Behind zeros or a broken header, reading goes on at the next sound one; what lies between is a fault of the source and
is told at the end.
"""

import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.configuration import SourceSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.sources.base import Position, RangeSpec, captions_of, clean, meta
from pipeline.sources.tar_members import Cut, members
from transforms.records import Fault, ImageRef, Pair, Reason, Stage

IMAGES = frozenset(["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "ppm", "pgm", "pbm", "pnm"])

_WHOLE = frozenset(["image", "txt", "json"])


@dataclass(frozen=True)
class _Notes:
    """What a reading has found wrong so far. It travels in positions, so that one that is resumed ends the same way.

    strays: images that belong to no sample. gaps: places that could not be read; first: what is said of the first one.
    """

    strays: int = 0
    gaps: int = 0
    first: str = ""

    @classmethod
    def of(cls, position: Position) -> "_Notes":
        return cls(position.get("strays", 0), position.get("gaps", 0), position.get("first", ""))

    def place(self) -> Position:
        """The part of a position that says it."""
        return {name: value for name, value in vars(self).items() if value}

    def with_gap(self, text: str) -> "_Notes":
        return replace(self, gaps=self.gaps + 1, first=self.first or text)

    def faults(self) -> str:
        """One line; empty if there is nothing wrong."""
        more = f" (and {self.gaps - 1} more such places)" if self.gaps > 1 else ""
        strays = f"{self.strays} images have a second dot in their name and no sample of their key"
        return "; ".join(filter(None, (self.first + more, strays if self.strays else "")))


@dataclass
class _Sample:
    """The members of one sample read so far; `position` is that of its first one. torn: why it is not whole."""

    key: str
    position: Position
    image: ImageRef | None = None
    data: bytes = b""
    text: bytes | None = None
    json: bytes | None = None
    names: set[str] = field(default_factory=set)
    torn: str = ""

    def add(self, role: str, data: bytes, place: ImageRef | None) -> None:
        """Takes a member in: an "image", a "txt" or a "json". place: None if the image lies in several pieces."""
        self.names.add(role)
        if role == "image":
            self.image, self.data = place, data
            self.torn = "" if place else "the image is stored as a sparse file"
        elif role == "txt":
            self.text = data
        else:
            self.json = data


class WebDatasetSource:
    """A position holds `offset` (the first member's header, in the unpacked tar), `index`, and what went wrong before.

    `usual` in it: the members that the sample before had, if not all three; such a sample counts as whole.
    """

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        self.uri = info.uri
        self.settings = settings

    def ranges(self, rows: int) -> list[RangeSpec]:
        """The whole tar. Its first header is read, so that a file that is no tar is found before anything starts."""
        try:
            for _ in members(self.uri, 0, None):
                break
        except Cut as cut:
            if cut.on is None:
                raise
        return [RangeSpec({"offset": 0, "index": 0}, None)]

    def starts(self, start: Position) -> Iterator[Position]:
        """By going from header to header."""
        for index, sample in enumerate(self._samples(start, load=False), start["index"]):
            yield {**sample.position, "index": index}

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """Streams the tar from `start` on."""
        for index, sample in enumerate(self._samples(start, load=True), start["index"]):
            yield {**sample.position, "index": index}, self._pair(sample, index)

    def _samples(self, start: Position, load: bool) -> Iterator[_Sample]:
        """Members of one key that lie next to each other; one that a fault has torn says so.

        Raises:
          SourceFault: at the end, if something was not to be read.
        """
        notes, strays = _Notes.of(start), _Strays(start.get("strays", 0))
        usual = frozenset(start.get("usual", _WHOLE))
        offset: int | None = start["offset"]
        while offset is not None:
            current: _Sample | None = None
            try:
                for member, data, at in members(self.uri, offset, role_of if load else None):
                    key, role = split_name(member.name)[0], role_of(member.name)
                    strays.meet(key, role, member.name, current.key if current else "")
                    notes = replace(notes, strays=strays.count)
                    if not role:
                        continue
                    # A second image or text under one key is another sample: duplicate keys overwrite nothing.
                    if current is None or key != current.key or role in current.names:
                        if current:
                            usual = frozenset(current.names)
                            yield current
                        current = _Sample(key, _position(at, notes, usual))
                    current.add(role, data, self._place(member, at))
                offset = None
            except Cut as cut:
                offset = cut.on
                broken = role_of(cut.name) and split_name(cut.name)[0]
                if current and (current.key == broken or not (broken or current.names >= usual)):
                    current.torn = str(cut)
                elif broken:
                    if current:
                        yield current
                    current = _Sample(broken, _position(cut.at, notes, usual), torn=str(cut))
                notes = notes.with_gap(str(cut))
            if current:
                yield current
        if faults := notes.faults():
            raise SourceFault(faults)

    def _place(self, member: tarfile.TarInfo, at: int) -> ImageRef | None:
        if member.issparse():
            return None
        return ImageRef(self.uri, -1, at + member.offset_data - member.offset, member.size)

    def _pair(self, sample: _Sample, index: int) -> Pair:
        pair = Pair(key=sample.key, source=self.uri, index=index, caption="")
        if sample.torn:
            return clean(pair.failed(Fault.of(Stage.READ, Reason.BROKEN_ROW, sample.torn)))
        try:
            row = json.loads(sample.json) if sample.json is not None else {}
            if not isinstance(row, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            return clean(pair.failed(Fault.of(Stage.READ, Reason.BROKEN_ROW, f"{sample.key}.json: {error}")))
        wanted = self.settings.columns
        told = next((row[name] for name in wanted.caption if name in row), None)
        caption = sample.text.decode("utf-8", "surrogateescape") if sample.text is not None else captions_of(told)[0]
        pair = replace(
            pair,
            caption=caption or "",
            url=_first(row, wanted.url),
            id=_first(row, wanted.id),
            meta=meta(row, [name for name in wanted.caption if row.get(name) == caption]),
        )
        if sample.image is None:
            return clean(pair.failed(Fault(Stage.READ, Reason.NO_IMAGE, "no image of that key beside it")))
        return clean(replace(pair, image=sample.image, data=sample.data))


def _position(offset: int, notes: _Notes, usual: frozenset[str]) -> Position:
    return {"offset": offset, **notes.place(), **({} if usual == _WHOLE else {"usual": sorted(usual)})}


class _Strays:
    """Counts images that WebDataset takes for no sample: `photo.v1.jpg`, without a sample `photo` beside it."""

    def __init__(self, before: int) -> None:
        self._before = before
        self._last = ""

    def meet(self, key: str, role: str, name: str, current: str) -> None:
        """Takes note of a member; `current`: the key of the sample before it."""
        if key != self._last:
            self._before += bool(self._last)
            self._last = ""
        image = name.rpartition(".")[2].lower() in IMAGES
        self._last = key if image and not role and key != current else "" if role else self._last

    @property
    def count(self) -> int:
        """Keys of such images so far."""
        return self._before + bool(self._last)


def split_name(name: str) -> tuple[str, str]:
    """A member's key and lower-case extension, as webdataset splits them: at the first dot of the base name."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def role_of(name: str) -> str:
    """What a member is to its sample: "image", "txt", "json", or "" for nothing of ours."""
    extension = split_name(name)[1]
    return "image" if extension in IMAGES else extension if extension in ("txt", "json") else ""


def _first(row: dict[str, Any], names: Iterable[str]) -> str:
    """The first of the fields that is there, as text."""
    value = next((row[name] for name in names if name in row), None)
    return "" if value is None else str(value)
