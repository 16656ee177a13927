"""Writes the input of spaCy's `train`: one file of parses for validation, and one for each training round."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import spacy
from spacy.tokens import DocBin

from training.caption_parser.casing import maybe_recased
from training.caption_parser.hand_marks import MARKS, withheld_keys
from training.caption_parser.recombined import SPLICED, Parts, Teacher, caption, parts_of
from training.caption_parser.silver import Parse, read_silver, split, to_doc

RECOMBINED = 12_000
"""Number of new captions per round, for each source in `SPLICED`."""


@dataclass(frozen=True)
class Silver:
    """Training parses, validation parses, and the parts of the training parses that new captions are built from."""

    training: tuple[Parse, ...]
    validation: tuple[Parse, ...]
    parts: tuple[Parts, ...]


@cache
def load(silver: Path) -> Silver:
    """Reads and splits the silver parses. The hand-marked captions are in neither part."""
    training, validation = split(read_silver(silver), withheld_keys(MARKS))
    return Silver(tuple(training), tuple(validation), tuple(parts_of(training, source) for source in SPLICED))


def write_validation(silver: Silver, path: Path) -> None:
    """Writes the validation parses in random order, so that the first few hundred cover every source."""
    parses = list(silver.validation)
    random.Random(0).shuffle(parses)
    _write(parses, path)


def write_round(silver: Silver, teacher: Teacher, seed: int, round_number: int, path: Path) -> None:
    """Writes the training parses of one round, with letter cases drawn for this round.

    These are the silver parses, the referring expressions a second time (they are short and few), and new captions
    with the teacher's parses.
    """
    rng = random.Random(f"{seed}/{round_number}")
    parses = [*silver.training, *(parse for parse in silver.training if parse.source == "ref")]
    for parts in silver.parts:
        parses += teacher.parses([caption(parts, rng) for _ in range(RECOMBINED)], parts.source)
    _write([maybe_recased(parse, rng) for parse in parses], path)


def _write(parses: Iterable[Parse], path: Path) -> None:
    vocab = spacy.blank("en").vocab
    packed = DocBin(attrs=["TAG", "HEAD", "DEP", "SENT_START"])
    for parse in parses:
        packed.add(to_doc(vocab, parse))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    packed.to_disk(unfinished)
    unfinished.replace(path)
