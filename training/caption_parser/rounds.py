"""Training in rounds. Each round is one call of spaCy's `train` and starts from the weights that the last round saved.

If a run is interrupted, the same command resumes at the first unfinished round. Weights and learning rate are restored.
Adam's moments start from zero in every round, also without an interruption, so an interruption does not change the
result.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

from training.caption_parser import corpus
from training.caption_parser.mean import mean_of
from training.caption_parser.recombined import Teacher
from training.caption_parser.start import take_weights, write_labels

CONFIG = Path(__file__).parent / "config.cfg"

ROUNDS = 7
TAGGER_ALONE = 3
"""Number of first rounds that train only the tagger, because the teacher has no weights that fit it."""

STEPS = 350
"""Updates per round minus one, because spaCy counts from 0. An update sees about 1500 words."""

LEARNING_RATE_TAGGER = 0.005
LEARNING_RATE = 0.00015
"""For the other rounds, which train all components. At 0.0007 the parser loses more than the tagger gains."""

_FROM_TEACHER = ["tok2vec", "parser"]  # components that start with the teacher's weights


def train_in_rounds(silver: Path, work: Path, seed: int, teacher: Path) -> Language:
    """Trains the unfinished rounds.

    Args:
      silver: the gzipped silver parses.
      work: a folder for this training only. Finished rounds of earlier runs with the same arguments are reused.
      seed: seeds the initial weights, the order of the parses, and the random choices of each round.
      teacher: a spaCy pipeline that parses the new captions; its parser provides the initial weights.

    Returns:
      The mean of the last pipeline that trained only the tagger and the final pipeline; see `mean`.

    Raises:
      ValueError: `work` contains rounds of another training.
    """
    base = work / f"seed-{seed}"
    _check_same(base / "training.txt", silver, teacher)
    validation = base / "validation.spacy"
    _write_if_missing(validation, lambda path: corpus.write_validation(corpus.load(silver), path))
    for number in range(ROUNDS):
        folder = base / f"round-{number}"
        if (folder / "done").exists():
            continue
        parses = folder / "train.spacy"
        _write_if_missing(parses, partial(_write_parses, silver, teacher, seed, number))
        settings = {"paths.train": str(parses), "paths.dev": str(validation), "system.seed": seed + 1000 * number}
        settings |= _of_round(number)
        nlp = spacy.load(_last(base, number - 1), config=settings) if number else _begin(settings, teacher, base)
        print(f"seed {seed}, round {number + 1} of {ROUNDS}", file=sys.stderr)
        train(nlp, folder)
        parses.unlink()
        (folder / "done").touch()
    return mean_of(_last(base, TAGGER_ALONE - 1), _last(base, ROUNDS - 1))


def _check_same(path: Path, silver: Path, teacher: Path) -> None:
    """Writes the digests of all inputs of the training, or compares them with those of an earlier run."""
    ours = f"silver parses {_digest([silver])}, teacher {_digest(_files(teacher))}, programs {_digest(_programs())}\n"
    _write_if_missing(path, lambda missing: _write(missing, ours))
    theirs = path.read_text("utf-8")
    if theirs != ours:
        raise ValueError(
            f"{path.parent}: rounds of another training ({theirs.strip()}, not {ours.strip()}); use another --work"
        )


def _programs() -> list[Path]:
    return [path for path in _files(Path(__file__).parent) if path.suffix in (".py", ".cfg", ".jsonl")]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(paths: Iterable[Path]) -> str:
    hasher = hashlib.blake2b(digest_size=8)
    for path in paths:
        hasher.update(path.name.encode() + b"\0" + path.read_bytes())
    return hasher.hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _write_parses(silver: Path, teacher: Path, seed: int, number: int, path: Path) -> None:
    corpus.write_round(corpus.load(silver), Teacher(teacher), seed, number, path)


def _last(base: Path, number: int) -> Path:
    return base / f"round-{number}" / "model-last"


def _write_if_missing(path: Path, write: Callable[[Path], None]) -> None:
    if not path.exists():
        write(path)


def _of_round(number: int) -> dict[str, Any]:
    """Returns the settings of a round. The learning rate falls linearly over all rounds that train the same parts."""
    alone = number < TAGGER_ALONE
    peak, rounds = (LEARNING_RATE_TAGGER, TAGGER_ALONE) if alone else (LEARNING_RATE, ROUNDS - TAGGER_ALONE)
    left = (TAGGER_ALONE if alone else ROUNDS) - number
    return {
        "training.max_steps": STEPS,
        "training.eval_frequency": STEPS,
        # In the first round `_begin` sets them after the initialisation: spaCy does not initialise frozen components.
        "training.frozen_components": _FROM_TEACHER if alone and number else [],
        "training.annotating_components": _FROM_TEACHER[:1] if alone and number else [],
        "training.optimizer.learn_rate.initial_rate": peak * left / rounds,
        "training.optimizer.learn_rate.total_steps": STEPS * left,
    }


def _begin(settings: dict[str, Any], teacher: Path, base: Path) -> Language:
    config = load_config(CONFIG, overrides=settings)
    labels = base / "labels.json"
    write_labels(teacher, labels)
    reader = {"@readers": "spacy.read_labels.v1", "path": str(labels), "require": True}
    config["initialize"] = {"components": {"parser": {"labels": reader}}}
    nlp = init_nlp(config)
    take_weights(nlp, teacher)
    nlp.config["training"].update(frozen_components=_FROM_TEACHER, annotating_components=_FROM_TEACHER[:1])
    return nlp
