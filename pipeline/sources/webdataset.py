"""WebDataset tars, as img2dataset writes them: image, `.txt` and `.json` of a sample are adjacent, in any order.

If parts of the tar cannot be read, reading continues after them, and a SourceFault is raised at the end.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, BinaryIO

from pipeline import files
from pipeline.configuration import SourceSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.sources import caption_text, json_text
from pipeline.sources.base import Position, RangeSpec, captions_of, meta_json, with_valid_text
from pipeline.sources.read_images import fetch_ahead, opened_once
from pipeline.sources.tar_members import Gap, Member, NotATar, open_tar
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason

IMAGES = frozenset(["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "ppm", "pgm", "pbm", "pnm"])

_NO_IMAGE = "no adjacent JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or PNM with this key"

_MAX_BYTES = {"image": 1 << 30, "txt": 1 << 24, "json": 1 << 24}
"""Size limit for members that are loaded. Without it, a gzipped tar of a few kB could contain one of any size."""

_LOADED_TO_COUNT = {"json": _MAX_BYTES["json"]}
"""What must be loaded to know how many pairs a sample has."""

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
        why = "a dot begins their name, or they have a second dot and no sample of their key"
        strays = f"{self.strays} images belong to no sample, first {self.stray}: {why}"
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

    @cached_property
    def row(self) -> tuple[dict[str, Any], str]:
        """The JSON of the sample, if it has one, and why it cannot be read; empty if there is no problem."""
        if self.broken or self.json is None:
            return {}, self.broken
        try:
            row = json_text.parse(self.json)
        except (ValueError, RecursionError) as error:
            return {}, f"{self.key}.json: {error}"
        return (row, "") if isinstance(row, dict) else ({}, f"{self.key}.json: not an object")

    def finish(self, usual: tuple[str, ...]) -> "_Sample":
        """Returns the sample after its last member. A sample next to a gap is broken if it lacks members that other
        samples of the tar have."""
        complete = self.names >= set(usual) if usual else "image" in self.names and len(self.names) > 1
        if self.gap and not complete:
            self.broken = self.broken or self.gap
        return self


class WebDatasetSource:
    """A position contains `offset` (header of the first member, in the unpacked tar), `index`, the `_ReadState`, and
    `skip` (number of earlier captions of the sample) if it is not 0."""

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        self.uri = info.uri
        self.settings = settings

    def ranges(self, rows: int) -> list[RangeSpec]:
        """One range with the whole tar. Reads the first header, so that an invalid tar is found before a run starts."""
        start = {"offset": 0, "index": 0}
        for _ in self._members(start, {}):
            break
        return [RangeSpec(start, None)]

    def starts(self, start: Position) -> Iterator[Position]:
        """Reads only the headers and the JSON of samples, whose captions can be a list."""
        for position, sample in self._placed(start, _LOADED_TO_COUNT):
            for skip in range(len(self._captions(sample))):
                yield _moved(position, skip)

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """Streams the tar from `start` on."""
        for position, sample in self._placed(start, _MAX_BYTES):
            first = position["offset"] == start["offset"]
            for skip, pair in enumerate(self._pairs(sample, position["index"])):
                if not first or skip >= start.get("skip", 0):
                    yield _moved(position, skip), with_valid_text(pair)

    def fetch(self, references: Iterable[ImageRef]) -> Iterator[bytes | Fault]:
        """Reads the tar forward."""
        with opened_once(self.uri, _TarImages) as tar:
            yield from fetch_ahead(references, lambda image: tar().read(image))

    def needs(self) -> list[str]:
        """The tar."""
        return [self.uri]

    def _placed(self, start: Position, max_bytes: Mapping[str, int]) -> Iterator[tuple[Position, _Sample]]:
        """The samples from `start` on, each with the position of its first pair."""
        index = start["index"] - start.get("skip", 0)
        for sample in self._samples(start, max_bytes):
            yield {**sample.position, "index": index}, sample
            index += len(self._captions(sample))

    def _members(self, start: Position, max_bytes: Mapping[str, int]) -> Iterator[Member | Gap]:
        try:
            with open_tar(self.uri, "image" in max_bytes) as tar:
                yield from tar.members(start["offset"], lambda name: max_bytes.get(role_of(name), 0))
        except NotATar:
            raise SourceFault("not a tar") from None

    def _samples(self, start: Position, max_bytes: Mapping[str, int]) -> Iterator[_Sample]:
        """The samples. A sample consists of adjacent members with the same key.

        Raises:
          SourceFault: at the end, if something could not be read, or if images have no sample.
        """
        state, strays = _ReadState.from_position(start), _Strays(start.get("strays", 0), start.get("stray", ""))
        current: _Sample | None = None
        for member in self._members(start, max_bytes):
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

    def _captions(self, sample: _Sample) -> list[str | None]:
        """The captions of a sample: its text, else those in its JSON."""
        if sample.text is not None:
            return [caption_text.from_file(sample.text)]
        row, _ = sample.row
        return captions_of(next((row[name] for name in self.settings.columns.caption if name in row), None))

    def _pairs(self, sample: _Sample, index: int) -> Iterator[Pair]:
        """The pairs of a sample, one per caption. index: of the first one."""
        row, problem = sample.row
        pair = Pair(key=sample.key, source=self.uri, index=index, caption="")
        if problem:
            yield pair.failed(Fault.from_error(FailureStage.READ, Reason.BROKEN_ROW, problem))
            return
        columns, captions = self.settings.columns, self._captions(sample)
        same = [name for name in columns.caption if any(captions) and captions_of(row.get(name)) == captions]
        pair = replace(pair, url=_first(row, columns.url), id=_first(row, columns.id), meta=meta_json(row, same))
        if sample.image is None:
            pair = pair.failed(Fault(FailureStage.READ, Reason.NO_IMAGE, _NO_IMAGE))
        else:
            pair = replace(pair, image=sample.image, data=sample.data)
        for number, caption in enumerate(captions):
            key = f"{sample.key}-{number}" if len(captions) > 1 else sample.key
            yield replace(pair, key=key, index=index + number, caption=caption or "")


def _moved(position: Position, skip: int) -> Position:
    """The position of another pair of the same sample. skip: number of earlier pairs."""
    return {**position, "skip": skip, "index": position["index"] + skip} if skip else position


class _TarImages:
    """Images of an open tar, plain or compressed. Offsets are those in the unpacked tar."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = files.unpacked(file)
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
        base = name.rpartition("/")[2]
        if base.startswith("."):
            key = name  # webdataset finds no key in it
        if key != self._candidate_key:
            self._earlier_first, self._earlier_count = self.first, self.count
            self._candidate_key = ""
        is_image = base.rpartition(".")[2].lower() in IMAGES
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
    key, extension = split_name(name)
    if not key.rpartition("/")[2]:  # as in webdataset: a name that begins with a dot has no key
        return ""
    return "image" if extension in IMAGES else extension if extension in ("txt", "json") else ""


def _first(row: dict[str, Any], names: Iterable[str]) -> str:
    """The first of the fields that exists, as text."""
    value = next((row[name] for name in names if name in row), None)
    return "" if value is None else str(value)
