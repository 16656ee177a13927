"""Writes the folder that ships from a trained pipeline: adds the word classes and removes training data."""

import json
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Config

from training.caption_parser.word_classes import add_word_classes

ABOUT = {
    "name": "caption_parser",
    "version": "1.0.0",
    "description": "Noun phrases and dependency trees of image captions and web alt-texts: tagger and parser.",
    "author": "gritmill",
    "email": "",
    "url": "",
    "license": "MIT",
    "spacy_version": ">=3.8,<3.9",
    "performance": {},
}

_PROBES = ("Two dogs on a sofa.", "ACME Desk Lamp - Black | Free Shipping", "a man who is holding something red")


def ship(nlp: Language, output: Path) -> None:
    """Writes the pipeline that ships to `output`. Other files there, such as the model card, are kept.

    Raises:
      ValueError: the written pipeline parses a probe caption differently from the trained one.
    """
    add_word_classes(nlp)
    nlp.meta.update(ABOUT)
    nlp.to_disk(output)
    _clear_config(output / "config.cfg")
    _clear_strings(nlp, output / "vocab" / "strings.json")
    shipped = spacy.load(output)
    for probe in _PROBES:
        if _outcome(shipped(probe)) != _outcome(nlp(probe)):
            raise ValueError(f"{output}: parses {probe!r} differently from the trained pipeline")


def _clear_config(path: Path) -> None:
    config = Config().from_disk(path, interpolate=False)
    config["paths"] = dict.fromkeys(config["paths"])
    config["initialize"] = {}
    config.to_disk(path)


def _clear_strings(nlp: Language, path: Path) -> None:
    """Keeps only the labels: spaCy adds the tokenizer's strings when it loads, and other words as it parses them."""
    labels = {label for names in nlp.pipe_labels.values() for label in names}
    path.write_text(json.dumps(sorted(labels), ensure_ascii=False), "utf-8")


def _outcome(doc: Doc) -> list[tuple[Any, ...]]:
    return [(token.text, token.tag_, token.pos_, token.dep_, token.head.i) for token in doc]
