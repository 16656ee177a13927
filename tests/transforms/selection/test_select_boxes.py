import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transforms.records import Box, Grounding, Pair, Phrase
from transforms.selection.select_boxes import (
    Candidates,
    area,
    corner_rows,
    dropped_groups,
    in_record_order,
    ious,
    rank_within,
    select,
    select_many,
    suppress,
)
from transforms.settings import SelectionSettings

ALL = SelectionSettings(nms_iou=1.0)

DOG, FIELD, FLOWERS = Phrase(0, 5, 2, 5, 0, 27), Phrase(9, 16, 11, 16, 9, 27), Phrase(20, 27, 20, 27, 20, 27)

GRID = 8


@st.composite
def boxes(draw, phrases=3):
    """Draws a box on a small grid, so that equal corners, equal boxes and touching edges are frequent."""
    x1, y1 = draw(st.integers(0, GRID - 1)), draw(st.integers(0, GRID - 1))
    x2, y2 = draw(st.integers(x1 + 1, GRID)), draw(st.integers(y1 + 1, GRID))
    score = draw(st.integers(0, 10)) / 10
    return Box(draw(st.integers(0, phrases - 1)), x1 / GRID, y1 / GRID, x2 / GRID, y2 / GRID, score)


def cells(box):
    x1, y1, x2, y2 = (round(c * GRID) for c in box.corners)
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


def iou(a, b):
    return ious([a.corners], [b.corners]).item()


def pair(*found):
    return Pair("k", "s", 0, "a dog in a field of flowers", phrases=(DOG, FIELD, FLOWERS), boxes=found)


def ranked(found):
    return sorted(found, key=lambda box: -box.score)


@given(boxes(), boxes())
def test_iou_counts_cells(a, b):
    expected = len(cells(a) & cells(b)) / len(cells(a) | cells(b))
    assert iou(a, b) == pytest.approx(expected)
    assert iou(a, b) == iou(b, a)


unit = st.floats(0, 1)


@given(unit, unit, unit, unit, unit, unit, unit, unit)
@example(0.0, 0.0, 0.5, 5e-324, 0.0, 0.0, 0.5, 5e-324)  # areas that round to 0
def test_iou_lies_in_zero_to_one_for_any_corners(a, b, c, d, e, f, g, h):
    one = Box(0, min(a, c), min(b, d), max(a, c), max(b, d), 0.5)
    other = Box(0, min(e, g), min(f, h), max(e, g), max(f, h), 0.5)
    assert 0 <= iou(one, other) <= 1 + 1e-9


@given(boxes())
def test_a_box_overlaps_itself_in_full(box):
    assert iou(box, box) == pytest.approx(1)
    assert area(*box.corners) == pytest.approx(len(cells(box)) / GRID**2)


def test_the_overlaps_of_each_with_each():
    thing, half, far = (0.0, 0.0, 0.4, 0.4), (0.0, 0.0, 0.4, 0.2), (0.6, 0.6, 1.0, 1.0)
    assert ious([thing, half, far], [thing, half]).tolist() == [[1.0, 0.5], [0.5, 1.0], [0.0, 0.0]]
    assert ious([], [thing]).shape == (0, 1)


def test_boxes_that_touch_do_not_overlap():
    assert iou(Box(0, 0, 0, 0.5, 1, 1), Box(0, 0.5, 0, 1, 1, 1)) == 0


def test_boxes_without_an_area_overlap_nothing_and_divide_nothing_by_zero():
    dot, line, thing = (Box(0, 0.2, 0.2, x, y, 1) for x, y in ((0.2, 0.2), (0.2, 0.6), (0.6, 0.6)))
    with np.errstate(all="raise"):
        assert iou(dot, dot) == iou(line, line) == iou(dot, line) == iou(line, thing) == 0
        assert suppress([dot, dot, line, line, thing, thing], 0.0) == [dot, dot, line, line, thing]


@given(st.lists(boxes(), max_size=12), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_suppression_keeps_what_no_better_kept_box_overlaps(found, threshold):
    order = ranked(found)
    kept = suppress(order, threshold)
    expected = []
    for box in order:
        overlaps = [len(cells(box) & cells(k)) / len(cells(box) | cells(k)) for k in expected]
        if not any(overlap > threshold for overlap in overlaps):
            expected.append(box)
    assert kept == expected
    assert suppress(kept, threshold) == kept


CORNER = st.floats(0, 1, width=32)


@given(
    st.lists(st.builds(Box, st.just(0), CORNER, CORNER, CORNER, CORNER, CORNER), max_size=60),
    st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0]),
)
def test_suppression_on_arrays_keeps_what_it_keeps_one_by_one(found, threshold):
    """Includes boxes without an area, and boxes with swapped corners."""
    found += found[:5]
    assert suppress(found, threshold) == plain_suppress(found, threshold)


def test_ten_thousands_of_boxes_take_no_square_of_memory():
    """A caption of 500 phrases with 30 candidates each: a full matrix of doubles would take 1.8 GB."""
    chance = np.random.default_rng(0)
    corners = chance.random((15_000, 4), np.float32) * 0.1
    found = [Box(0, x, y, 0.2 + x + w, 0.2 + y + h, 0.5) for x, y, w, h in corners.tolist()]
    tracemalloc.start()
    kept = suppress(found, 0.7)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < len(kept) < 1000
    assert peak < 64 << 20


@given(st.lists(boxes(), min_size=1, max_size=12), st.floats(0, 1))
def test_the_best_box_always_stays(found, threshold):
    order = ranked(found)
    assert suppress(order, threshold)[0] == order[0]


def test_an_overlap_equal_to_the_threshold_stays():
    wide, half = Box(0, 0, 0, 1, 1, 0.9), Box(0, 0, 0, 0.5, 1, 0.8)
    assert suppress([wide, half], 0.5) == [wide, half]
    assert suppress([wide, half], 0.49) == [wide]


def test_a_score_equal_to_the_threshold_is_kept():
    low, edge = Box(0, 0, 0, 0.2, 0.2, 0.64999), Box(1, 0.5, 0.5, 0.7, 0.7, 0.65)
    assert [g.box for g in select(pair(low, edge), ALL, 0.65)] == [edge]


def test_suppression_runs_across_phrases():
    dog, field = Box(0, 0, 0, 0.5, 0.5, 0.7), Box(1, 0, 0, 0.5, 0.51, 0.9)
    assert [g.phrase for g in select(pair(dog, field), SelectionSettings(), 0)] == [FIELD]


def test_of_equally_good_boxes_the_earlier_span_wins():
    field, dog = Box(1, 0, 0, 0.5, 0.5, 0.7), Box(0, 0, 0, 0.5, 0.5, 0.7)
    assert [g.phrase for g in select(pair(field, dog), SelectionSettings(), 0)] == [DOG]


def test_grits_own_sample_survives_the_default():
    cover = Box(1, 0.019644069503434333, 0.31054004033406574, 0.9622142865754519, 0.9603442351023356, 0.79298526)
    hanger = Box(0, 0.019422357885505368, 0.027634161214033764, 0.9593302408854166, 0.969467560450236, 0.67520964)
    assert iou(cover, hanger) == pytest.approx(0.688, abs=0.001)
    assert len(select(pair(cover, hanger), SelectionSettings(), 0.65)) == 2


@given(st.lists(boxes(), max_size=12))
def test_the_order_is_span_then_best_first_and_does_not_depend_on_the_input_order(found):
    chosen = select(pair(*found), SelectionSettings(nms_iou=0.5), 0.2)
    keys = [(g.phrase.start, g.phrase.end, -g.box.score) for g in chosen]
    assert keys == sorted(keys)
    assert all(g.phrase == (DOG, FIELD, FLOWERS)[g.box.phrase] for g in chosen)
    assert select(pair(*reversed(found)), SelectionSettings(nms_iou=0.5), 0.2) == chosen


@given(st.lists(boxes(), max_size=12), st.integers(1, 3), st.integers(1, 5))
def test_caps_keep_the_best_boxes(found, per_phrase, per_pair):
    everything = [g.box for g in select(pair(*found), SelectionSettings(nms_iou=0.5), 0)]
    limits = SelectionSettings(nms_iou=0.5, boxes_per_phrase=per_phrase, boxes_per_pair=per_pair)
    chosen = [g.box for g in select(pair(*found), limits, 0)]
    allowed = [b for p in range(3) for b in ranked([b for b in everything if b.phrase == p])[:per_phrase]]
    assert set(chosen) <= set(allowed)
    assert len(chosen) == min(len(allowed), per_pair)
    assert sorted(b.score for b in chosen) == sorted(b.score for b in ranked(allowed)[:per_pair])


@pytest.mark.parametrize(
    ("limits", "stays"),
    [
        ({"min_side": 0.1}, [True, False, True]),
        ({"min_area": 0.05}, [True, False, True]),
        ({"max_area": 0.9}, [True, True, False]),
        ({}, [True, True, True]),
    ],
)
def test_size_limits(limits, stays):
    found = [Box(0, 0, 0, 0.4, 0.4, 0.9), Box(1, 0.5, 0.5, 0.55, 0.9, 0.8), Box(2, 0, 0, 1, 1, 0.7)]
    chosen = [g.box for g in select(pair(*found), SelectionSettings(**limits), 0)]
    assert chosen == [box for box, stay in zip(found, stays, strict=True) if stay]


def test_a_box_that_is_too_small_suppresses_nobody():
    thin, good = Box(0, 0, 0, 0.05, 1, 0.9), Box(1, 0, 0, 0.06, 1, 0.8)
    assert [g.box for g in select(pair(thin, good), SelectionSettings(min_side=0.06), 0)] == [good]


TOGETHER, LEFT, RIGHT = (
    Box(0, 0, 0, 0.8, 0.4, 0.78),
    Box(0, 0, 0, 0.3, 0.4, 0.6),
    Box(0, 0.5, 0, 0.8, 0.4, 0.7),
)


def test_the_box_around_two_things_is_dropped_if_the_settings_say_so():
    found = pair(TOGETHER, LEFT, RIGHT)
    assert [g.box for g in select(found, SelectionSettings(), 0)] == [TOGETHER, RIGHT, LEFT]
    drop = SelectionSettings(groups="drop")
    assert [g.box for g in select(found, drop, 0)] == [RIGHT, LEFT]
    assert (dropped_groups(found, drop), dropped_groups(found, SelectionSettings())) == ({0}, set())


def test_the_threshold_does_not_bring_a_group_box_back():
    """Otherwise a higher threshold would keep boxes that a lower one does not."""
    found = pair(TOGETHER, LEFT, RIGHT)
    for threshold, kept in ((0.65, [RIGHT]), (0.75, [])):
        assert [g.box for g in select(found, SelectionSettings(groups="drop"), threshold)] == kept


def test_a_group_box_is_dropped_after_suppression_and_before_the_caps():
    other = Box(1, 0.02, 0, 0.8, 0.4, 0.75)  # of another phrase, and nearly the same as the group box
    caps = SelectionSettings(groups="drop", boxes_per_phrase=1)
    assert [g.box for g in select(pair(TOGETHER, LEFT, RIGHT, other), caps, 0)] == [RIGHT]


# A simple selection, pair by pair and box by box. The selection on arrays must agree with it to the bit.


def plain_iou(a, b):
    width, height = min(a.x2, b.x2) - max(a.x1, b.x1), min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    union = (a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - shared
    return shared / union if union > 0 else 0.0


def plain_suppress(found, threshold):
    kept = []
    for box in found:
        if all(plain_iou(box, other) <= threshold for other in kept):
            kept.append(box)
    return kept


def plain_select(found, settings, threshold):
    def fits(box):
        wide, high = box.x2 - box.x1, box.y2 - box.y1
        return min(wide, high) >= settings.min_side and settings.min_area <= wide * high <= settings.max_area

    def rank(box):
        return -box.score, PHRASES[box.phrase].start, PHRASES[box.phrase].end, box.corners

    def covers(box, other):
        width = max(min(box.x2, other.x2) - max(box.x1, other.x1), 0)
        height = max(min(box.y2, other.y2) - max(box.y1, other.y1), 0)
        small, large = area(*other.corners), area(*box.corners)
        return other.phrase == box.phrase and small < large and width * height >= 0.8 * small

    def is_group(box, everything):
        return sum(covers(box, other) and other.score >= 0.75 * box.score for other in everything) >= 2

    kept, counts = [], Counter()
    left = plain_suppress(sorted(filter(fits, found), key=rank), settings.nms_iou)
    for box in left:
        if box.score < threshold or (settings.groups == "drop" and is_group(box, left)):
            continue
        counts[box.phrase] += 1
        if settings.boxes_per_phrase is None or counts[box.phrase] <= settings.boxes_per_phrase:
            kept.append(box)
    return kept[: settings.boxes_per_pair]


PHRASES = (Phrase(0, 5, 2, 5, 0, 27), Phrase(9, 16, 11, 16, 9, 27), Phrase(0, 7, 2, 7, 0, 27))
SHARES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32))
BOXES = st.builds(Box, st.integers(0, 2), SHARES, SHARES, SHARES, SHARES, SHARES)
CAPS = st.sampled_from([None, 1, 2])


def columns(pairs):
    boxes = [box for found in pairs for box in found]
    spans = [PHRASES[box.phrase] for box in boxes]
    return Candidates(
        np.repeat(np.arange(len(pairs)), [len(found) for found in pairs]),
        np.array([box.phrase for box in boxes], int),
        np.array([phrase.start for phrase in spans], int),
        np.array([phrase.end for phrase in spans], int),
        corner_rows([box.corners for box in boxes]),
        np.array([box.score for box in boxes], float),
        np.zeros(len(boxes), bool),
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
        groups=st.sampled_from(["keep", "drop"]),
    ),
    st.sampled_from([0.0, 0.25, 0.5]),
)
def test_arrays_give_what_plain_words_say(pairs, settings, score):
    """Includes boxes without an area, equal boxes, and boxes with swapped corners."""
    pairs = [found + found[:3] for found in pairs]
    every = [box for found in pairs for box in found]
    boxes = columns(pairs)
    kept = select_many(boxes, settings, score)
    for number, found in enumerate(pairs):
        chosen = plain_select(found, settings, score)
        assert [every[at] for at in kept if boxes.pair[at] == number] == chosen
        groundings = in_record_order(Grounding(PHRASES[box.phrase], box) for box in chosen)
        assert select(Pair("k", "s", 0, "", phrases=PHRASES, boxes=tuple(found)), settings, score) == groundings


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2))))
def test_an_item_s_place_is_the_number_of_equal_ones_before_it(items):
    first, second = np.array(items, int).reshape(-1, 2).T
    assert rank_within(first, second).tolist() == [items[:at].count(item) for at, item in enumerate(items)]
