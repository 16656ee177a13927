"""WebDataset tars, as img2dataset writes them: image, `.txt` and `.json` of a sample are adjacent, in any order.

If parts of the tar cannot be read, reading continues after them, and a SourceFault is raised at the end.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from pipeline import files
from pipeline.configuration import SourceSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.sources.base import Position, RangeSpec, captions_of, meta_json, with_valid_text
from pipeline.sources.read_images import fetch_ahead, opened_once
from pipeline.sources.tar_members import Gap, Member, NotATar, open_tar
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason

IMAGES = frozenset(["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "ppm", "pgm", "pbm", "pnm"])

_NO_IMAGE = "no adjacent JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or PNM with this key"

_MAX_BYTES = {"image": 1 << 30, "txt": 1 << 24, "json": 1 << 24}
"""Size limit for members that are loaded. Without it, a gzipped tar of a few kB could contain one of any size."""

_MAX_SKIP = 1 << 20  # reading through this gap is cheaper than a new request to an object store


@dataclass(frozen=True)
class _ReadState:
    """What a reader has found so far. It is part of positions, so that a resumed reader continues and ends in the same
    way. Positions are stored in files, and the field names are their keys.

    strays: number of images without a sample; stray: name of the first one.
    gaps: number of places that could not be read; first: text of the first one.
    after: text of a gap since the last sample. usual: the members that samples of this tar have.
    """

    strays: int = 0
    stray: str = ""
    gaps: int = 0
    first: str = ""
    after: str = ""
    usual: tuple[str, ...] = ()

    @classmethod
    def from_position(cls, position: Position) -> "_ReadState":
        values = {name: position[name] for name in vars(cls()) if name in position}
        return cls(**{**values, "usual": tuple(values.get("usual", ()))})

    def to_position(self) -> Position:
        """The part of a position that contains this state."""
        return {name: list(value) if name == "usual" else value for name, value in vars(self).items() if value}

    def with_gap(self, text: str) -> "_ReadState":
        return replace(self, gaps=self.gaps + 1, first=self.first or text, after=text)

    def faults(self) -> str:
        """All faults in one line. Empty if there are none."""
        more = f" (and {self.gaps - 1} more such places)" if self.gaps > 1 else ""
        strays = f"{self.strays} images have a second dot in their name and no sample of their key, first {self.stray}"
        return "; ".join(filter(None, (self.first + more, strays if self.strays else "")))


@dataclass
class _Sample:
    """The members of a sample that were read so far. `position` is that of the first one.

    gap: what could not be read before, inside or after it. broken: why one of its members cannot be read.
    """

    key: str
    position: Position
    gap: str = ""
    broken: str = ""
    image: ImageRef | None = None
    data: bytes = b""
    text: bytes | None = None
    json: bytes | None = None
    names: set[str] = field(default_factory=set)

    def add(self, role: str, member: Member, uri: str) -> None:
        """Adds a member. role: "image", "txt" or "json"."""
        self.names.add(role)
        self.broken = self.broken or (member.fault and f"{role}: {member.fault}")
        if role == "image":
            self.image, self.data = ImageRef(uri, -1, member.data_offset, member.size), member.data
        elif role == "txt":
            self.text = member.data
        else:
            self.json = member.data

    def finish(self, usual: tuple[str, ...]) -> "_Sample":
        """Returns the sample after its last member. A sample next to a gap is broken if it lacks members that other
        samples of the tar have."""
        complete = self.names >= set(usual) if usual else "image" in self.names and len(self.names) > 1
        if self.gap and not complete:
            self.broken = self.broken or self.gap
        return self


class WebDatasetSource:
    """A position contains `offset` (header of the first member, in the unpacked tar), `index`, and the `_ReadState`."""

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        self.uri = info.uri
        self.settings = settings

    def ranges(self, rows: int) -> list[RangeSpec]:
        """One range with the whole tar. Reads the first header, so that an invalid tar is found before a run starts."""
        start = {"offset": 0, "index": 0}
        for _ in self._members(start, load=False):
            break
        return [RangeSpec(start, None)]

    def starts(self, start: Position) -> Iterator[Position]:
        """Reads only the headers."""
        for index, sample in enumerate(self._samples(start, load=False), start["index"]):
            yield {**sample.position, "index": index}

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """Streams the tar from `start` on."""
        for index, sample in enumerate(self._samples(start, load=True), start["index"]):
            yield {**sample.position, "index": index}, with_valid_text(self._pair(sample, index))

    def fetch(self, references: Iterable[ImageRef]) -> Iterator[bytes | Fault]:
        """Reads the tar forward."""
        with opened_once(self.uri, _TarImages) as tar:
            yield from fetch_ahead(references, lambda image: tar().read(image))

    def needs(self) -> list[str]:
        """The tar."""
        return [self.uri]

    def _members(self, start: Position, load: bool) -> Iterator[Member | Gap]:
        def max_bytes(name: str) -> int:
            return _MAX_BYTES.get(role_of(name), 0) if load else 0

        try:
            with open_tar(self.uri, load) as tar:
                yield from tar.members(start["offset"], max_bytes)
        except NotATar:
            raise SourceFault("not a tar") from None

    def _samples(self, start: Position, load: bool) -> Iterator[_Sample]:
        """The samples. A sample consists of adjacent members with the same key.

        Raises:
          SourceFault: at the end, if something could not be read, or if images have no sample.
        """
        state, strays = _ReadState.from_position(start), _Strays(start.get("strays", 0), start.get("stray", ""))
        current: _Sample | None = None
        for member in self._members(start, load):
            if isinstance(member, Gap):
                state = state.with_gap(member.text)
                if current:
                    current.gap = current.gap or member.text
                continue
            if member.name.rpartition("/")[2].startswith("._"):  # macOS adds such a file for each file
                continue
            key, role = split_name(member.name)[0], role_of(member.name)
            strays.observe(key, role, member.name, current.key if current else "")
            state = replace(state, strays=strays.count, stray=strays.first)
            if not role:
                continue
            # A second image or text with the same key starts a new sample, so that duplicate keys overwrite nothing.
            if current is None or key != current.key or role in current.names:
                if current:
                    if not (current.gap or current.broken):
                        state = replace(state, usual=tuple(sorted(current.names)))
                    yield current.finish(state.usual)
                current = _Sample(key, {"offset": member.header_offset, **state.to_position()}, gap=state.after)
                state = replace(state, after="")
            current.add(role, member, self.uri)
        if current:
            yield current.finish(state.usual)
        if faults := state.faults():
            raise SourceFault(faults)

    def _pair(self, sample: _Sample, index: int) -> Pair:
        pair = Pair(key=sample.key, source=self.uri, index=index, caption="")
        problem, row = sample.broken, {}
        if sample.json is not None and not problem:
            try:
                row = json.loads(sample.json)
                problem = "" if isinstance(row, dict) else f"{sample.key}.json: not an object"
            except (ValueError, RecursionError) as error:
                problem = f"{sample.key}.json: {error}"
        if problem:
            return pair.failed(Fault.from_error(FailureStage.READ, Reason.BROKEN_ROW, problem))
        columns = self.settings.columns
        caption_value = next((row[name] for name in columns.caption if name in row), None)
        caption = (
            sample.text.decode("utf-8", "surrogateescape") if sample.text is not None else captions_of(caption_value)[0]
        )
        pair = replace(
            pair,
            caption=caption or "",
            url=_first(row, columns.url),
            id=_first(row, columns.id),
            meta=meta_json(row, [name for name in columns.caption if row.get(name) == caption]),
        )
        if sample.image is None:
            return pair.failed(Fault(FailureStage.READ, Reason.NO_IMAGE, _NO_IMAGE))
        return replace(pair, image=sample.image, data=sample.data)


class _TarImages:
    """Images of an open tar, plain or gzipped. Offsets are those in the unpacked tar."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = files.gunzipped(file)
        self._offset = 0

    def read(self, image: ImageRef) -> bytes:
        gap = image.offset - self._offset
        if 0 <= gap <= _MAX_SKIP:
            self._file.read(gap)
        else:
            self._file.seek(image.offset)
        data = self._file.read(image.length)
        self._offset = image.offset + len(data)
        return data


class _Strays:
    """Counts images that WebDataset assigns to no sample: `photo.v1.jpg` without an adjacent sample `photo`."""

    def __init__(self, count: int, first: str) -> None:
        self._earlier_count = count
        self._earlier_first = first
        self._candidate_key = self._candidate_name = ""

    def observe(self, key: str, role: str, name: str, previous_key: str) -> None:
        """Records a member. previous_key: key of the sample before it."""
        if key != self._candidate_key:
            self._earlier_first, self._earlier_count = self.first, self.count
            self._candidate_key = ""
        is_image = name.rpartition(".")[2].lower() in IMAGES
        if is_image and not role and key not in (previous_key, self._candidate_key):
            self._candidate_key, self._candidate_name = key, name
        elif role:
            self._candidate_key = ""

    @property
    def count(self) -> int:
        """The number of keys of such images so far."""
        return self._earlier_count + bool(self._candidate_key)

    @property
    def first(self) -> str:
        """The name of the first such image. Empty if there is none."""
        return self._earlier_first or (self._candidate_name if self._candidate_key else "")


def split_name(name: str) -> tuple[str, str]:
    """A member's key and its lower-case extension. As in webdataset, the split is at the first dot of the base name."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def role_of(name: str) -> str:
    """The role of a member in its sample: "image", "txt" or "json". "" for other files."""
    extension = split_name(name)[1]
    return "image" if extension in IMAGES else extension if extension in ("txt", "json") else ""


def _first(row: dict[str, Any], names: Iterable[str]) -> str:
    """The first of the fields that exists, as text."""
    value = next((row[name] for name in names if name in row), None)
    return "" if value is None else str(value)
