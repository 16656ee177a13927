import importlib
import inspect
from pathlib import Path

import pytest

from benchmarks import inputs, rivals, text
from benchmarks.__main__ import PARTS
from benchmarks.figures import Figure, interleaved_seconds, markdown, ratio
from transforms.detectors.base import Request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.settings import DetectorSettings
from transforms.images import decode, measure
from transforms.selection.select_boxes import ious


def test_ways_take_their_turn_after_a_round_that_does_not_count():
    called, now = [], iter(range(100))
    seconds = interleaved_seconds(
        {"a": lambda: called.append("a"), "b": lambda: called.append("b")}, 2, lambda: next(now)
    )
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
def test_every_part_can_be_called(part):
    inspect.signature(importlib.import_module(f"benchmarks.{part}").measure).bind(Path("work"), None)


def test_a_part_measures(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "_CAPTIONS", 40)
    monkeypatch.setattr(text, "_ROUNDS", 1)
    figures = text.measure(tmp_path, None)
    assert [figure.part for figure in figures] == ["Text", "Text"]
    assert all(float(figure.value.split()[0]) > 0 for figure in figures)


@pytest.mark.slow
def test_the_script_finds_what_ground_finds():
    """Without this, comparing the speeds is meaningless. The script uses no canvas, so boxes move by a few percent."""
    script = rivals.Script("scene-grounder")
    detector = GroundingDino.load(DetectorSettings(model="scene-grounder", device="cpu", forward="stock"))
    compared = 0
    for photo in inputs.scenes(6):
        phrases = script.phrases(photo.captions[0])
        theirs = script.boxes(decode(photo.data), phrases)
        (ours,) = detector.detect([Request(photo.data, *measure(photo.data), tuple(phrases))])
        for number in range(len(phrases)):
            best = max((box for box in ours.boxes if box.phrase == number), key=lambda box: box.score, default=None)
            if best is None or best.score < 0.5:
                continue
            others = [
                (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                for phrase, x, y, w, h, score in theirs
                if phrase == number and score > 0.2
            ]
            assert ious([best.corners], others).max() > 0.6
            compared += 1
    assert compared > 6


def test_pictures_of_ones_own_and_bundled_scenes():
    drawn = inputs.photos(None, 2)
    assert [measure(picture.data) for picture in drawn] == [(640, 480)] * 2
    assert drawn[0].data != drawn[1].data
    assert all(len(picture.captions) == 5 and inputs.is_wide(picture) for picture in drawn)
    assert len(inputs.scenes(130)) == 130
    assert inputs.scenes(130)[0] == inputs.scenes(130)[100]
