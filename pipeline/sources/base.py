"""Code that all source kinds share: ranges, positions, and the conversion of table rows into pairs."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Protocol

from pydantic_core import to_json

from pipeline import files
from pipeline.configuration import SourceSettings
from pipeline.faults import CallError
from pipeline.files import FileInfo
from pipeline.sources import caption_text
from pipeline.sources.columns import Columns
from pipeline.sources.image_cells import described
from pipeline.sources.image_folder import find_image_folder
from pipeline.sources.read_images import LOADERS, fetch_ahead, read_file
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason

_FIRST_IMAGES, _SAMPLED = 100, 16
_REPLIES = ("gpt", "assistant")
_SURROGATES = re.compile("[\ud800-\udfff]")
_MAX_DEPTH = 64  # pydantic's serializer and Python's recursion fail at some hundreds
_MAX_INT = 1 << 1024  # no float is larger; decimal texts of more than 4300 digits are refused by Python

Position = dict[str, Any]
"""The start of a pair: `index`, its number in the source, and the keys that the kind needs to find it."""


@dataclass(frozen=True, slots=True)
class RangeSpec:
    """Consecutive pairs: their start position and their number; None if the number is unknown before reading."""

    start: Position
    pairs: int | None


class Source(Protocol):
    """The interface of a source."""

    def ranges(self, rows: int) -> list[RangeSpec]:
        """The ranges, of about `rows` table rows each.

        Raises:
          SourceFault: the file cannot be read.
          CallError: the file does not fit the settings, for example because a column is missing.
        """

    def starts(self, start: Position) -> Iterator[Position]:
        """The positions of the pairs from `start` on, found without reading images. Used only for `--limit`."""

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """The pairs from `start` on, each with its position. Raises SourceFault if reading cannot continue.

        If the image is a separate file, `image.uri` is its URI, and `data` is empty because it is not read yet.
        """

    def fetch(self, references: Iterable[ImageRef]) -> Iterator[bytes | Fault]:
        """The encoded images of references to this source, in order. Reads a limited number of them ahead.

        The references are in input order. They must be iterated in the caller's thread. A container is opened once. If
        an image is a separate file that is missing, or if permission to read it is denied, the result is a Fault. The
        caller checks whether the bytes are still those that were grounded. Raises EnvironmentFault for other errors.
        """

    def needs(self) -> list[str]:
        """The URIs that must exist for `fetch` to work: the container, a folder of images."""


class ImageFileSource:
    """Base of the kinds whose images can be separate files, below `source.image_root`."""

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        self.info = info
        self.uri = info.uri
        self.settings = settings
        self.root = image_root(settings, info.uri)

    def fetch(self, references: Iterable[ImageRef]) -> Iterator[bytes | Fault]:
        """Reads several files at a time."""
        return fetch_ahead(references, lambda image: read_file(image.uri, FailureStage.FETCH), LOADERS)

    def first_images(self) -> Iterable[ImageRef | Fault]:
        """The images of the first rows, if they can be separate files; at most 100 are used."""
        return ()

    def notices(self, start: Position) -> list[str]:
        """Lines for a person about what may not be meant, from the first images."""
        images = [image for image in islice(self.first_images(), _FIRST_IMAGES) if isinstance(image, ImageRef)]
        uris = list(dict.fromkeys(image.uri for image in images))
        sample = uris[:: max(1, len(uris) // _SAMPLED)]
        # A request to an object store takes some ms.
        if not uris or any(map(files.exists, uris if files.is_local(self.root) else sample)):
            return []
        folder = find_image_folder(self.root, [uri.removeprefix(f"{self.root.rstrip('/')}/") for uri in sample])
        cure = f"source.image_root={shlex.quote(folder)}" if folder else "source.image_root to the folder of the images"
        return [f"the first images are not in {self.root}; set {cure}"]

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """See `Source`."""
        raise NotImplementedError

    def needs(self) -> list[str]:
        """The file and, if it is local, the folder of its images. Object stores have no folders."""
        return [self.uri, self.root] if files.is_local(self.root) else [self.uri]


Caption = str | Fault | None
"""A caption as a source has it. A Fault: it is no text. None: there is none."""


def captions_of(value: Any, place: str = "") -> list[Caption]:
    """The captions in a table cell: a text or a list of texts. An empty list gives one None.

    A list can also be that of Karpathy's splits, `{"raw": text, …}`, or a conversation of LLaVA, whose captions are the
    replies. place: of the cell, for faults, such as "row 1: column caption".
    """
    if isinstance(value, str):  # nearly always, and asked of each row twice
        return [caption_text.from_text(value)]
    return [_caption(item, place) for item in _caption_items(value)]


def _caption(item: Any, place: str) -> Caption:
    if isinstance(item, str):
        return caption_text.from_text(item)
    not_a_text = f"{place}: {described(item)}, not a text"
    return None if item is None else Fault.from_error(FailureStage.READ, Reason.BROKEN_ROW, not_a_text)


def with_caption(pair: Pair, caption: Caption) -> Pair:
    """The pair with its caption; failed if that is no text."""
    return pair.failed(caption) if isinstance(caption, Fault) else replace(pair, caption=caption or "")


def _caption_items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    listed = value if isinstance(value, list) else [value]
    if any(isinstance(item, dict) and item.get("from") in _REPLIES for item in listed):
        listed = [item.get("value") for item in listed if isinstance(item, dict) and item.get("from") in _REPLIES]
    items = [item.get("raw", item) if isinstance(item, dict) else item for item in listed] or [None]
    return [None if isinstance(item, float) and item != item else item for item in items]  # pandas' NaN: no caption


def row_pairs(
    row: Mapping[str, Any], columns: Columns, uri: str, number: int, first: int, image: tuple[ImageRef | Fault, bytes]
) -> Iterator[Pair]:
    """The pairs of a table row, one per caption.

    Args:
      row: cells by column. number: of the row in the table. first: index of the row's first pair.
      image: the image of these pairs, and its bytes if they are in the table.
    """
    reference, data = image
    captions = captions_of(row.get(columns.caption), f"row {number + 1}: column {columns.caption}")
    key = _text(row, columns.key) or str(number)
    for offset, caption in enumerate(captions):
        pair = Pair(
            key=f"{key}-{offset}" if len(captions) > 1 else key,
            source=uri,
            index=first + offset,
            caption=caption if isinstance(caption, str) else "",
            data=data,
            url=_text(row, columns.url),
            id=_text(row, columns.id),
            meta=meta_json(row, (columns.image, columns.caption)),
        )
        pair = pair.failed(caption) if isinstance(caption, Fault) else pair
        pair = pair.failed(reference) if isinstance(reference, Fault) else replace(pair, image=reference)
        yield with_valid_text(pair)


def broken_row(uri: str, number: int, index: int, problem: str) -> Pair:
    """The failed pair for a table row that cannot be read."""
    return Pair(
        key=str(number),
        source=uri,
        index=index,
        caption="",
        error=Fault.from_error(FailureStage.READ, Reason.BROKEN_ROW, problem),
    )


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column) if column else None
    return "" if value is None else str(value)


def image_reference(path: Any, root: str, setting: str = "set source.image_root=") -> ImageRef | Fault:
    """A reference to an image that is a separate file, or a Fault.

    path: as in the table. setting: how the caller's user names `root`; a folder follows.
    """
    if not isinstance(path, str) or not path:
        return Fault(FailureStage.READ, Reason.NO_IMAGE, "the row names no image")
    if is_url(path):
        return Fault.from_error(FailureStage.READ, Reason.UNSUPPORTED_URI, path)
    if "\\" in path and not (files.is_local(root) and files.exists(files.resolve_below(root, path) or "")):
        path = path.replace("\\", "/")  # as Windows writes it
    if resolved := files.resolve_below(root, path):
        return ImageRef(uri=resolved)
    cure = f", from {root}"
    if path.startswith("/") or "://" in path:
        cure = f"; {setting}{shlex.quote(files.parent(path))}"
    shown = path if len(path) <= 90 else f"{path[:89]}…"
    return Fault.from_error(FailureStage.READ, Reason.OUTSIDE_ROOT, shown + cure)


def is_url(path: str) -> bool:
    """Whether a path names something on the web, which is not downloaded."""
    return "://" in path[:8] and path.partition("://")[0].lower() in ("http", "https", "ftp", "data")


def image_root(settings: SourceSettings, uri: str) -> str:
    """The folder that the image paths of a table are relative to."""
    return files.canonical(settings.image_root) if settings.image_root else files.parent(uri)


def check_root(settings: SourceSettings) -> None:
    """Raises CallError if `source.image_root` is a local folder that does not exist. Object stores have none."""
    root = files.canonical(settings.image_root) if settings.image_root else ""
    if root and files.is_local(root) and not files.exists(root):
        raise CallError(f"source.image_root: {settings.image_root}: no such folder")


def meta_json(row: Mapping[str, Any], without: Iterable[str]) -> str:
    """The other fields of a row as a JSON object. NaN and infinities become null, and lone surrogates U+FFFD. Bytes
    become a text with their number. What has no JSON form, or is nested deeper than 64, becomes a text that says so.
    """
    kept = {key: value for key, value in row.items() if key not in without}
    return to_json(_jsonable(kept, _MAX_DEPTH), inf_nan_mode="null", fallback=_as_text).decode()


def _jsonable(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, int) and not -_MAX_INT < value < _MAX_INT:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, dict | list | tuple) and not depth:
        return f"nested deeper than {_MAX_DEPTH}"
    if isinstance(value, dict):
        return {_jsonable(str(key), depth): _jsonable(item, depth - 1) for key, item in value.items()}
    return [_jsonable(item, depth - 1) for item in value] if isinstance(value, list | tuple) else value


def _as_text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"a {type(value).__name__}"


def valid_text(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which stands for a byte that is not UTF-8."""
    return _SURROGATES.sub("\ufffd", text)


def with_valid_text(pair: Pair) -> Pair:
    """Returns the pair. It is failed if its caption contains a NUL, or if one of its texts contains a lone surrogate,
    which stands for invalid UTF-8."""
    if not_text := caption_text.problem(pair.caption):
        pair = pair.failed(Fault(FailureStage.READ, Reason.ENCODING, not_text))
    texts = {name: getattr(pair, name) for name in ("caption", "key", "url", "id")}
    fixed: dict[str, Any] = {name: valid_text(text) for name, text in texts.items()}
    uri = valid_text(pair.image.uri)
    if fixed == texts and uri == pair.image.uri:
        return pair
    pair = replace(pair, **fixed, image=replace(pair.image, uri=uri))
    return pair.failed(Fault(FailureStage.READ, Reason.ENCODING, "not UTF-8, or not in source.encoding"))


def slice_ranges(counts: Iterable[tuple[Position, int, object]], rows: int) -> list[RangeSpec]:
    """Ranges of at least `rows` table rows. A range ends only where the image changes.

    Args:
      counts: for every row its position, its number of pairs, and a value that is equal for rows of the same image.
    """
    starts: list[Position] = []
    pairs: list[int] = []
    taken = rows
    for _, same_image in groupby(counts, key=itemgetter(2)):
        for number, (position, count, _) in enumerate(same_image):
            if number == 0 and taken >= rows:
                starts.append(position)
                pairs.append(taken := 0)
            pairs[-1] += count
            taken += 1
    return list(map(RangeSpec, starts, pairs))
