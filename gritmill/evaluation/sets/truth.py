"""Ground truth: captions whose phrases have annotated boxes, and what they state. All loaders return these types."""

import codecs
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby, islice

from pydantic import ValidationError

from pipeline import files
from pipeline.faults import CallError, first_line
from pipeline.files.typed import first_fault
from pipeline.sources.base import image_reference
from transforms.records import Claim, FailureStage, Fault, ImageRef, Pair, Reason
from transforms.text.dialects.scales import PIXELS
from transforms.text.grounded_caption import Corners


@dataclass(frozen=True, slots=True)
class TruePhrase:
    """A phrase and the boxes of all things that it names.

    boxes: normalised corners. Empty if the phrase is absent, or if it was not annotated: then it is not measured.
    kinds: each kind gets its own figures. start, end: characters of the caption, end exclusive; -1 if the phrase is not
    in a caption. absent: the phrase names nothing in the image. queried: False if it is not sent to the detector
    (`notvisual`).
    """

    text: str
    boxes: tuple[Corners, ...] = ()
    kinds: tuple[str, ...] = ()
    start: int = -1
    end: int = -1
    absent: bool = False
    queried: bool = True


@dataclass(frozen=True, slots=True)
class Statement:
    """What a caption states about the number, the places or the rank of things, by a person or a program.

    true: whether it is so in the image; None if that is unknown. optional: a reader of captions may leave it out; of an
    optional count, any other number of the same noun is neither right nor wrong. kinds: each kind gets its own figures.
    """

    claim: Claim
    true: bool | None = None
    optional: bool = False
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrueCaption:
    """An image with one caption, or with expressions and no caption: one prompt for the detector.

    pair: the image or its location, and the caption. picture: equal for all captions of one image.
    width, height: size in pixels of the image that was annotated; 0 if unknown. statements: all that the caption
    states; None if that was not annotated.
    """

    pair: Pair
    picture: str
    phrases: tuple[TruePhrase, ...]
    width: int = 0
    height: int = 0
    statements: tuple[Statement, ...] | None = None


@dataclass(frozen=True)
class Truth:
    """A set. pictures: their number. captions: can be iterated once; the captions of an image are consecutive."""

    pictures: int
    captions: Iterator[TrueCaption]

    def limited_to(self, limit: int | None) -> "Truth":
        """The captions of the first `limit` images; all captions if it is None."""
        if limit is None or limit >= self.pictures:
            return self
        pictures = groupby(self.captions, key=lambda caption: caption.picture)
        return Truth(limit, (caption for _, group in islice(pictures, limit) for caption in group))


def make_pair(source: str, index: int, image: str, root: str, caption: str = "") -> Pair:
    """A pair whose image is the file `image` below the folder `root`; a failed pair if the path leads out of `root`.

    root: "" if the folder of the images is unknown; every image then counts as missing.
    """
    pair = Pair(key=image, source=source, index=index, caption=caption)
    ref = (
        image_reference(image, root, "use --images ") if root else Fault(FailureStage.READ, Reason.MISSING_FILE, image)
    )
    return replace(pair, image=ref) if isinstance(ref, ImageRef) else pair.failed(ref)


def picture_folder(images: str | None, default: str) -> str:
    """The folder of `--images` if given, else the default folder if it exists, else "".

    Raises:
      CallError: the folder of `--images` does not exist.
    """
    if images is None:
        return default if files.exists(default) else ""
    folder = files.canonical(images)
    if files.is_local(folder) and not files.exists(folder):
        raise CallError(f"--images: {images}: no such folder")
    return folder


def read_file(uri: str, option: str = "--truth") -> bytes:
    """Reads a file of a set; raises CallError if it does not exist. option: the one that names it."""
    try:
        return files.read_bytes(uri)
    except Exception as error:
        if isinstance(error, IsADirectoryError) or (files.is_local(uri) and os.path.isdir(uri)):
            raise CallError(f"{option}: {uri}: a folder, not a file; name its file") from error
        if files.is_missing(error):
            raise CallError(f"{option}: {uri}: no such file") from error
        raise


def read_text(uri: str) -> str:
    """Reads a text file of a set; raises CallError if it does not exist or is not UTF-8."""
    try:
        return read_file(uri).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CallError(f"--truth: {uri}: not UTF-8") from error


def read_lines(uri: str) -> Iterator[tuple[int, bytes]]:
    """The non-blank lines of a file, each with its number from 1."""
    with files.open_read(uri) as file:
        for number, line in enumerate(file, 1):
            if text := line.removeprefix(codecs.BOM_UTF8).strip():
                yield number, text


@contextmanager
def parsing(location: str, option: str = "--truth") -> Iterator[None]:
    """Turns a parser's ValueError into a CallError. location: the file, or its row. option: the one that names it."""
    try:
        yield
    except ValueError as error:
        line = first_fault(error) if isinstance(error, ValidationError) else first_line(error)
        raise CallError(f"{option}: {location}: {line}") from error


def normalised(corners: Sequence[float], width: int, height: int) -> Corners:
    """Converts corners from pixels to fractions of width and height, clipped to the image."""
    return PIXELS.decode(corners, max(width, 1), max(height, 1))
