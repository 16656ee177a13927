"""Training in rounds: each is one call of spaCy's `train`, and each starts from what the round before has saved.

A run that was interrupted goes on with its first unfinished round when the same command is given again. Weights come
back, and so does the learning rate, which falls in one straight line over the rounds; Adam's moments do not: every
round begins them anew. Without an interruption it is just the same, so the outcome does not depend on it.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

from training.caption_parser import corpus
from training.caption_parser.start import take_weights, write_labels

CONFIG = Path(__file__).parent / "config.cfg"

ROUNDS = 7
STEPS = 250
"""Updates of a round, each of about 1500 words."""

LEARNING_RATE = 0.0007
LEARNING_RATE_TAGGER = 0.005
LEARNING_RATE_FROM_NOTHING = 0.002


def train_in_rounds(silver: Path, work: Path, seed: int, start: Path | None) -> Path:
    """Trains what of the rounds is not done yet, and returns the folder of the last one's pipeline.

    Args:
      silver: the gzipped silver parses.
      work: a folder of our own; what it holds of earlier runs with the same arguments is used.
      seed: of first weights, of the order of parses, and of what is drawn for each round.
      start: a spaCy pipeline whose parser's weights to start from; None: start from nothing.
    """
    base = work / f"seed-{seed}{'' if start else '-from-nothing'}"
    validation = work / "validation.spacy"
    _unless_there(validation, lambda path: corpus.write_validation(corpus.load(silver), path))
    for number in range(ROUNDS):
        folder = base / f"round-{number}"
        if (folder / "done").exists():
            continue
        parses = folder / "train.spacy"
        _unless_there(parses, lambda path, n=number: corpus.write_round(corpus.load(silver), seed, n, path))  # type: ignore[misc]
        settings = {"paths.train": str(parses), "paths.dev": str(validation), "system.seed": seed + 1000 * number}
        settings |= _of_round(number, start is not None)
        nlp = spacy.load(_last(base, number - 1), config=settings) if number else _begin(settings, start, base)
        print(f"seed {seed}, round {number + 1} of {ROUNDS}", file=sys.stderr)
        train(nlp, folder)
        parses.unlink()
        (folder / "done").touch()
    return _last(base, ROUNDS - 1)


def _last(base: Path, number: int) -> Path:
    return base / f"round-{number}" / "model-last"


def _unless_there(path: Path, write: Callable[[Path], None]) -> None:
    if not path.exists():
        write(path)


def _of_round(number: int, with_start: bool) -> dict[str, Any]:
    """Settings of a round: with weights to start from, the first one trains the tagger alone, which has none."""
    rate = "training.optimizer.learn_rate"
    alone = with_start and number == 0
    left = ROUNDS - number
    peak = LEARNING_RATE if with_start else LEARNING_RATE_FROM_NOTHING
    return {
        "training.max_steps": STEPS,
        "training.eval_frequency": STEPS,
        "training.frozen_components": [],
        "training.annotating_components": [],
        f"{rate}.initial_rate": LEARNING_RATE_TAGGER if alone else peak * left / ROUNDS,
        f"{rate}.total_steps": STEPS * (1 if alone else left),
    }


def _begin(settings: dict[str, Any], start: Path | None, base: Path) -> Language:
    config = load_config(CONFIG, overrides=settings)
    if not start:
        return init_nlp(config)
    labels = base / "labels.json"
    write_labels(start, labels)
    reader = {"@readers": "spacy.read_labels.v1", "path": str(labels), "require": True}
    config["initialize"] = {"components": {"parser": {"labels": reader}}}
    nlp = init_nlp(config)
    take_weights(nlp, start)
    # Only now: spaCy does not initialise what is frozen.
    nlp.config["training"].update(frozen_components=["tok2vec", "parser"], annotating_components=["tok2vec"])
    return nlp
