"""The trials of the threshold without labels: truth, disturbances, draws."""

import numpy as np
import pytest

import gritmill
from tests import sample_pairs
from training.threshold_trials import clicks, trials
from training.threshold_trials.recorded import NO_THING, Candidates, Recorded, has_decoys, read_run
from training.threshold_trials.trials import (
    NUMBER_F1,
    comparison,
    draw,
    markdown,
    right_boxes,
    run_trials,
    subset,
    true_f1,
)
from training.threshold_trials.weakened import DISTURBANCES, WEAK, Weakness, weaken
from transforms import bundled

PERFECT = Weakness(1.0, 0.0, 0.0, 0.0, 0.0, (0.0, 1.0))


def candidates(rows):
    """rows: score, owner, x, thing. All boxes are squares in one row."""
    score, owner, x, thing = np.array(rows, float).reshape(-1, 4).T
    corners = np.array((x, 0 * x, x + 0.04, 0 * x + 0.1))
    return Candidates(score, owner.astype(int), corners, thing.astype(int))


def scenes(pictures=40):
    """Each has "two dogs" with two boxes, "a cat" with one, and "a cow" that is absent; two decoys as weak as the cow.
    Every other picture has "cats" with two boxes in place of the cat."""
    boxes, decoys = [], []
    for n in range(pictures):
        first = 3 * n
        boxes += [(0.9, first, 0.0, 0), (0.8, first, 0.1, 1), (0.7, first + 1, 0.2, 0)]
        boxes += [(0.65, first + 1, 0.3, 1) if n % 2 else (0.04, first + 1, 0.3, NO_THING)]
        boxes += [(0.03, first + 2, 0.4, NO_THING)]
        decoys += [(0.03, 2 * n, 0.5, NO_THING), (0.03, 2 * n + 1, 0.6, NO_THING)]
    hull = np.tile([[0.0], [0.0], [0.14], [0.1]], 3 * pictures)
    return Recorded(
        np.tile([2, 1, 1, 2, 0, 1], pictures // 2),
        np.tile([True, False, False], pictures),
        np.repeat(np.arange(pictures), 3),
        np.tile([2, 1, 0, 2, 2, 0], pictures // 2),
        hull,
        candidates(boxes),
        np.repeat(np.arange(pictures), 2),
        candidates(decoys),
        pictures,
    )


def test_the_true_f1_takes_the_best_box_on_a_thing():
    boxes = candidates([(0.9, 0, 0, 0), (0.8, 0, 0, 0), (0.7, 0, 0, 1), (0.6, 1, 0, NO_THING), (0.5, 2, 0, 0)])
    f1 = true_f1(boxes, right_boxes(boxes), 4, np.array([0.5, 0.6, 0.75, 0.95]))
    assert f1 == pytest.approx([2 * 3 / 9, 2 * 2 / 8, 2 * 1 / 6, 0])


def test_a_draw_of_a_perfect_detector_loses_nothing():
    one = draw(scenes(), PERFECT, DISTURBANCES["none"], 30, np.random.default_rng(0))
    assert one.losses[NUMBER_F1] == 0
    assert 0.04 < one.thresholds[NUMBER_F1] <= 0.65
    assert one.absent[0] == pytest.approx(one.absent[1])


def test_a_subset_has_its_own_numbers():
    part = subset(scenes(), np.array([7, 3]))
    assert part.picture.tolist() == [1, 1, 1, 0, 0, 0]
    assert (part.pictures, len(part.number), len(part.decoy_picture)) == (2, 6, 4)
    assert np.bincount(part.boxes.owner).tolist() == [2, 2, 1] * 2
    assert part.decoy_boxes.owner.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_leaves_valid_boxes_and_numbers(name):
    whole = scenes()
    run = DISTURBANCES[name](whole, np.random.default_rng(1))
    for boxes, owners in ((run.boxes, len(run.number)), (run.decoy_boxes, len(run.decoy_picture))):
        assert len(boxes.score) == len(boxes.owner) == len(boxes.thing) == boxes.corners.shape[1] > 0
        assert ((boxes.score >= 0) & (boxes.score <= 1)).all()
        assert (boxes.owner < owners).all()
        assert (boxes.corners[2:] > boxes.corners[:2]).all()
    assert (run.number >= 0).all()
    assert (run.number[~run.exact] <= 1).all()
    changed = [
        not np.array_equal(run.number, whole.number),
        not np.array_equal(run.boxes.score, whole.boxes.score),
        not np.array_equal(run.decoy_boxes.score, whole.decoy_boxes.score),
    ]
    assert any(changed) == (name != "none")


def test_a_fifth_of_the_exact_counts_and_two_fifths_of_the_decoys_change():
    whole = scenes(1000)
    counts = DISTURBANCES["20 % wrong counts"](whole, np.random.default_rng(2))
    changed = counts.number != whole.number
    assert not changed[~whole.exact].any()
    assert 0.15 < changed[whole.exact].mean() < 0.25
    there = DISTURBANCES["40 % of the decoys are there"](whole, np.random.default_rng(2))
    found = np.unique(there.decoy_boxes.owner[there.decoy_boxes.thing != NO_THING])
    assert 0.35 < len(found) / 2000 < 0.45


def test_a_weak_detector_misses_and_adds():
    whole = scenes(1000)
    weakness = Weakness(1.0, 0.0, 0.0, 0.5, 1.0, (-9.0, 0.1))
    boxes = weaken(whole.boxes, len(whole.number), weakness, np.random.default_rng(3))
    added = boxes.score < 0.001
    assert 2800 < added.sum() < 3200
    fallen = boxes.score[: len(whole.boxes.score)] < whole.boxes.score - 1e-9
    assert not fallen[whole.boxes.thing == NO_THING].any()
    assert 0.45 < fallen[whole.boxes.thing != NO_THING].mean() < 0.55


def test_the_tables_have_a_cell_for_each_detector():
    results = run_trials(scenes(), 2, 20, 0)
    rows = markdown(results).splitlines()
    assert len(rows) == 2 + len(DISTURBANCES)
    assert {row.count("|") for row in rows} == {2 + len(WEAK)}
    assert {row.count("|") for row in comparison(results).splitlines()} == {2 + len(trials.ESTIMATORS)}
    assert results == run_trials(scenes(), 2, 20, 0)


def test_a_run_is_read_with_its_truth(tmp_path, parser):
    config = sample_pairs.settings(parser, "tests.plugin_detectors:everywhere", decoys={"number": 2})
    config["phrases"] = {}  # the tiny parser reads no scenes
    gritmill.ground(config, inputs=bundled.folder("examples") / "scenes", output=tmp_path / "out", limit=12)
    assert has_decoys(str(tmp_path / "out"))
    run = read_run(str(tmp_path / "out"))
    assert run.pictures == 12
    assert (run.things > 0).sum() > 24
    assert ((run.number >= 1) & run.exact).any()
    assert len(run.boxes.score) == len(run.number)
    assert run.hull[:, run.things > 0].max() > 0
    assert len(run.decoy_picture) > 12
    assert run.decoy_boxes.owner.max() < len(run.decoy_picture)


@pytest.mark.parametrize("case", clicks.CASES)
def test_answers_about_a_perfect_detector_lose_nothing(monkeypatch, case):
    monkeypatch.setattr(clicks, "DETECTORS", {"perfect": PERFECT})
    results = {case: clicks.run_trials([scenes(200)], 2, case, 60, 0)}
    assert clicks.table(results).count("\n") == 2
    for one in results[case]["perfect"]:
        assert one.loss < (0.03 if case == "none" else 0.3)
        assert len(one.covered) == len(one.width) == len(clicks.AT)
    if case == "none":
        assert results == {case: clicks.run_trials([scenes(200)], 2, case, 60, 0)}
        assert all(all(one.covered) for one in results[case]["perfect"])
