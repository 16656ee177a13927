"""Which boxes are asked about."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gritmill.clicks.spread import spread

BOX = st.tuples(st.floats(0, 1), st.floats(0.01, 100), st.integers(0, 9))


@given(st.lists(BOX, max_size=60), st.integers(1, 80), st.integers(0, 1 << 40))
def test_each_box_once_and_each_image_before_a_second_one(boxes, number, seed):
    score, weight, picture = np.array(boxes, float).reshape(-1, 3).T
    chosen = spread(score, weight, picture.astype(int), number, seed)
    assert len(chosen) == len(set(chosen.tolist())) == min(number, len(boxes))
    pictures = picture[chosen].tolist()
    first = pictures[: len(set(picture.tolist()))]
    assert len(set(first)) == len(first)
    assert np.array_equal(chosen, spread(score, weight, picture.astype(int), number, seed))


def test_also_the_first_ones_are_spread_over_scores_that_few_boxes_have():
    rng = np.random.default_rng(0)
    score = np.concatenate((rng.uniform(0, 0.2, 9000), rng.uniform(0.2, 1, 1000)))
    for seed in range(5):
        chosen = spread(score, np.ones(len(score)), np.arange(len(score)), 100, seed)
        for part in (chosen[:20], chosen):
            low = (score[part] < 0.2).mean()
            assert 0.45 < low < 0.65  # half of 90 % of the boxes, and half of 4 of 20 bins
            counts, _ = np.histogram(score[part], 5, (0, 1))
            assert counts.min() >= len(part) // 20


def test_heavy_boxes_are_chosen_more_often_than_light_ones_of_their_score():
    weight = np.tile([1.0, 5.0], 2000)
    score = np.repeat(np.linspace(0, 1, 2000), 2)
    heavy = [weight[spread(score, weight, np.arange(4000), 100, seed)] > 1 for seed in range(20)]
    assert 0.80 < np.mean(heavy) < 0.87  # five of six


def test_another_seed_chooses_others():
    score = np.linspace(0, 1, 1000)
    one, other = (set(spread(score, np.ones(1000), np.arange(1000), 100, seed).tolist()) for seed in (1, 2))
    assert len(one & other) < 70
