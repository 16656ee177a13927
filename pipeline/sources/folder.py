"""A folder of pictures with a caption beside each, `.txt`, `.caption` or `.json`, as img2dataset and trainers write it.

The source is one folder, without those below it; its URI ends with a slash. The files of a pair have the same name up
to the suffix (`1.jpg`, `1.txt`), or the caption adds its suffix to the picture's name (`1.jpg.txt`).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from pipeline import files, source_kinds
from pipeline.configuration import SourceSettings
from pipeline.faults import EnvironmentFault, SourceFault
from pipeline.files import FileInfo
from pipeline.sources import caption_text, json_text
from pipeline.sources.base import (
    ImageFileSource,
    Position,
    RangeSpec,
    captions_of,
    meta_json,
    slice_ranges,
    valid_text,
    with_caption,
    with_valid_text,
)
from pipeline.sources.columns import NO_FIELDS, Fields
from pipeline.sources.member_names import IMAGES
from pipeline.sources.read_images import LOADERS, MAX_AHEAD, read_file
from transforms.read_ahead import read_ahead
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason

TEXTS = ("txt", "caption")
"""Suffixes of captions that are plain text. If a picture has both, the first one is its caption."""

_MAX_BYTES = 1 << 24  # of a caption file, as in a tar


@dataclass(frozen=True)
class Entry:
    """A picture and what is beside it: names of files. `image` is "" for a caption without picture.

    key: the name of the pair. text: a file with the caption. about: a JSON file with fields. "" if there is none.
    too_large: those of the two that are not read. near: up to three other files whose names begin with `key`, if there
    is no picture.
    """

    key: str
    image: str
    text: str
    about: str
    too_large: frozenset[str] = frozenset()
    near: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file that gives the entry its place."""
        return self.image or self.text or self.about

    @property
    def captioned(self) -> bool:
        """Whether it is a picture with a caption file beside it."""
        return bool(self.image and (self.text or self.about))


def uri_of(folder: str) -> str:
    """The URI of a folder as a source: it ends with a slash."""
    return f"{folder.rstrip('/')}/"


def entries_of(infos: Iterable[FileInfo]) -> list[Entry]:
    """The pairs of a folder, sorted by the name of their picture. infos: its files; others are left out.

    `.txt` is preferred to `.caption`, and both to the caption in `.json`; `1.jpg.txt` is preferred to `1.txt`. If
    there is a picture `1.jpg`, `1.jpg.txt` is its caption alone, and not that of `1.jpg.png`.
    """
    infos = list(infos)
    sizes = {files.name(info.uri): info.size for info in infos if _is_used(info)}
    too_large = frozenset(name for name, size in sizes.items() if size > _MAX_BYTES)
    beside: dict[tuple[str, str], str] = {}
    for name in sorted(sizes):
        beside.setdefault(_split(name), name)  # 1.TXT and 1.txt
    orphans = {stem: None for stem, suffix in beside if suffix not in IMAGES}

    def entry(key: str, image: str, stems: Sequence[str]) -> Entry:
        def first(*suffixes: str) -> str:
            places = ((stem, suffix) for suffix in suffixes for stem in stems)
            return next((beside[place] for place in places if place in beside), "")

        for stem in stems:
            orphans.pop(stem, None)
        text, about = first(*TEXTS), first("json")
        return Entry(key, image, text, about, too_large & {text, about})

    images = [name for name in sorted(sizes) if _split(name)[1] in IMAGES]
    times = Counter(_split(name)[0] for name in images)
    entries = []
    for name in images:
        stem, _ = _split(name)
        unique = times[stem] == 1 and stem not in sizes
        is_picture = stem in sizes and _split(stem)[1] in IMAGES
        entries.append(entry(stem if unique else name, name, (name,) if is_picture else (name, stem)))
    names = sorted(files.name(info.uri) for info in infos)
    for stem in list(orphans):
        found = entry(stem, "", (stem,))
        begin = bisect_left(names, f"{stem}.")
        near = (name for name in names[begin : begin + 5] if name.startswith(f"{stem}."))
        others = [name for name in near if name not in (found.text, found.about)]
        entries.append(replace(found, near=tuple(others[:3])))
    return sorted(entries, key=lambda entry: entry.name)


def folder_info(folder: str, infos: Iterable[FileInfo]) -> FileInfo:
    """A folder as a source. size: the sum of its pictures and captions. stamp: a hash of their names, sizes and times,
    so that any added, removed or changed file is noticed."""
    used = sorted((files.name(info.uri), info.size, info.stamp) for info in infos if _is_used(info))
    digest = blake2b(repr(used).encode("utf-8", "surrogateescape"), digest_size=8).digest()
    stamp = float(int.from_bytes(digest) >> 11)  # the integers that a float holds exactly have 53 bits
    return FileInfo(uri_of(folder), sum(size for _, size, _ in used), stamp)


class FolderSource(ImageFileSource):
    """A position contains `entry` (its number in the folder), `name` (of its file, to notice that files were added or
    removed), `index`, and `skip` (number of earlier captions of the entry) if it is not 0."""

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        super().__init__(info, settings)
        self.root = info.uri

    def needs(self) -> list[str]:
        """The folder, if it is local. Object stores have no folders."""
        return [self.uri] if files.is_local(self.uri) else []

    def ranges(self, rows: int) -> list[RangeSpec]:
        """Ranges of `rows` pictures each. Reads JSON files that alone have the captions, which may be lists."""
        counts = [(position, number, position["entry"]) for position, number in self._counted({"entry": 0, "index": 0})]
        if not counts:
            raise SourceFault("not a folder with pictures or captions")
        return slice_ranges(counts, rows)

    def fields(self, start: Position | None) -> Fields:
        """See `sources.fields`."""
        if start is None:
            return NO_FIELDS
        rows = ((one._row(), one.text is not None) for _, one in self._loaded(self._places(start)))
        return Fields.of_samples(((row, text) for row, text in rows if isinstance(row, dict)), self.settings.columns)

    def starts(self, start: Position) -> Iterator[Position]:
        """Reads the same as `ranges`. `start` must be the first pair of a picture."""
        for position, number in self._counted(start):
            for skip in range(number):
                yield {**position, "skip": skip, "index": position["index"] + skip} if skip else position

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """Reads caption files ahead. The pictures are read later, as separate files."""
        index = start["index"] - start.get("skip", 0)
        for number, loaded in self._loaded(self._places(start)):
            first_skip = start.get("skip", 0) if number == start["entry"] else 0
            pairs = loaded.pairs(self.uri, index, self.settings)
            for skip, pair in enumerate(pairs):
                if skip >= first_skip:
                    yield _position(number, loaded.entry, index, skip), with_valid_text(pair)
            index += len(pairs)

    def _counted(self, start: Position) -> Iterator[tuple[Position, int]]:
        """The position of the first pair of each entry, and its number of pairs: a text is one caption, and only JSON
        may have a list."""
        places, index = self._places(start), start["index"]
        read = self._loaded(place for place in places if place[1].about and not place[1].text)
        for number, entry in places:
            pairs = 1
            if entry.about and not entry.text:
                _, loaded = next(read)
                pairs = len(loaded.pairs(self.uri, index, self.settings))
            yield _position(number, entry, index, 0), pairs
            index += pairs

    def _places(self, start: Position) -> list[tuple[int, Entry]]:
        """The entries from `start` on, with their numbers.

        Raises:
          EnvironmentFault: the folder no longer has the files that it had in the plan.
        """
        entries, first = _entries(self.info), start["entry"]
        found = valid_text(entries[first].name) if first < len(entries) else "missing"
        if start.get("name", found) != found:
            raise _changed(self.uri, f"its pair {first + 1} was {start['name']} and is now {found}")
        return list(enumerate(entries[first:], first))

    def _loaded(self, places: Iterable[tuple[int, Entry]]) -> Iterator[tuple[int, "_Loaded"]]:
        """Reads the caption files of entries ahead."""
        read = read_ahead(
            places,
            lambda place: _Loaded.from_files(self.uri, place[1]),
            threads=LOADERS,
            ahead=MAX_AHEAD,
            name="captions",
        )
        return ((number, loaded) for (number, _), loaded in read)


@dataclass(frozen=True)
class _Loaded:
    """An entry with the content of its caption files. None: there is no such file."""

    entry: Entry
    text: bytes | Fault | None = None
    about: bytes | Fault | None = None

    @classmethod
    def from_files(cls, folder: str, entry: Entry) -> "_Loaded":
        """Reads both files."""
        return cls(entry, _content(folder, entry, entry.text), _content(folder, entry, entry.about))

    def pairs(self, source: str, index: int, settings: SourceSettings) -> list[Pair]:
        """The pairs, one per caption. index: of the first one."""
        entry, columns = self.entry, settings.columns
        image = ImageRef(uri=files.join(source, entry.image)) if entry.image else _no_image(entry)
        pair = Pair(entry.key, source, index, "")
        row = self._row()
        if isinstance(self.text, Fault):
            return [pair.failed(self.text)]
        if isinstance(row, Fault):
            return [pair.failed(row)]
        name = next((name for name in columns.caption if name in row), "")
        captions = captions_of(row.get(name), f"{entry.about}: {name}")
        if isinstance(self.text, bytes):
            captions = [caption_text.from_file(self.text)]
        same = [name for name in columns.caption if any(captions) and captions_of(row.get(name)) == captions]
        url, id_value = _first(row, columns.url), _first(row, columns.id)
        pair = replace(pair, url=_text(url), id=_text(id_value), meta=meta_json(row, same))
        pair = pair.failed(image) if isinstance(image, Fault) else replace(pair, image=image)
        keys = [f"{pair.key}-{number}" for number in range(len(captions))] if len(captions) > 1 else [pair.key]
        return [
            with_caption(replace(pair, key=key, index=index + number), caption)
            for number, (key, caption) in enumerate(zip(keys, captions, strict=True))
        ]

    def _row(self) -> dict[str, Any] | Fault:
        """The fields of the JSON file."""
        if not isinstance(self.about, bytes):
            return self.about or {}
        try:
            row = json_text.parse(self.about)
        except (ValueError, RecursionError) as error:
            return Fault.from_error(FailureStage.READ, Reason.BROKEN_ROW, f"{self.entry.about}: {error}")
        not_an_object = Fault(FailureStage.READ, Reason.BROKEN_ROW, f"{self.entry.about}: not an object")
        return row if isinstance(row, dict) else not_an_object


def _content(folder: str, entry: Entry, name: str) -> bytes | Fault | None:
    if name in entry.too_large:
        return Fault(FailureStage.READ, Reason.BROKEN_ROW, f"{name}: larger than {_MAX_BYTES >> 20} MiB")
    return read_file(files.join(folder, name), FailureStage.READ) if name else None


@lru_cache(maxsize=4)
def _entries(info: FileInfo) -> list[Entry]:
    """The entries of a folder. Cached for its next range.

    Raises:
      EnvironmentFault: its files are no longer those of `info`. An added file would move pairs out of their range.
    """
    folder = info.uri.rstrip("/") or "/"
    infos = files.list_tree(folder, deep=False).get(folder, [])
    entries = entries_of(infos)
    if entries and (now := folder_info(folder, infos)) != info:
        sizes = f"from {info.size:,} to {now.size:,} bytes" if now.size != info.size else "in names or times"
        raise _changed(info.uri, f"its pictures and captions changed {sizes}")
    return entries


def _changed(uri: str, difference: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{uri}: {difference}: files were added, removed or changed since the run began; undo that, or use "
        "ground --redo-changed"
    )


def _is_used(info: FileInfo) -> bool:
    """Whether a file is a picture or can be a caption."""
    name = files.name(info.uri)
    stem, suffix = _split(name)
    return bool(stem) and (
        suffix in IMAGES or suffix in TEXTS or (suffix == "json" and not source_kinds.METADATA.search(name))
    )


def _split(name: str) -> tuple[str, str]:
    """A name up to its last dot, and the suffix in lower case."""
    stem, _, suffix = name.rpartition(".")
    return stem, suffix.lower()


def _no_image(entry: Entry) -> Fault:
    first, *others = sorted(IMAGES)
    near = f", but {', '.join(entry.near)}" if entry.near else ""
    looked_for = f"looked for {entry.key}.{first}, .{', .'.join(others)}"
    return Fault.from_error(FailureStage.READ, Reason.NO_IMAGE, f"no picture beside {entry.name}{near}; {looked_for}")


def _position(number: int, entry: Entry, index: int, skip: int) -> Position:
    """The position of a pair. index: of the first pair of the entry. skip: number of earlier pairs of the entry."""
    position = {"entry": number, "name": valid_text(entry.name), "index": index + skip}
    return {**position, "skip": skip} if skip else position


def _first(row: dict[str, Any], names: Iterable[str]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
