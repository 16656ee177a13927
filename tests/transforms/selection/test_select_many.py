"""Many pairs at once are selected from as one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.records import Box, Grounding, Pair, Phrase
from transforms.selection.select_boxes import in_record_order, select
from transforms.selection.select_many import Candidates, rank_within, select_many
from transforms.settings import SelectionSettings

PHRASES = (Phrase(0, 5, 2, 5, 0, 27), Phrase(9, 16, 11, 16, 9, 27), Phrase(0, 7, 2, 7, 0, 27))
SHARES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32))
BOXES = st.builds(Box, st.integers(0, 2), SHARES, SHARES, SHARES, SHARES, SHARES)
CAPS = st.sampled_from([None, 1, 2])


def columns(pairs: list[list[Box]]) -> Candidates:
    boxes = [box for found in pairs for box in found]
    spans = [PHRASES[box.phrase] for box in boxes]
    return Candidates(
        np.repeat(np.arange(len(pairs)), [len(found) for found in pairs]),
        np.array([box.phrase for box in boxes], int),
        np.array([phrase.start for phrase in spans], int),
        np.array([phrase.end for phrase in spans], int),
        np.array([box.corners for box in boxes], float).reshape(-1, 4).T,
        np.array([box.score for box in boxes], float),
    )


@given(
    st.lists(st.lists(BOXES, max_size=30), max_size=4),
    st.builds(
        SelectionSettings,
        nms_iou=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
        min_side=st.sampled_from([0.0, 0.1]),
        min_area=st.sampled_from([0.0, 0.05]),
        max_area=st.sampled_from([0.5, 1.0]),
        boxes_per_phrase=CAPS,
        boxes_per_pair=CAPS,
    ),
    st.sampled_from([0.0, 0.25, 0.5]),
)
def test_the_same_boxes_as_pair_by_pair(pairs: list[list[Box]], settings: SelectionSettings, score: float) -> None:
    """Also of boxes without an area, of equal ones, and of those whose corners are the wrong way round."""
    pairs = [found + found[:3] for found in pairs]
    every = [box for found in pairs for box in found]
    boxes = columns(pairs)
    kept = select_many(boxes, settings, score)
    for number, found in enumerate(pairs):
        chosen = [every[at] for at in kept if boxes.pair[at] == number]
        assert [box.score for box in chosen] == sorted((box.score for box in chosen), reverse=True)
        groundings = in_record_order(Grounding(PHRASES[box.phrase], box) for box in chosen)
        assert groundings == select(Pair("k", "s", 0, "", phrases=PHRASES, boxes=tuple(found)), settings, score)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2))))
def test_an_item_s_place_is_the_number_of_equal_ones_before_it(items: list[tuple[int, int]]) -> None:
    first, second = np.array(items, int).reshape(-1, 2).T
    assert rank_within(first, second).tolist() == [items[:at].count(item) for at, item in enumerate(items)]
