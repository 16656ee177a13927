"""The records that flow from source to shard.

All are frozen: a step returns a new record (`dataclasses.replace`) and never touches the one it was given.
"""

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class FailureStage(StrEnum):
    """Where a pair failed."""

    READ = "read"
    IMAGE = "image"
    PHRASES = "phrases"
    BOXES = "boxes"
    FETCH = "fetch"


class Reason(StrEnum):
    """Why a pair failed (with a `FailureStage`) or was rejected. Codes are written to files and keep their meaning."""

    BROKEN_ROW = "broken_row"
    ENCODING = "encoding"
    NO_IMAGE = "no_image"
    OUTSIDE_ROOT = "outside_root"
    UNSUPPORTED_URI = "unsupported_uri"
    MISSING_FILE = "missing_file"
    FORBIDDEN = "forbidden"

    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TOO_MANY_PIXELS = "too_many_pixels"
    TRUNCATED = "truncated"
    UNDECODABLE = "undecodable"

    EXCEPTION = "exception"
    NOT_FINITE = "not_finite"
    OUT_OF_MEMORY = "out_of_memory"
    CRASH = "crash"

    CHANGED = "changed"
    GONE = "gone"

    NO_CAPTION = "no_caption"
    LANGUAGE = "language"
    NO_PHRASE = "no_phrase"
    NO_BOX = "no_box"


EVERY_REASON = "every"
"""In the place of a reason: whatever the reason is."""


class Drop(StrEnum):
    """Why a noun chunk, or with `LANGUAGE` the whole caption, is not among a pair's phrases."""

    ABSTRACT = "abstract"
    PRONOUN = "pronoun"
    PICTURE = "picture"
    NO_TOKEN = "no_token"
    NO_NOUN = "no_noun"
    TOO_LONG = "too_long"
    LANGUAGE = "language"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a pair failed. `detail` is for people: one line, at most 200 characters, no time and no address in it.

    stage: a `FailureStage`, or the name of another stage that has a table of its own.
    """

    stage: str
    reason: Reason
    detail: str = ""

    @classmethod
    def from_error(cls, stage: str, reason: Reason, error: object) -> "Fault":
        """A fault whose detail is the first line of `error`, an exception or a text."""
        text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        line = re.sub(r"0x[0-9a-fA-F]+", "0x", text.strip().splitlines()[0]) if text.strip() else ""
        return cls(stage, reason, line.encode("utf-8", "replace").decode()[:200])


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun chunk, its head and its referring expression: character offsets into the caption, end exclusive.

    The expression contains the chunk and equals it where nothing widens it.
    """

    start: int
    end: int
    head_start: int
    head_end: int
    expression_start: int
    expression_end: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A noun chunk that was not kept: character offsets into the caption, end exclusive, and the reason."""

    start: int
    end: int
    reason: Drop


@dataclass(frozen=True, slots=True)
class Box:
    """A candidate box of phrase number `phrase`: normalised corners in 0..1, x1 < x2, y1 < y2, score in 0..1."""

    phrase: int
    x1: float
    y1: float
    x2: float
    y2: float
    score: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """(x1, y1, x2, y2)."""
        return self.x1, self.y1, self.x2, self.y2


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where the encoded image is. Only its source's kind interprets `uri`, `row`, `offset` and `part`.

    uri: the container (tar, parquet) or the image file itself.
    row: row of the parquet file; -1 elsewhere.
    offset: first byte in the file (for a gzipped tar: in what it unpacks to); 0 for a file and in parquet.
    length: bytes; 0 for a file that has not been read yet. digest: XXH3-64 of them, hexadecimal.
    part: whatever else the kind needs to find it, such as a column or a place in a list.
    """

    uri: str = ""
    row: int = -1
    offset: int = 0
    length: int = 0
    digest: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """An image with one caption, and what the steps found out about it.

    key: the source's own name of the pair. source: URI. index: the pair's number within the source, from 0.
    data: the encoded image; empty after the last stage, it never leaves the fused step that read it.
    width, height: pixels as a person sees the picture (EXIF applied); 0 if unknown.
    meta: further values of the source, a JSON object. boxes_cut: boxes above the floor that the candidate cap cut off.
    rows: by table, what stages behind detections have found in this run.
    """

    key: str
    source: str
    index: int
    caption: str
    image: ImageRef = ImageRef()
    data: bytes = field(default=b"", repr=False)
    url: str = ""
    id: str = ""
    meta: str = "{}"
    width: int = 0
    height: int = 0
    phrases: tuple[Phrase, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    boxes: tuple[Box, ...] = ()
    boxes_cut: int = 0
    error: Fault | None = None
    rows: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def failed(self, fault: Fault) -> "Pair":
        """This pair as an error row; the first fault stands."""
        return self if self.error else replace(self, error=fault, boxes=(), boxes_cut=0)

    def text(self, phrase: Phrase) -> str:
        """The noun chunk's words, as they stand in the caption."""
        return self.caption[phrase.start : phrase.end]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of consecutive pairs of one range: the unit of reading, batching, commit, retry and resume.

    source, range, number: positions in the plan; they name the chunk.
    next_position: where the chunk after this one starts, as the source understands it; None after the last one.
    closes_range: True for the empty element after the last chunk; `number` is the number of chunks then.
    faults: what could not be read (only with `closes_range`).
    isolated: True if two processes have died at this chunk; its stages run in a process of their own.
    redo: names of the tables in which what is committed of this chunk is replaced.
    digests: by name of a table the digest of what is committed there of this chunk.
    rows: one a pair, for the table whose stages are at work.
    recorded, seconds: what the rows were made with, and the time spent by step, since the last commit; times are no
    part of a comparison, since they are never the same twice.
    """

    source: int
    range: int
    number: int
    pairs: tuple[Pair, ...] = ()
    next_position: dict[str, Any] | None = None
    closes_range: bool = False
    faults: tuple[str, ...] = ()
    isolated: bool = False
    redo: frozenset[str] = frozenset()
    digests: dict[str, str] = field(default_factory=dict)
    rows: tuple[Any, ...] = ()
    recorded: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict, compare=False)

    def timed(self, step: str, seconds: float) -> dict[str, float]:
        """`seconds` of the steps so far with this one added."""
        return {**self.seconds, step: self.seconds.get(step, 0.0) + seconds}


@dataclass(frozen=True, slots=True)
class Grounding:
    """One kept box with the phrase that it belongs to."""

    phrase: Phrase
    box: Box
