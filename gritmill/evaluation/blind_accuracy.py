"""How many statements are answered without the picture, by a logistic regression on their words.

What is answered so teaches nothing about pictures. Of statements that are made the obvious way it is much: the words
for two things tell which of them is usually above the other one.
"""

import hashlib
import heapq
import re
from collections.abc import Iterator, Sequence

import numpy as np

ENOUGH = 200
"""With fewer statements, the accuracy is only indicative."""

MOST = 0.55
"""A data set that is balanced has no larger blind accuracy."""

SAMPLE = 20_000

_FOLDS = 5
_NGRAMS = 3
_STEPS, _STEP, _MOMENTUM = 200, 4.0, 0.9
"""Of gradient descent. Rows have the length 1, so the loss is smooth with 1/4, and a step of 4 does not overshoot."""

_WORD = re.compile(r"\w+")


class BlindSample:
    """At most `SAMPLE` of any number of statements, by chance. Equal calls give equal samples."""

    def __init__(self, seed: int) -> None:
        self._seed, self._seen = seed, 0
        self._heap: list[tuple[int, int, tuple[str, bool, str]]] = []

    def add(self, text: str, label: bool, picture: str) -> None:
        """A statement, whether it is true, and what names its picture."""
        entry = (-_hash(f"{self._seed} {self._seen}"), self._seen, (text, label, picture))
        self._seen += 1
        (heapq.heappush if len(self._heap) < SAMPLE else heapq.heappushpop)(self._heap, entry)

    def __len__(self) -> int:
        return len(self._heap)

    def accuracy(self) -> float:
        """See `blind_accuracy`."""
        statements = [statement for _, _, statement in sorted(self._heap, key=lambda entry: entry[1])]
        return blind_accuracy(*zip(*statements, strict=True))


def blind_accuracy(texts: Sequence[str], labels: Sequence[bool], pictures: Sequence[str]) -> float:
    """The share of statements that are answered right from their words alone, between 0 and 1.

    n-grams of 1 to 3 words; L2-regularised logistic regression, with the regularisation 1 of scikit-learn; five folds,
    and all statements about a picture are in one of them. The share may be below .5: if a wording is as often true as
    false, each statement that is held out leaves a majority of the opposite behind.

    Args:
      texts: at least one.
    """
    wanted = np.array(labels, dtype=float)
    fold = np.array([_hash(picture) % _FOLDS for picture in pictures])
    features = [sorted(set(_features(text))) for text in texts]
    lengths = np.array([len(row) for row in features])
    names, columns = np.unique(np.array([one for row in features for one in row], np.uint64), return_inverse=True)
    rows = np.repeat(np.arange(len(texts)), lengths)
    values = 1 / np.sqrt(lengths[rows])
    right = 0
    for number in np.unique(fold):
        training = fold != number
        if not training.any():
            return float(max(wanted.mean(), 1 - wanted.mean()))  # one picture, or few: nothing is held out
        entries = training[rows]
        weights = _fit(columns[entries], rows[entries], values[entries], wanted, training, len(names))
        scores = np.bincount(rows, values * weights[columns], len(texts)) + weights[-1]
        right += int(((scores > 0) == (wanted > 0))[~training].sum())
    return right / len(texts)


def _fit(
    columns: np.ndarray, rows: np.ndarray, values: np.ndarray, wanted: np.ndarray, training: np.ndarray, features: int
) -> np.ndarray:
    """The weights of all features, then the constant; float64 [features + 1]."""
    weights, velocity = np.zeros(features + 1), np.zeros(features + 1)
    count = training.sum()
    for _ in range(_STEPS):
        ahead = weights + _MOMENTUM * velocity
        scores = np.bincount(rows, values * ahead[columns], len(wanted)) + ahead[-1]
        errors = np.where(training, 1 / (1 + np.exp(-scores)) - wanted, 0.0) / count
        gradient = np.append(np.bincount(columns, values * errors[rows], features), errors.sum())
        gradient[:-1] += ahead[:-1] / count
        velocity = _MOMENTUM * velocity - _STEP / 2 * gradient  # the constant doubles the length of a row
        weights = weights + velocity
    return weights


def _features(text: str) -> Iterator[int]:
    words = _WORD.findall(text.lower())
    for length in range(1, _NGRAMS + 1):
        for start in range(len(words) - length + 1):
            yield _hash(" ".join(words[start : start + length]))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
