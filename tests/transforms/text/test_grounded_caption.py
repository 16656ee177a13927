from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.records import Box, Grounding, Phrase
from transforms.text.grounded_caption import Span, choose_spans


def grounding(start, end, expression_start, expression_end, score=0.9, left=0.0):
    phrase = Phrase(start, end, end - 1, end, expression_start, expression_end)
    return Grounding(phrase, Box(0, left, 0.0, left + 0.5, 0.5, score))


@st.composite
def groundings(draw):
    left, start = sorted((draw(st.integers(0, 11)), draw(st.integers(0, 11))))
    end, right = sorted((draw(st.integers(start + 1, 14)), draw(st.integers(start + 1, 14))))
    return grounding(start, end, left, right, draw(st.integers(0, 4)) / 4, draw(st.integers(0, 4)) / 10)


def ranges(chosen):
    return [(span.start, span.end) for span in chosen]


def disjoint(ranges):
    return all(a[1] <= b[0] for a, b in zip(sorted(ranges), sorted(ranges)[1:], strict=False))


@given(st.lists(groundings(), max_size=7), st.sampled_from(["longest", "densest"]))
def test_spans_are_disjoint_in_text_order_and_carry_exactly_their_boxes(found, policy):
    chosen = choose_spans(found, policy)
    assert ranges(chosen) == sorted(ranges(chosen))
    assert disjoint(ranges(chosen))
    for span in chosen:
        owners = [g for g in found if (span.start, span.end) == (g.phrase.expression_start, g.phrase.expression_end)]
        if policy == "densest":
            owners += [g for g in found if (span.start, span.end) == (g.phrase.start, g.phrase.end)]
        best_first = sorted(set(owners), key=lambda g: (-g.box.score, g.box.corners))
        assert list(span.boxes) == [g.box.corners for g in best_first]
        assert span.boxes


def test_only_equal_boxes_of_equal_phrases_are_one_box():
    """As for a pair with a phrase twice and `nms_iou: 1`. The chunk is its own expression, so it comes twice."""
    found = grounding(0, 5, 0, 5)
    others = [
        replace(found, box=replace(found.box, phrase=1)),
        replace(found, phrase=replace(found.phrase, head_end=4)),
    ]
    (span,) = choose_spans([found, *others, found], "densest")
    assert span.boxes == (found.box.corners,) * 3


@given(st.lists(groundings(), max_size=7))
def test_longest_leaves_an_expression_out_only_for_one_as_long_that_overlaps_it(found):
    chosen = ranges(choose_spans(found, "longest"))
    for g in found:
        start, end = g.phrase.expression_start, g.phrase.expression_end
        if (start, end) not in chosen:
            rivals = [(a, b) for a, b in chosen if a < end and start < b]
            assert any(b - a >= end - start for a, b in rivals)


@given(st.lists(groundings(), max_size=5))
def test_densest_has_as_many_spans_as_can_be(found):
    everything = {(g.phrase.start, g.phrase.end) for g in found}
    everything |= {(g.phrase.expression_start, g.phrase.expression_end) for g in found}
    most = max(
        size
        for size in range(len(everything) + 1)
        if size == 0 or any(disjoint(some) for some in combinations(everything, size))
    )
    assert len(choose_spans(found, "densest")) == most


@given(st.lists(groundings(), max_size=6), st.sampled_from(["longest", "densest"]), st.randoms())
def test_spans_do_not_depend_on_the_order_of_the_rows(found, policy, random):
    shuffled = list(found)
    random.shuffle(shuffled)
    assert choose_spans(shuffled, policy) == choose_spans(found, policy)


# "a dog in a field of flowers": (0, 5), (9, 16), (20, 27)
DOG, FIELD = grounding(0, 5, 0, 27, 0.8), grounding(9, 16, 9, 27, 0.9)


def test_longest_is_kosmos_and_densest_is_qwens_choice():
    assert ranges(choose_spans([DOG, FIELD], "longest")) == [(0, 27)]
    assert ranges(choose_spans([DOG, FIELD], "densest")) == [(0, 5), (9, 16)]


def test_a_contained_expression_gives_its_boxes_to_nobody():
    (span,) = choose_spans([DOG, FIELD], "longest")
    assert span.boxes == (DOG.box.corners,)


def test_several_boxes_of_one_span_come_best_first():
    found = [grounding(0, 5, 0, 5, 0.5, 0.1), grounding(0, 5, 0, 5, 0.9, 0.3), grounding(0, 5, 0, 5, 0.7, 0.2)]
    for policy in ("longest", "densest"):
        (span,) = choose_spans(found, policy)
        assert [box[0] for box in span.boxes] == [0.3, 0.2, 0.1]


def test_of_two_that_overlap_in_part_the_longer_stays():
    assert ranges(choose_spans([grounding(0, 5, 0, 10), grounding(12, 14, 8, 20)], "longest")) == [(8, 20)]


def test_spans_that_touch_are_disjoint():
    assert ranges(choose_spans([grounding(0, 5, 0, 5), grounding(5, 9, 5, 9)], "longest")) == [(0, 5), (5, 9)]


def test_no_grounding_no_span():
    assert choose_spans([], "longest") == choose_spans([], "densest") == ()


def test_spans_are_plain_values():
    assert choose_spans([DOG], "longest") == (Span(0, 27, (DOG.box.corners,)),)
    with pytest.raises(AttributeError):
        choose_spans([DOG], "longest")[0].start = 3
