"""WebDataset tars, as img2dataset writes them: image, `.txt` and `.json` of a sample are adjacent, in any order.

`tar_layout` finds other names and orders of members. If parts of the tar cannot be read, reading continues after them,
and a SourceFault is raised at the end.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, BinaryIO

from pipeline import files
from pipeline.configuration import SourceSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.sources import caption_text, json_text
from pipeline.sources.base import (
    Caption,
    Position,
    RangeSpec,
    captions_of,
    meta_json,
    with_caption,
    with_valid_text,
)
from pipeline.sources.columns import NO_FIELDS, Fields
from pipeline.sources.member_names import ROLES, MemberName, MemberNames, digest, is_image_name, shown, starts_sample
from pipeline.sources.read_images import fetch_ahead, opened_once
from pipeline.sources.tar_index import TarIndex
from pipeline.sources.tar_layout import JOINED, NAMES, find_layout, names_of, two_images
from pipeline.sources.tar_members import Gap, Member, NotATar, open_tar
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason
from transforms.wording import counted

_NO_IMAGE = "no adjacent image with this key: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, PNM or source.members.image"

_MAX_BYTES = {"image": 1 << 30, "txt": 1 << 24, "json": 1 << 24}
"""Size limit for members that are loaded. Without it, a gzipped tar of a few kB could contain one of any size."""

_LOADED_TO_COUNT = {"json": _MAX_BYTES["json"]}
"""What must be loaded to know how many pairs a sample has."""

_MAX_LONE = 8
"""Keys of lone images, and of samples without an image, that are remembered to find members that are not adjacent."""

_TYPABLE = re.compile(r"[\w.-]+")  # without quotes in a shell

_TEXTS = (".txt", ".json")

_MAX_BESIDE = 3
_MAX_DETAIL = 200

_MAX_SKIP = 1 << 20  # reading through this gap is cheaper than a new request to an object store


@dataclass(frozen=True)
class _ReadState:
    """What a reader has found so far. It is part of positions, so that a resumed reader continues and ends in the same
    way. Positions are stored in files, and the field names are their keys.

    strays: number of images without a sample; stray: name of the first one.
    gaps: number of places that could not be read; first: text of the first one.
    after: text of a gap since the last sample. usual: the members that samples of this tar have.
    beside: names of images without a role before the sample, with its key. lone: roles (their first letters) and digest
    of the key of the first sample, of the first ones with only an image, and of the first ones without one. apart: key
    of a sample whose members are not adjacent. paired: whether any sample has an image and a text. text: name of the
    first text without a role.
    """

    strays: int = 0
    stray: str = ""
    gaps: int = 0
    first: str = ""
    after: str = ""
    usual: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    lone: tuple[str, ...] = ()
    apart: str = ""
    paired: bool = False
    text: str = ""

    @classmethod
    def from_position(cls, position: Position) -> "_ReadState":
        values: dict[str, Any] = {}
        for name in vars(cls()).keys() & position.keys():
            values[name] = tuple(position[name]) if isinstance(position[name], list) else position[name]
        state = cls(**values)
        # Earlier versions did not write `paired`.
        return replace(state, paired=state.paired or ("image" in state.usual and len(state.usual) > 1))

    def to_position(self) -> Position:
        """The part of a position that contains this state."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items() if v}

    def with_gap(self, text: str) -> "_ReadState":
        return replace(self, gaps=self.gaps + 1, first=self.first or text, after=text)

    def with_sample(self, sample: "_Sample") -> "_ReadState":
        """The state after a sample."""
        state, ranks = self, sample.ranks
        if not (sample.gap or sample.broken) and (len(ranks) != len(self.usual) or ranks.keys() != set(self.usual)):
            state = replace(self, usual=tuple(sorted(ranks)))
        complete = "image" in ranks and len(ranks) > 1
        if complete and not state.paired:
            state = replace(state, paired=True)
        only_first = len(state.lone) == 1 and state.lone[0].startswith("i")
        if state.apart or (complete and state.lone and (only_first or len(ranks) == len(ROLES))):
            return state
        hashed = digest(sample.key).hex()
        roles = "".join(sorted(role[0] for role in ranks))
        for earlier_roles, _, earlier_hash in (earlier.partition(" ") for earlier in state.lone):
            if earlier_hash == hashed and not set(earlier_roles) & set(roles):
                return replace(state, apart=shown(sample.key))
        same = sum(("i" in earlier.partition(" ")[0]) == ("i" in roles) for earlier in state.lone)
        if state.lone and (complete or same >= _MAX_LONE):
            return state
        return replace(state, lone=(*state.lone, f"{roles} {hashed}"))

    def faults(self) -> str:
        """All faults in one line. Empty if there are none."""
        more = f" (and {self.gaps - 1} more such places)" if self.gaps > 1 else ""
        verb = "belongs" if self.strays == 1 else "belong"
        why = _why_stray(self.stray, self.text)
        strays = f"{counted(self.strays, 'image')} {verb} to no sample, first {self.stray}: {why}"
        apart = f"members of one sample are not adjacent, first those of {self.apart}, so they gave several pairs"
        texts = f"no image has an adjacent .txt or .json with its key, but there is {self.text}"
        if setting := _text_setting(self.text):
            texts = f"{texts}; set {setting} to use it"
        return "; ".join(
            filter(
                None,
                (
                    self.first + more,
                    strays if self.strays else "",
                    f"{apart}; {_SORT}" if self.apart else "",
                    texts if self.text and not (self.paired or self.apart) else "",
                ),
            )
        )


_SORT = "unpack the tar and pack it again with tar --sort=name"


def _why_stray(name: str, text: str) -> str:
    """Why an image belongs to no sample, and the settings that give it one, the likeliest first.

    text: name of the first text without a role; "" if there is none or it is unknown. Both as `shown`.
    """
    stem, _, extension = name.partition(".")
    if not stem:
        return "a dot begins their name; rename them, or set source.members.key_end=last_dot"
    if not name.startswith("…") and "." not in extension:
        return f"source.members.image does not list {extension}"
    cure, key_end = "", "source.members.key_end=last_dot"
    if _TYPABLE.fullmatch(extension) and not name.startswith("…"):
        cure = f"source.members.image={extension.lower()}"
    if not cure or text.rpartition(".")[0] == name.rpartition(".")[0]:  # a.v1.jpg, a.v1.txt
        cure = key_end
    elif text.partition(".")[0] == stem and (other := _text_setting(text)):  # a.input.jpg, a.output.txt
        cure = f"{cure} {other}, or {key_end} if the dots belong to the key"
    else:
        cure = f"{key_end} if the dots belong to the key, else {cure}"
    return f"they have a second dot and no sample of their key; set {cure}"


def _text_setting(name: str) -> str:
    """The setting that takes a text for the caption, "" if it cannot be typed. name: as `shown`."""
    extension = name.partition(".")[2].lower()
    key = "metadata" if extension.endswith("json") else "caption"
    typable = _TYPABLE.fullmatch(extension) and not name.startswith("…")
    return f"source.members.{key}={extension}" if typable else ""


@dataclass
class _Sample:
    """The members of a sample that were read so far. `position` is that of the first one.

    gap: what could not be read before, inside or after it. broken: why one of its members cannot be read.
    ranks: by role, see `MemberName`. beside: names of images with its key that have no role.
    """

    key: str
    position: Position
    gap: str = ""
    broken: str = ""
    image: ImageRef | None = None
    data: bytes = b""
    text: bytes | None = None
    json: bytes | None = None
    ranks: dict[str, int] = field(default_factory=dict)
    beside: list[str] = field(default_factory=list)

    def add(self, role: str, rank: int, member: Member, uri: str) -> None:
        """Adds a member, if the sample has none of this role with a lower rank. role: one of `ROLES`."""
        if rank > self.ranks.get(role, rank):
            return
        self.ranks[role] = rank
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
        complete = self.ranks.keys() >= set(usual) if usual else "image" in self.ranks and len(self.ranks) > 1
        if self.gap and not complete:
            self.broken = self.broken or self.gap
        return self


class WebDatasetSource:
    """A position contains `offset` (header of the first member, in the unpacked tar), `index`, the `_ReadState`, `skip`
    (number of earlier captions of the sample) if it is not 0, and what `tar_layout` found. If members are joined,
    `offset` is the place of `TarIndex.samples`, and there is no `_ReadState`, because each reader reads all headers."""

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        self.uri = info.uri
        self.settings = settings

    def ranges(self, rows: int) -> list[RangeSpec]:
        """One range with the whole tar. Reads the first headers, so an invalid tar is found before a run starts."""
        try:
            with open_tar(self.uri, False) as tar:
                layout = find_layout(tar, self.settings)
        except NotATar:
            raise SourceFault("not a tar") from None
        return [RangeSpec({"offset": 0, "index": 0, **layout}, None)]

    def notices(self, start: Position) -> list[str]:
        """Lines for a person about what may not be meant, from the first headers. start: of the first pair."""
        with open_tar(self.uri, False) as tar:
            return list(filter(None, [two_images(tar, names_of(start, self.settings), self.settings.columns.caption)]))

    def fields(self, start: Position | None) -> Fields:
        """See `sources.fields`."""
        if start is None:
            return NO_FIELDS
        samples = (sample for _, sample in self._placed(start, _LOADED_TO_COUNT))
        return Fields.of_samples(((one.row[0], one.text is not None) for one in samples), self.settings.columns)

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
        layout = {name: start[name] for name in (NAMES, JOINED) if name in start}
        read = self._joined_samples if start.get(JOINED) else self._samples
        for sample in read(start, names_of(start, self.settings), max_bytes):
            yield {**sample.position, "index": index, **layout}, sample
            index += len(self._captions(sample))

    def _members(self, offset: int, names: MemberNames, max_bytes: Mapping[str, int]) -> Iterator[Member | Gap]:
        try:
            with open_tar(self.uri, "image" in max_bytes) as tar:
                yield from tar.members(offset, lambda name: max_bytes.get(names.split(name).role, 0))
        except NotATar:
            raise SourceFault("not a tar") from None

    def _samples(self, start: Position, names: MemberNames, max_bytes: Mapping[str, int]) -> Iterator[_Sample]:
        """The samples. A sample consists of adjacent members with the same key.

        Raises:
          SourceFault: at the end, if something could not be read, if images have no sample, or if members of one sample
            are not adjacent.
        """
        state, strays = _ReadState.from_position(start), _Strays(start.get("strays", 0), start.get("stray", ""))
        current: _Sample | None = None
        last: MemberName | None = None  # with a role
        beside = list(state.beside)
        beside_key: str | None = None  # of a resumed reader: they belong to the first sample
        state = replace(state, beside=())
        for member in self._members(start["offset"], names, max_bytes):
            if isinstance(member, Gap):
                state = state.with_gap(member.text)
                if current:
                    current.gap = current.gap or member.text
                continue
            if member.name.rpartition("/")[2].startswith("._"):  # macOS adds such a file for each file
                continue
            name = names.split(member.name)
            key, role, _, rank = name
            strays.observe(key, role, member.name, current.key if current else "")
            if strays.count != state.strays:
                state = replace(state, strays=strays.count, stray=strays.first)
            if not role:
                if is_image_name(member.name):
                    if current and key == current.key:
                        images = current.beside
                    else:
                        beside, beside_key = (beside, key) if key == beside_key else ([], key)
                        images = beside
                    if len(images) <= _MAX_BESIDE:
                        images.append(shown(member.name))
                elif not state.text and member.name.lower().endswith(_TEXTS):
                    state = replace(state, text=shown(member.name))
                continue
            if current is None or last is None or starts_sample(name, current.ranks, last):
                if current:
                    state = state.with_sample(current)
                    yield current.finish(state.usual)
                beside = beside if beside_key in (None, key) else []
                position = {"offset": member.header_offset, **state.to_position()}
                if beside:
                    position["beside"] = list(beside)
                current = _Sample(key, position, gap=state.after, beside=beside)
                beside, beside_key = [], None
                state = replace(state, after="") if state.after else state
            current.add(role, rank, member, self.uri)
            last = name
        if current:
            state = state.with_sample(current)
            yield current.finish(state.usual)
        if faults := state.faults():
            raise SourceFault(faults)

    def _joined_samples(self, start: Position, names: MemberNames, max_bytes: Mapping[str, int]) -> Iterator[_Sample]:
        """The samples, from members anywhere in the tar. Images and texts are read by two readers, each mostly forward.

        Raises:
          SourceFault: at the end, if something could not be read, if images have no sample, or if a key has several
            images or texts.
        """
        index = TarIndex.of(self._members(0, names, {}), names)
        with open_tar(self.uri, "image" in max_bytes) as images, open_tar(self.uri, False) as texts:
            for place, offsets in index.samples():
                if place < start["offset"]:
                    continue
                sample = _Sample("", {"offset": place}, gap=index.gap)
                for role, offset in zip(ROLES, offsets, strict=True):
                    if offset < 0:
                        continue
                    tar = images if role == "image" else texts
                    member = tar.member_at(offset, max_bytes.get(role, 0))
                    if isinstance(member, Gap):
                        sample.broken = member.text
                        continue
                    sample.key = names.split(member.name).key
                    sample.add(role, 0, member, self.uri)
                yield sample.finish(index.usual)
        state = _ReadState(strays=index.strays, stray=index.stray, gaps=index.gaps, first=index.gap)
        repeated = f"{counted(index.repeated, 'key')} with several images or texts, first {index.repeat}"
        repeats = f"{repeated}: which of them belong together is unknown; {_SORT}" if index.repeated else ""
        if faults := "; ".join(filter(None, (state.faults(), repeats))):
            raise SourceFault(faults)

    def _captions(self, sample: _Sample) -> list[Caption]:
        """The captions of a sample: its text, else those in its JSON."""
        if sample.text is not None:
            return [caption_text.from_file(sample.text)]
        row, _ = sample.row
        name = next((name for name in self.settings.columns.caption if name in row), "")
        return captions_of(row.get(name), f"{sample.key}.json: {name}")

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
            pair = pair.failed(Fault(FailureStage.READ, Reason.NO_IMAGE, _no_image(sample.beside)))
        else:
            pair = replace(pair, image=sample.image, data=sample.data)
        for number, caption in enumerate(captions):
            key = f"{sample.key}-{number}" if len(captions) > 1 else sample.key
            yield with_caption(replace(pair, key=key, index=index + number), caption)


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
        self._candidates = 0

    def observe(self, key: str, role: str, name: str, previous_key: str) -> None:
        """Records a member. previous_key: key of the sample before it."""
        base = name.rpartition("/")[2]
        if base.startswith("."):
            key = name  # webdataset finds no key in it
        if key != self._candidate_key:
            self._earlier_first, self._earlier_count = self.first, self.count
            self._candidate_key, self._candidates = "", 0
        if role:
            self._candidate_key, self._candidates = "", 0
        elif is_image_name(base) and key != previous_key:
            self._candidate_name = self._candidate_name if self._candidates else shown(name)
            self._candidate_key, self._candidates = key, self._candidates + 1

    @property
    def count(self) -> int:
        """The number of such images so far."""
        return self._earlier_count + self._candidates

    @property
    def first(self) -> str:
        """The name of the first such image. Empty if there is none."""
        return self._earlier_first or (self._candidate_name if self._candidate_key else "")


def _no_image(beside: Sequence[str]) -> str:
    """The detail of a sample without an image. beside: names of other images with its key, as `shown`."""
    if not beside:
        return _NO_IMAGE
    names = ", ".join(beside[:_MAX_BESIDE]) + (", …" if len(beside) > _MAX_BESIDE else "")
    extension = beside[0].partition(".")[2].lower()
    typable = _TYPABLE.fullmatch(extension) and not beside[0].startswith("…")
    cure = f"; set source.members.image={extension} to use it" if typable else ""
    text = f"no image of this key; beside it: {names}"
    return text + cure if len(text + cure) <= _MAX_DETAIL else text[:_MAX_DETAIL]


def _first(row: dict[str, Any], names: Iterable[str]) -> str:
    """The first of the fields that exists, as text."""
    value = next((row[name] for name in names if name in row), None)
    return "" if value is None else str(value)
