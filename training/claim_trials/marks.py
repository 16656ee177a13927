"""Captions of COCO whose claims were marked by hand, `tests/transforms/claims/coco_marks.jsonl`: how they are read.

A line of the file is one caption: its `row` in the file of captions, after the header, and its `sha256`; `set`; and the
claims. A count is [end of the noun chunk, predicate, number, whether it is a bare plural, whether it may be missing]; a
relation [end of the subject, predicate, end of the object or 0 for the picture, whether it may be missing].
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gritmill.evaluation.reading import ReadingTally
from gritmill.evaluation.sets.truth import Statement
from transforms.records import Claim, ClaimKind


def marked_captions(marks: Path, captions: Path) -> Iterator[tuple[int, str, list[Statement]]]:
    """The number of the set, the caption and its statements. captions: a TSV; its third column is the caption.

    Raises:
      ValueError: a caption is not the one that was marked.
    """
    lines = captions.read_text("utf-8").split("\n")[1:]
    for mark in map(json.loads, marks.read_text("utf-8").splitlines()):
        caption = lines[mark["row"]].split("\t", 2)[2].rstrip("\r")
        if hashlib.sha256(caption.encode()).hexdigest() != mark["sha256"]:
            raise ValueError(f"{captions}: row {mark['row']} is not the caption that was marked")
        yield mark["set"], caption, [*map(_count, mark["counts"]), *map(_relation, mark["relations"])]


def tally(stated: Sequence[list[Statement]], claims: Sequence[Sequence[Claim]]) -> dict[str, Any]:
    """The figures of all captions, by kind of claim. Ranks were not marked."""
    reading = ReadingTally()
    for statements, read in zip(stated, claims, strict=True):
        reading.add(statements, read)
    figures: dict[str, Any] = reading.to_json()["kinds"]
    return figures


def _count(mark: list[Any]) -> Statement:
    end, predicate, number, bare, optional = mark
    words_end = end if bare else 0
    return Statement(Claim(ClaimKind.COUNT, 0, words_end, 0, end, predicate, number), optional=optional)


def _relation(mark: list[Any]) -> Statement:
    end, predicate, object_end, optional = mark
    objects = (0, object_end) if object_end else ()
    claim = Claim(ClaimKind.RELATION, 0, 0, 0, end, predicate, objects=objects)
    return Statement(claim, optional=optional)
