"""The records that pass from source to shard.

All are frozen: a step returns a new record (`dataclasses.replace`) and never changes its input.
"""

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from transforms.culprits import message_of

CharSpan = tuple[int, int]
"""Start and end of characters of a caption, end exclusive."""


class FailureStage(StrEnum):
    """The stage in which a pair failed."""

    READ = "read"
    IMAGE = "image"
    PHRASES = "phrases"
    GIVEN_BOXES = "given_boxes"
    BOXES = "boxes"
    FETCH = "fetch"


class Reason(StrEnum):
    """Why a pair failed (with a `FailureStage`) or was rejected. Codes are in files: never change their meaning."""

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
    TOO_MANY_SCANS = "too_many_scans"
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

    CONTRADICTED_RELATION = "contradicted_relation"
    CONTRADICTED_RANK = "contradicted_rank"
    CONTRADICTED_COUNT = "contradicted_count"

    NOT_DOWNLOADED = "not_downloaded"

    MIN_SIDE = "min_side"
    MAX_ASPECT = "max_aspect"
    MIN_WORDS = "min_words"
    MAX_WORDS = "max_words"
    WHERE = "where"
    MISSING_VALUE = "missing_value"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    EXCLUDED = "excluded"


REJECTED_BY_SOURCE = frozenset({Reason.NOT_DOWNLOADED})
"""Reasons in the `error` of pairs that are rejected, not failed: nothing is broken, a retry would change nothing."""


EVERY_REASON = "every"
"""Stands for all reasons where one reason is expected."""


class Drop(StrEnum):
    """Why a noun chunk is not among a pair's phrases. `ABSENT`: the caption says that it is not there. `LANGUAGE`
    applies to the whole caption, `NOT_IN_CAPTION` to a phrase of the source."""

    ABSTRACT = "abstract"
    PRONOUN = "pronoun"
    PICTURE = "picture"
    NO_TOKEN = "no_token"
    NO_NOUN = "no_noun"
    ABSENT = "absent"
    TOO_LONG = "too_long"
    NOT_IN_CAPTION = "not_in_caption"
    LANGUAGE = "language"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a pair failed.

    stage: a `FailureStage`, or the name of a custom stage, which has its own table.
    detail: for the user: one line of at most 200 characters, without times and memory addresses.
    """

    stage: str
    reason: Reason
    detail: str = ""

    @classmethod
    def from_error(cls, stage: str, reason: Reason, error: object, place: str = "") -> "Fault":
        """A fault whose detail is the first line of `error`, an exception or a string.

        place: file and line of the user's code that raised it, without the folder, which may differ between workers.
        """
        text = message_of(error) if isinstance(error, BaseException) else str(error)
        line = re.sub(r"0x[0-9a-fA-F]+", "0x", text.strip().splitlines()[0]) if text.strip() else ""
        end = f" ({place})" if place else ""
        return cls(stage, reason, line.encode("utf-8", "replace").decode()[: 200 - len(end)] + end)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun chunk, its head and its referring expression: character offsets into the caption, end exclusive.

    The expression contains the chunk. The two are equal if nothing expands the chunk.
    """

    start: int
    end: int
    head_start: int
    head_end: int
    expression_start: int
    expression_end: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A noun chunk that is not kept: character offsets into the caption, end exclusive, and the reason."""

    start: int
    end: int
    reason: Drop


class ClaimKind(StrEnum):
    """What a claim says: how many things there are, how two of them lie to each other, or which of several is meant."""

    COUNT = "count"
    RELATION = "relation"
    RANK = "rank"


EXACTLY, AT_LEAST, NONE = "exactly", "at_least", "none"
"""The predicates of counts."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of a caption that can be held against boxes. Spans are character offsets into it, end exclusive.

    words_start, words_end: the words that state it: "two" in "two dogs", "on the left of", "second from the right".
    subject_start, subject_end: the noun chunk that it is about. It may be no phrase of the pair: "no dog".
    predicate: of a count, EXACTLY, AT_LEAST or NONE; of a relation or a rank, a name of `claims/predicates.yaml`.
    number: of a count, how many; of a rank, which one, from 1; 0 for a relation.
    negated: whether the caption says that it is not so: "the cup is not on the table".
    objects: start and end of each noun chunk that the relation leads to, one after the other. Empty: it leads to the
      picture ("on the left side of the picture"), or the claim is a count or a rank.
    """

    kind: ClaimKind
    words_start: int
    words_end: int
    subject_start: int
    subject_end: int
    predicate: str
    number: int = 0
    negated: bool = False
    objects: tuple[int, ...] = ()

    @property
    def subject(self) -> CharSpan:
        """Start and end of the subject."""
        return self.subject_start, self.subject_end

    @property
    def is_bare_plural(self) -> bool:
        """Whether a count is stated by the plural alone: "dogs". Its words are the noun, which ends the subject; those
        of other counts stand before the noun. "Two" alone is no plural."""
        is_count = self.kind is ClaimKind.COUNT
        return is_count and self.predicate == AT_LEAST and self.words_end == self.subject_end


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

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles four times as fast as a frozen dataclass does: a child process returns 60 boxes per pair."""
        return Box, (self.phrase, self.x1, self.y1, self.x2, self.y2, self.score)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """The location of an encoded image. Only the kind of its source interprets `uri`, `row`, `offset` and `part`.

    uri: the container (tar, parquet) or the image file itself.
    row: row in the parquet file; -1 for other kinds.
    offset: first byte in the file, for a gzipped tar in its unpacked content; 0 for an image file and in parquet.
    length: bytes; 0 for a file that is not read yet. digest: XXH3-64 of the bytes, hexadecimal.
    part: anything else that the kind needs to find the image, such as a column or an index in a list.
    """

    uri: str = ""
    row: int = -1
    offset: int = 0
    length: int = 0
    digest: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """An image with one caption, and the results of the steps.

    key: the pair's name in the source. source: URI. index: the pair's number in the source, from 0.
    data: the encoded image. Empty after the last stage: it never leaves the fused step that read it.
    width, height: pixels of the upright image (EXIF applied); 0 if unknown.
    meta: other values from the source, a JSON object.
    filtered: why a filter rejected the pair, see `transforms.filters`; "" if none did.
    claims: what the caption says about its phrases, in the order of the words. Empty if the source brings the phrases.
    boxes_cut: boxes above the floor that the candidate cap removed; of boxes from the source, those without a phrase.
    rows: by table, the results in this run of the stages that run after detections.
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
    filtered: str = ""
    phrases: tuple[Phrase, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    claims: tuple[Claim, ...] = ()
    boxes: tuple[Box, ...] = ()
    boxes_cut: int = 0
    error: Fault | None = None
    rows: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def failed(self, fault: Fault) -> "Pair":
        """This pair as an error row. If the pair already has a fault, that fault is kept."""
        return self if self.error else replace(self, error=fault, boxes=(), boxes_cut=0)

    def text(self, phrase: Phrase) -> str:
        """The noun chunk's words, as in the caption."""
        return self.caption[phrase.start : phrase.end]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive pairs of one range: the unit of reading, batching, commit, retry and resume.

    source, range, number: positions in the plan; they identify the chunk.
    next_position: where the next chunk starts, in the terms of the source; None after the last chunk.
    closes_range: True for the empty element after the last chunk. Its `number` is the number of chunks.
    faults: what could not be read (only with `closes_range`).
    crashes: how many processes crashed through the fault of this chunk. If any, its stages run in a child process.
    suspected: whether a process died at this chunk. The next one is then read only after this one is committed, so
      that another death belongs to one of them.
    redo: by name of a table in which the committed rows of this chunk are replaced, the digest of these rows.
    digests: by table name, the digest of the committed rows of this chunk.
    rows: one per pair, for the table whose stages are running.
    recorded, seconds: what the rows were computed with, and the time per step, both since the last commit. Comparisons
      ignore the times, because they differ in every run.
    """

    source: int
    range: int
    number: int
    pairs: tuple[Pair, ...] = ()
    next_position: dict[str, Any] | None = None
    closes_range: bool = False
    faults: tuple[str, ...] = ()
    crashes: int = 0
    suspected: bool = False
    redo: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    rows: tuple[Any, ...] = ()
    recorded: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict, compare=False)

    def timed(self, step: str, seconds: float) -> dict[str, float]:
        """A copy of `self.seconds` with the time of this step added."""
        return {**self.seconds, step: self.seconds.get(step, 0.0) + seconds}


@dataclass(frozen=True, slots=True)
class Grounding:
    """One kept box with the phrase that it belongs to."""

    phrase: Phrase
    box: Box
