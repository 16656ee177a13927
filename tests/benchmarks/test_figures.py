import importlib
import inspect

import pytest

from benchmarks import inputs
from benchmarks.__main__ import PARTS
from benchmarks.figures import Figure, in_turn, markdown, ratio
from transforms.images import measure


def test_ways_take_their_turn_after_a_round_that_does_not_count():
    called, now = [], iter(range(100))
    seconds = in_turn({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, 2, lambda: next(now))
    assert called == ["a", "b"] * 3
    assert seconds == {"a": [1, 1], "b": [1, 1]}


def test_a_ratio_compares_within_a_round():
    assert ratio([2, 30, 4], [1, 10, 4]) == "2.00 (1.00 to 3.00)"


def test_the_table_names_each_part_once():
    figures = [Figure("Pack", "a", "1"), Figure("Pack", "b", "2", "3", "4"), Figure("Start", "c", "5")]
    assert markdown(figures).splitlines()[2:] == [
        "| **Pack** | | | |",
        "| a | 1 |  |  |",
        "| b | 2 | 3 | 4 |",
        "| **Start** | | | |",
        "| c | 5 |  |  |",
    ]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_measures_in_a_folder_with_or_without_photos(part):
    parameters = inspect.signature(importlib.import_module(f"benchmarks.{part}").measure).parameters
    assert len(parameters) == 2


def test_pictures_of_ones_own_and_bundled_scenes():
    drawn = inputs.photos(None, 2)
    assert [measure(picture.data) for picture in drawn] == [(640, 480)] * 2
    assert drawn[0].data != drawn[1].data
    assert all(len(picture.captions) == 5 and inputs.is_wide(picture) for picture in drawn)
    assert len(inputs.scenes(130)) == 130
    assert inputs.scenes(130)[0] == inputs.scenes(130)[100]
