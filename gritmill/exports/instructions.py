"""instructions: conversations in LLaVA's format, built from the records in the way of Kosmos-2 and Shikra."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gritmill.exports.format import (
    WORDS_TWICE,
    ExportCounts,
    ExportFolder,
    LeftOut,
    LineFormat,
    Region,
    all_lines,
    certain_rows,
    disjoint_spans,
    origin_fields,
    read_regions,
)
from gritmill.exports.options import ExportOptions, Level
from gritmill.exports.readers import ran
from gritmill.reading import Sample
from pipeline.faults import CallError
from transforms.text import dialects
from transforms.text.grounded_caption import CannotCarry, Carries, Corners, Dialect, GroundedCaption, Span

Turns = tuple[str, str]
"""The text of the human and the answer of the model."""

_COMPREHENSION = (
    "Find {0}.",
    "Locate {0} in the picture.",
    "Give the box of {0}.",
    "Please point out {0}.",
)
# The Kosmos-2 paper, appendix B, table 9: the model continues where the question ends.
_GENERATION = (
    ("What is ", "it", "?", "It is {0}."),
    ("What is ", "this", "?", "This is {0}."),
    ("Describe ", "this object", ".", "This object is {0}."),
    ("", "It", " is", "{0}."),
    ("", "This", " is", "{0}."),
    ("", "The object", " is", "{0}."),
)
_CAPTIONING = (
    "Describe the picture and say where things are.",
    "Give a caption with a box for each thing that it names.",
)
_POINTING = "Which of these lies at ({0:.3f}, {1:.3f}), in shares of width and height: {2}?"

_NO_PHRASE = "no phrase is left"

_LIST = "instructions.json"

_DESCRIPTION = """\
Both files have the same conversations, with `conversations` as LLaVA reads them, and `kind`:

- `instructions.json` is one JSON list, for `--data_path` of LLaVA (1.2.2, `llava/train/train.py`) and its descendants.
- `instructions.jsonl` has one conversation per line, for InternVL (`annotation`; it accepts nothing else) and
  `datasets.load_dataset`.

Paths of images are relative to this folder (`--image_folder`, `root`). Written in the dialect `{0}`, with the seed
{1}. {2} LLaVA and InternVL were not run: tests read the files as their code does (commits
c121f04 and 2410d1d)."""

_WITH_PROCESSORS = ("kosmos2", "florence2")
"""Dialects that `make interop` reads with a processor of transformers."""

_NO_SENTENCES = """ This dialect cannot carry sentences: the kinds are comprehension and pointing only."""


@dataclass(frozen=True)
class Instructions(LineFormat):
    """Four kinds of conversations. Boxes are written in the dialect of the options.

    comprehension: the question has an expression, the answer has its boxes.
    generation: the question has a box, the answer has its expression; the six templates of the Kosmos-2 paper.
    captioning: the answer is a grounded caption.
    pointing: the question has a point and the expressions, the answer is the expression of the thing at that point.

    Raises:
      CallError: the dialect does not exist, or it carries no words.
    """

    file_name = "instructions.jsonl"

    def __post_init__(self) -> None:
        try:
            carries = dialects.find(self.options.dialect).carries
        except ValueError as error:
            raise CallError(str(error).replace("text.dialect", "--dialect")) from error
        if carries is Carries.BOXES:
            raise CallError(f"--dialect: {self.options.dialect} carries no words; use another dialect")

    @property
    def description(self) -> str:
        dialect = self.options.dialect
        processors = ("transformers",) if dialect in _WITH_PROCESSORS else ()
        description = _DESCRIPTION.format(dialect, self.options.seed, ran("datasets", *processors))
        return description if self._carries_sentences else description + _NO_SENTENCES

    @property
    def _carries_sentences(self) -> bool:
        return dialects.find(self.options.dialect).carries in (Carries.SPANS, Carries.ENDS)

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes the conversations as lines and as one list, line by line."""
        super().finish(shards, folder)
        folder.write_list(_LIST, all_lines(shards, folder))

    def left_out(self, caption: str) -> str:
        # It may read as the image placeholder, or as another special token of a model.
        return "captions with <" if "<" in caption else ""

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        record = sample.record
        # The choice depends on the seed and the sample only, not on earlier samples.
        rng = random.Random(f"{self.options.seed} {record['uid']}")
        grounded = _GroundedRecord.from_record(record, self.options)
        if grounded.unknown:
            counts[WORDS_TWICE] += grounded.unknown
        kinds = {"comprehension": _comprehension}
        if self._carries_sentences:
            kinds |= {"generation": _generation, "captioning": _captioning}
            # The other kinds ask for the words, which name the boxes of both places.
            if uncertain := len(record["heads"]) - len(grounded.record["heads"]) - grounded.unknown:
                counts[f"{WORDS_TWICE} of captioning only"] += uncertain
        if len(grounded.groups) > 1:
            kinds["pointing"] = _pointing
        asked = False
        for kind, make in kinds.items():
            try:
                question, answer = make(grounded, rng)
            except (CannotCarry, _NoSingleThing) as error:
                reason = "the dialect cannot carry it" if isinstance(error, CannotCarry) else str(error)
                counts[f"{kind}, left out: {reason}"] += 1
                continue
            counts[kind] += 1
            asked = True
            yield {
                "id": f"{record['uid']}-{kind}",
                "image": self.image_name(sample),
                "kind": kind,
                "conversations": [
                    {"from": "human", "value": f"<image>\n{question}"},
                    {"from": "gpt", "value": answer},
                ],
                **{name: record[name] for name in ("key", "width", "height")},
                **origin_fields(record),
            }
        if not asked:
            raise LeftOut("captions without a question")


@dataclass(frozen=True)
class _GroundedRecord:
    """The expressions of a record, each with its normalised boxes, and the dialect to write them in.

    record: without the rows whose place in the caption is not known. unknown: number of those rows that `groups` does
    not have either, because the expression has more words than the phrase and names one of the things.
    """

    record: dict[str, Any]
    level: Level | None
    dialect: Dialect
    groups: list[tuple[str, tuple[Corners, ...]]]
    unknown: int

    @classmethod
    def from_record(cls, record: dict[str, Any], options: ExportOptions) -> "_GroundedRecord":
        certain = certain_rows(record, ExportCounts())
        banned = dialects.banned(options.dialect)
        places = {(region.start, region.end) for region in read_regions(certain, options.level)}
        # Words that occur twice in a caption name the boxes of both places.
        groups: dict[str, list[Region]] = {}
        unknown = 0
        for region, chunk in zip(read_regions(record, options.level), read_regions(record, Level.CHUNKS), strict=True):
            known = (region.start, region.end) in places or region.text == chunk.text
            unknown += not known
            if known and region.text not in banned:
                groups.setdefault(region.text.casefold(), []).append(region)
        expressions = [(group[0].text, tuple(region.box.corners for region in group)) for group in groups.values()]
        return cls(certain, options.level, dialects.find(options.dialect), expressions, unknown)

    def encode(self, before: str, words: str, after: str, boxes: tuple[Corners, ...]) -> str:
        """Encodes `before + words + after` in the dialect, with the boxes for `words`."""
        span = Span(len(before), len(before) + len(words), boxes)
        size = self.record["width"], self.record["height"]
        return self.dialect.encode(GroundedCaption(before + words + after, (span,), *size))


def _comprehension(grounded: _GroundedRecord, rng: random.Random) -> Turns:
    if not grounded.groups:
        raise _NoSingleThing(_NO_PHRASE)
    words, boxes = rng.choice(grounded.groups)
    return rng.choice(_COMPREHENSION).format(words), grounded.encode("", words, "", boxes)


def _generation(grounded: _GroundedRecord, rng: random.Random) -> Turns:
    # "It is {0}" fits a single thing only.
    single = [(words, boxes) for words, boxes in grounded.groups if len(boxes) == 1]
    if not single:
        raise _NoSingleThing("every expression names several things")
    words, boxes = rng.choice(single)
    before, pronoun, after, answer = rng.choice(_GENERATION)
    return grounded.encode(before, pronoun, after, boxes), answer.format(words)


def _captioning(grounded: _GroundedRecord, rng: random.Random) -> Turns:
    record, spans = grounded.record, disjoint_spans(grounded.record, grounded.level)
    if not spans:
        raise _NoSingleThing(_NO_PHRASE)
    caption = GroundedCaption(record["caption"], spans, record["width"], record["height"])
    return rng.choice(_CAPTIONING), grounded.dialect.encode(caption)


def _pointing(grounded: _GroundedRecord, rng: random.Random) -> Turns:
    """Asks about the centre of a box, if some box has a centre that is in no box of another expression."""
    order = rng.sample(range(len(grounded.groups)), len(grounded.groups))
    words = [grounded.groups[number][0] for number in order]
    for number in order:
        for x1, y1, x2, y2 in grounded.groups[number][1]:
            x, y = round((x1 + x2) / 2, 3), round((y1 + y2) / 2, 3)
            if not (x1 <= x <= x2 and y1 <= y <= y2):
                continue
            others = (box for other in order if other != number for box in grounded.groups[other][1])
            if not any(a <= x <= c and b <= y <= d for a, b, c, d in others):
                return _POINTING.format(x, y, ", ".join(words)), grounded.groups[number][0]
    raise _NoSingleThing("no point lies in one thing alone")


class _NoSingleThing(Exception):
    """The question needs a single thing and there is none. The message gives the reason."""
