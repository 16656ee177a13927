"""instructions: conversations in LLaVA's form, made of the records as Kosmos-2 and Shikra make theirs.

Four kinds: comprehension (an expression is asked for, its boxes are the answer), generation (a box is shown, its
expression is the answer; the six templates of the Kosmos-2 paper's appendix B), grounded captioning, and pointing
(which thing of those named lies under this point?). Boxes are written in the dialect of one's choice.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gritmill.exports.format import (
    Figures,
    Folder,
    Lined,
    Region,
    all_lines,
    disjoint,
    image_name,
    provenance,
    regions,
    write_image,
)
from gritmill.exports.options import Level, Options
from gritmill.reading import Sample
from pipeline.faults import CallError
from transforms.text import dialects
from transforms.text.grounded_caption import CannotCarry, Carries, Corners, Dialect, GroundedCaption, Span

Turns = tuple[str, str]
"""What the human says and what the model answers."""

_COMPREHENSION = (
    "Find {0}.",
    "Locate {0} in the picture.",
    "Give the box of {0}.",
    "Please point out {0}.",
)
# The Kosmos-2 paper's appendix B, table 9: the question ends where the model goes on.
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

_ABOUT = """`instructions.jsonl`: one conversation a line, `conversations` as LLaVA reads them, `kind` beside them.
Written in the dialect `{0}`, with the seed {1}."""

_PARTS = """ This dialect carries no sentence: of the four kinds there are comprehension and pointing."""


@dataclass(frozen=True)
class Instructions(Lined):
    """See the module's text.

    Raises:
      CallError: there is no such dialect, or it carries no words.
    """

    def __post_init__(self) -> None:
        try:
            carries = dialects.find(self.options.dialect).carries
        except ValueError as error:
            raise CallError(str(error).replace("text.dialect", "--dialect")) from error
        if carries is Carries.BOXES:
            raise CallError(f"--dialect: {self.options.dialect} carries no words; take another one")

    @property
    def about(self) -> str:
        """For the data card."""
        about = _ABOUT.format(self.options.dialect, self.options.seed)
        return about if self._whole else about + _PARTS

    @property
    def _whole(self) -> bool:
        return dialects.find(self.options.dialect).carries in (Carries.SPANS, Carries.ENDS)

    def finish(self, shards: Sequence[int], folder: Folder) -> None:
        """One file of all lines."""
        folder.write_lines("instructions.jsonl", all_lines(shards, folder))

    def lines(self, samples: Iterator[Sample], folder: Folder, figures: Figures) -> Iterator[str]:
        for sample in samples:
            if "<" in sample.caption:  # it may read like a picture's place, or any other sign of a model
                figures["captions with <, left out"] += 1
                continue
            write_image(sample, folder, self.options)
            figures["samples"] += 1
            for kind, (question, answer) in self._turns(sample, figures):
                figures[kind] += 1
                yield json.dumps(_line(sample, kind, question, answer), ensure_ascii=False)

    def _turns(self, sample: Sample, figures: Figures) -> Iterator[tuple[str, Turns]]:
        """The conversations about a sample; what its dialect cannot carry is left out and counted."""
        # The choice follows from the sample alone, whatever came before it.
        chance = random.Random(f"{self.options.seed} {sample.record['uid']}")
        about = _About.of(sample, self.options)
        kinds: dict[str, Callable[[_About, random.Random], Turns]] = {"comprehension": _comprehension}
        level = self.options.level
        if self._whole:
            kinds |= {"generation": _generation, "captioning": partial(_captioning, level=level)}
        if len(about.groups) > 1:
            kinds["pointing"] = _pointing
        for kind, make in kinds.items():
            try:
                yield kind, make(about, chance)
            except CannotCarry:
                figures[f"{kind}, left out: the dialect cannot carry it"] += 1
            except _NoSingle as error:
                figures[f"{kind}, left out: {error}"] += 1


@dataclass(frozen=True)
class _About:
    """A record's expressions, each with its boxes in shares, and how to write them."""

    record: dict[str, Any]
    dialect: Dialect
    groups: list[tuple[str, tuple[Corners, ...]]]

    @classmethod
    def of(cls, sample: Sample, options: Options) -> "_About":
        # Words that stand twice in a caption name all of their boxes.
        groups: dict[str, list[Region]] = {}
        for region in regions(sample.record, options):
            groups.setdefault(region.words.casefold(), []).append(region)
        found = [(group[0].words, tuple(region.shares for region in group)) for group in groups.values()]
        return cls(sample.record, dialects.find(options.dialect), found)

    def written(self, before: str, words: str, after: str, boxes: tuple[Corners, ...]) -> str:
        """A text in the dialect, with boxes for some words of it."""
        span = Span(len(before), len(before) + len(words), boxes)
        size = self.record["width"], self.record["height"]
        return self.dialect.encode(GroundedCaption(before + words + after, (span,), *size))


def _comprehension(about: _About, chance: random.Random) -> Turns:
    words, boxes = chance.choice(about.groups)
    return chance.choice(_COMPREHENSION).format(words), about.written("", words, "", boxes)


def _generation(about: _About, chance: random.Random) -> Turns:
    # "It is {0}" is said of one thing.
    single = [(words, boxes) for words, boxes in about.groups if len(boxes) == 1]
    if not single:
        raise _NoSingle("every expression names several things")
    words, boxes = chance.choice(single)
    before, pronoun, after, answer = chance.choice(_GENERATION)
    return about.written(before, pronoun, after, boxes), answer.format(words)


def _captioning(about: _About, chance: random.Random, level: Level) -> Turns:
    record = about.record
    caption = GroundedCaption(record["caption"], disjoint(record, level), record["width"], record["height"])
    return chance.choice(_CAPTIONING), about.dialect.encode(caption)


def _pointing(about: _About, chance: random.Random) -> Turns:
    """The point is the middle of a box that lies in no box of another expression, if there is one."""
    order = chance.sample(range(len(about.groups)), len(about.groups))
    words = [about.groups[number][0] for number in order]
    for number in order:
        for x1, y1, x2, y2 in about.groups[number][1]:
            x, y = round((x1 + x2) / 2, 3), round((y1 + y2) / 2, 3)
            if not (x1 <= x <= x2 and y1 <= y <= y2):
                continue
            others = (box for other in order if other != number for box in about.groups[other][1])
            if not any(a <= x <= c and b <= y <= d for a, b, c, d in others):
                return _POINTING.format(x, y, ", ".join(words)), about.groups[number][0]
    raise _NoSingle("no point lies in one thing alone")


class _NoSingle(Exception):
    """There is no single thing to ask about; the message says why."""


def _line(sample: Sample, kind: str, question: str, answer: str) -> dict[str, Any]:
    record = sample.record
    return {
        "id": f"{record['uid']}-{kind}",
        "image": image_name(sample),
        "kind": kind,
        "conversations": [
            {"from": "human", "value": f"<image>\n{question}"},
            {"from": "gpt", "value": answer},
        ],
        **{name: record[name] for name in ("key", "width", "height")},
        **provenance(record),
    }
