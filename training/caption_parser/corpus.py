"""What spaCy's `train` reads: one file of parses for validation, and one for each round of training."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import spacy
from rich.progress import track
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from training.caption_parser.alt_text import alt_text, parts_of
from training.caption_parser.casing import maybe_recased
from training.caption_parser.hand_marks import MARKS, withheld_keys
from training.caption_parser.mend import mended
from training.caption_parser.silver import Parse, read_silver, split, to_doc
from training.caption_parser.word_classes import add_word_classes

ALT_TEXTS = 4000
"""How many made-up alt-texts join each round."""


@dataclass(frozen=True)
class Silver:
    """Parses to train with, mended, and parts that alt-texts are made of; parses for validation, as they are."""

    training: tuple[Parse, ...]
    parts: tuple[Parse, ...]
    validation: tuple[Parse, ...]


@cache
def load(silver: Path) -> Silver:
    """Reads, splits and mends the silver parses; the captions marked by hand are in neither part."""
    training, validation = split(read_silver(silver), withheld_keys(MARKS))
    ruler = WordClassRuler()
    kept, parts = [], []
    for parse in track(training, "mending silver parses"):
        better = mended(parse, ruler(to_doc(ruler.vocab, parse))) if parse.source == "laion" else parse
        kept.append(better)
        if parse.source == "laion":
            parts += parts_of(better, ruler(to_doc(ruler.vocab, better)))
    return Silver(tuple(kept), tuple(parts), tuple(validation))


class WordClassRuler:
    """Sets the word classes of documents that have tags and trees."""

    def __init__(self) -> None:
        nlp: Language = spacy.blank("en")
        add_word_classes(nlp)
        self.vocab = nlp.vocab
        self._pipe = nlp.get_pipe("attribute_ruler")

    def __call__(self, doc: Doc) -> Doc:
        ready: Doc = self._pipe(doc)
        return ready


def write_validation(silver: Silver, path: Path) -> None:
    """Writes the validation parses in an order of chance, so that the first few hundred are of every source."""
    parses = list(silver.validation)
    random.Random(0).shuffle(parses)
    _write(parses, path)


def write_round(silver: Silver, seed: int, round_number: int, path: Path) -> None:
    """Writes one round's training parses: all of the silver in cases drawn anew, and fresh made-up alt-texts."""
    chance = random.Random(f"{seed}/{round_number}")
    made = [alt_text(silver.parts, chance) for _ in range(ALT_TEXTS)]
    _write([maybe_recased(parse, chance) for parse in (*silver.training, *made)], path)


def _write(parses: Iterable[Parse], path: Path) -> None:
    vocab = spacy.blank("en").vocab
    packed = DocBin(attrs=["TAG", "HEAD", "DEP", "SENT_START"])
    for parse in parses:
        packed.add(to_doc(vocab, parse))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    packed.to_disk(unfinished)
    unfinished.replace(path)
