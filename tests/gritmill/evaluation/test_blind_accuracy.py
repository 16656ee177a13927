import random

import pytest

from gritmill.evaluation import blind_accuracy as module
from gritmill.evaluation.blind_accuracy import BlindSample, blind_accuracy

THINGS = [
    f"{colour} {noun}" for colour in ("red", "blue", "big") for noun in ("dog", "cup", "hat", "man", "car", "tree")
]


def obvious(number, rng):
    """Statements made the obvious way: hats are above men, and the false ones are true ones swapped."""
    height = {thing: place for place, thing in enumerate(THINGS)}
    for picture in range(number):
        one, other = rng.sample(THINGS, 2)
        above = (height[one] > height[other]) == (rng.random() < 0.9)  # in one picture of ten it is otherwise
        label = rng.random() < 0.5
        first, second = (one, other) if above == label else (other, one)
        yield f"The {first} is above the {second}.", label, str(picture)


def test_obvious_statements_are_answered_without_the_picture_and_shuffled_labels_are_not():
    texts, labels, pictures = zip(*obvious(1000, random.Random(1)), strict=True)
    assert 0.8 < blind_accuracy(texts, labels, pictures) <= 0.92  # the share that follows from the words is 0.9
    shuffled = random.Random(2).sample(labels, len(labels))
    assert abs(blind_accuracy(texts, shuffled, pictures) - 0.5) < 0.05


def test_the_statements_of_a_picture_are_held_out_together():
    """Otherwise, equal statements about one picture would give the labels away."""
    rng = random.Random(3)
    rows = [
        (f"picture {n} shows this", label, str(n))
        for n in range(60)
        for label in [rng.random() < 0.5]
        for _ in "abcdefgh"
    ]
    assert blind_accuracy(*zip(*rows, strict=True)) < 0.65
    apart = [(text, label, f"{picture} {place}") for place, (text, label, picture) in enumerate(rows)]
    assert blind_accuracy(*zip(*apart, strict=True)) > 0.8


@pytest.mark.parametrize("pictures", [["a"], ["a", "a", "a"]])
def test_one_picture_has_nothing_to_learn_from(pictures):
    assert blind_accuracy(["", "!", "a"][: len(pictures)], [True, False, True][: len(pictures)], pictures) >= 0.5


def test_a_sample_is_bounded_and_follows_from_the_seed(monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 50)

    def taken(seed, number):
        sample = BlindSample(seed)
        for place in range(number):
            sample.add(f"{place}", place % 2 == 0, f"{place}")
        return sample

    assert [len(taken(0, number)) for number in (3, 50, 500)] == [3, 50, 50]
    assert sorted(taken(0, 500)._heap) == sorted(taken(0, 500)._heap) != sorted(taken(1, 500)._heap)
