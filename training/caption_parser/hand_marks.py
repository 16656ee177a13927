"""Noun phrases that were marked by hand in captions, and how well a parser finds them.

Each line of `marks/*.jsonl` describes one caption: `row` (its row in the caption file; the first one after the header
is 0), `sha256` of the caption, `key` (see `silver.text_key`), and the character spans `phrases` and `neutral`, with
exclusive ends; `measures` are the spans of phrases such as "a group of people". The captions are not included, because
we may not distribute them. `marks/GUIDELINES.md` defines what counts as a phrase.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc

from training.caption_parser.spans import Counts, Spans, compare, phrase_spans, total
from transforms.phrases.phrase_extractor import PhraseExtractor

MARKS = Path(__file__).parent / "marks"


@dataclass(frozen=True)
class AnnotatedCaption:
    """A caption with its marked phrases. Predicted phrases inside a span in `neutral` do not count."""

    caption: str
    phrases: Spans
    neutral: Spans


def read_marks(marks: Path, captions: Path) -> list[AnnotatedCaption]:
    """Reads the marks of one file and joins them with their captions.

    Args:
      marks: one of the files `marks/*.jsonl`.
      captions: a TSV with a header; the caption is the last of its columns.

    Raises:
      OSError: one of the files does not exist.
      ValueError: the caption file is not the one that was marked.
    """
    header, *lines = captions.read_text("utf-8").split("\n")
    before = header.count("\t")
    return [_to_annotated(json.loads(line), lines, before) for line in marks.read_text("utf-8").splitlines()]


def withheld_keys(folder: Path) -> frozenset[str]:
    """Returns the `text_key` of every marked caption. These must not be used for training or validation."""
    lines = (line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines())
    return frozenset(str(json.loads(line)["key"]) for line in lines)


def _to_annotated(row: dict[str, object], lines: Sequence[str], before: int) -> AnnotatedCaption:
    number = int(str(row["row"]))
    caption = lines[number].split("\t", before)[-1].rstrip("\r") if number < len(lines) else ""
    if hashlib.sha256(caption.encode()).hexdigest() != row["sha256"]:
        raise ValueError(f"row {number} of the caption file is not the caption that was marked")
    return AnnotatedCaption(caption, _spans(row["phrases"]), _spans(row["neutral"]))


def _spans(pairs: object) -> Spans:
    assert isinstance(pairs, list)
    return frozenset((int(start), int(end)) for start, end in pairs)


def score(annotated: AnnotatedCaption, found: Spans) -> Counts:
    """Returns the counts of one caption, without the predicted spans that are inside a neutral span."""
    neutral = annotated.neutral
    judged = {span for span in found if not any(start <= span[0] and span[1] <= end for start, end in neutral)}
    return compare(frozenset(judged), annotated.phrases)


def score_without_numbers(annotated: AnnotatedCaption, found: Spans) -> Counts:
    """Like `score`, but ignores a number at the end of a phrase ("Windows 8")."""
    bare = frozenset(_without_number(annotated.caption, span) for span in annotated.phrases)
    found = frozenset(_without_number(annotated.caption, span) for span in found)
    return score(AnnotatedCaption(annotated.caption, bare, annotated.neutral), found)


def _without_number(caption: str, span: tuple[int, int]) -> tuple[int, int]:
    start, end = span
    words = caption[start:end].split(" ")
    while len(words) > 1 and words[-1].strip("'#").isdecimal():
        words.pop()
    return start, start + len(" ".join(words))


def find_spans(
    parser: PhraseExtractor, annotated: Iterable[AnnotatedCaption], spans: Callable[[Doc], Spans] = phrase_spans
) -> list[Spans]:
    """Returns the phrases that a parser finds in each caption. spans: extracts them from a document."""
    return [spans(doc) for doc in parser.docs(item.caption for item in annotated)]


def difference_interval(ours: Sequence[Counts], theirs: Sequence[Counts], draws: int = 10_000) -> tuple[float, float]:
    """Returns the 95 % interval of our F1 minus theirs, by a paired bootstrap over captions with a fixed seed."""
    pairs = list(zip(ours, theirs, strict=True))
    rng = random.Random(0)
    differences = []
    for _ in range(draws):
        drawn = rng.choices(pairs, k=len(pairs))
        differences.append(total(a for a, _ in drawn).f1 - total(b for _, b in drawn).f1)
    differences.sort()
    return differences[int(0.025 * draws)], differences[int(0.975 * draws)]
