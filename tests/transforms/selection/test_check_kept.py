from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.claims.verdicts import Verdict
from transforms.records import Box, Claim, ClaimKind, Grounding, Pair, Phrase
from transforms.selection.check_kept import SelectedPair, check_many, check_pair
from transforms.selection.select_boxes import Candidates, candidates_of, select, suppress
from transforms.settings import SelectionSettings

S, C, U = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.UNDECIDED

CAPTION = "two dogs, a cup and no cat"
DOGS, CUP, CAT = Phrase(0, 8, 4, 8, 0, 8), Phrase(10, 15, 12, 15, 10, 15), Phrase(20, 26, 23, 26, 20, 26)

LEFT, RIGHT = (0.0, 0.0, 0.2, 0.5), (0.5, 0.0, 0.7, 0.5)

TWO_DOGS = Claim(ClaimKind.COUNT, 0, 3, 0, 8, "exactly", 2)
NO_CAT = Claim(ClaimKind.COUNT, 20, 22, 20, 26, "none")
LEFT_OF = Claim(ClaimKind.RELATION, 9, 10, 0, 8, "left_of", objects=(10, 15))


def pair(*boxes, claims=(TWO_DOGS,), phrases=(DOGS, CUP, CAT), cut=0):
    return Pair("k", "s", 0, CAPTION, phrases=phrases, boxes=boxes, boxes_cut=cut, claims=claims, width=64, height=64)


def check(one, threshold=0.5, **settings):
    selection = SelectionSettings(**settings)
    return check_pair(one, select(one, selection, threshold), selection, threshold)


def verdicts(one, threshold=0.5, **settings):
    return [checked.verdict for checked in check(one, threshold, **settings)]


def dog(corners, score):
    return Box(0, *corners, score)


def test_candidates_below_the_threshold_leave_a_count_undecided():
    assert verdicts(pair(dog(LEFT, 0.9), dog(RIGHT, 0.8))) == [S]
    assert verdicts(pair(dog(LEFT, 0.9), dog(RIGHT, 0.1))) == [U]
    assert verdicts(pair(dog(LEFT, 0.9))) == [C]
    assert verdicts(pair()) == [C]


def test_a_candidate_that_is_the_same_thing_again_is_no_second_thing():
    again = (0.0, 0.0, 0.2, 0.49)
    (checked,) = check(pair(dog(LEFT, 0.9), dog(again, 0.1)))
    assert (checked.verdict, checked.measured) == (C, {"boxes": 1, "groups": 0, "at_floor": 1})


def test_the_boxes_of_other_phrases_hide_no_candidate():
    (checked,) = check(pair(dog(LEFT, 0.9), Box(1, *RIGHT, 0.8), dog(RIGHT, 0.7)))
    assert (checked.verdict, checked.measured) == (U, {"boxes": 1, "groups": 0, "at_floor": 2})


def test_size_limits_hide_no_candidate():
    assert verdicts(pair(dog(LEFT, 0.9), dog((0.5, 0.5, 0.51, 0.51), 0.8)), min_side=0.1) == [U]


def test_boxes_do_not_decide_that_a_thing_is_not_there():
    assert verdicts(pair(claims=(NO_CAT,), phrases=(DOGS, CUP))) == [U]
    assert verdicts(pair(dog(LEFT, 0.9), claims=(NO_CAT,), phrases=(DOGS, CUP))) == [U]


def test_the_limits_of_the_selection_hide_boxes_of_an_exact_count_only():
    three = [dog(LEFT, 0.9), dog(RIGHT, 0.8), dog((0.8, 0.0, 1.0, 0.5), 0.7)]
    assert verdicts(pair(*three)) == [C]
    assert verdicts(pair(*three), boxes_per_phrase=2) == [U]
    assert verdicts(pair(*three), boxes_per_pair=2) == [U]
    assert verdicts(pair(*three), boxes_per_phrase=1) == [U]
    assert verdicts(pair(*three[:2]), boxes_per_phrase=3) == [S]


def test_the_limit_of_candidates_hides_things_of_the_phrases_with_the_most():
    assert verdicts(pair(dog(LEFT, 0.9), cut=3)) == [U]
    cups = [Box(1, 0.1 * n, 0.6, 0.1 * n + 0.1, 0.7, 0.9) for n in range(2)]
    assert verdicts(pair(dog(LEFT, 0.9), *cups, cut=3)) == [C]


def test_the_limit_of_candidates_hides_boxes_if_all_candidates_are_above_the_threshold():
    assert verdicts(pair(dog(LEFT, 0.9), dog(RIGHT, 0.8), cut=3)) == [U]
    assert verdicts(pair(dog(LEFT, 0.9), dog(RIGHT, 0.8), dog((0.8, 0.0, 1.0, 0.5), 0.1), cut=3)) == [S]


def test_relations_use_the_kept_boxes():
    claims = (LEFT_OF, Claim(ClaimKind.RELATION, 0, 0, 10, 15, "left_of", objects=(0, 8)))
    boxes = (dog(LEFT, 0.9), Box(1, *RIGHT, 0.8), Box(1, 0.0, 0.6, 0.1, 0.9, 0.1))
    assert verdicts(pair(*boxes, claims=claims)) == [S, C]
    assert verdicts(pair(*boxes, claims=claims), 0.85) == [U, U]


def test_phrases_of_one_span_share_their_boxes():
    boxes = (dog(LEFT, 0.9), Box(1, *RIGHT, 0.8))
    assert verdicts(pair(*boxes, phrases=(DOGS, DOGS))) == [S]


def test_phrases_of_one_span_share_their_candidates():
    weak = Box(1, *RIGHT, 0.1)
    assert verdicts(pair(dog(LEFT, 0.9), weak, phrases=(DOGS, DOGS))) == [U]
    assert verdicts(pair(weak, phrases=(DOGS, DOGS))) == [C]
    one_dog = Claim(ClaimKind.COUNT, 0, 3, 0, 8, "at_least", 1)
    assert verdicts(pair(weak, phrases=(DOGS, DOGS), claims=(one_dog,))) == [U]


def test_a_pair_without_claims_has_no_verdicts():
    assert verdicts(pair(dog(LEFT, 0.9), claims=())) == []


SHARES = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.625])


@st.composite
def pairs(draw):
    boxes = [
        Box(draw(st.integers(0, 2)), x, y, x + draw(SHARES) / 2 + 0.0625, y + draw(SHARES) / 2 + 0.0625, score)
        for x, y, score in draw(st.lists(st.tuples(SHARES, SHARES, st.sampled_from([0.1, 0.5, 0.6, 0.9])), max_size=8))
    ]
    claims = draw(st.lists(st.sampled_from([TWO_DOGS, NO_CAT, LEFT_OF]), max_size=3))
    return pair(*boxes, claims=tuple(claims), cut=draw(st.integers(0, 1)))


SETTINGS = st.builds(
    SelectionSettings,
    nms_iou=st.sampled_from([0.3, 0.7]),
    boxes_per_phrase=st.sampled_from([None, 1, 2]),
    boxes_per_pair=st.sampled_from([None, 2]),
    groups=st.sampled_from(["keep", "drop"]),
)


def joined(parts):
    """The candidates of several pairs as one."""
    found = {name: [getattr(part, name) for part in parts] for name in (field.name for field in fields(Candidates))}
    found["pair"] = [np.full(part.size, number) for number, part in enumerate(found["pair"])]
    return Candidates(**{name: np.concatenate(some, axis=-1) for name, some in found.items()})


@given(st.lists(pairs(), min_size=1, max_size=4), SETTINGS)
def test_many_pairs_are_checked_as_each_one_is(some, settings):
    kept = [SelectedPair(number, one, select(one, settings, 0.5)) for number, one in enumerate(some)]
    found = check_many(kept, joined([candidates_of(one) for one in some]), settings, 0.5)
    assert found == [check_pair(one.pair, one.groundings, settings, 0.5) for one in kept]
    assert check_many(kept[::2], joined([candidates_of(one) for one in some]), settings, 0.5) == found[::2]


@given(pairs(), SETTINGS)
def test_the_things_at_the_floor_are_what_suppression_leaves_of_the_phrase(one, settings):
    for claim, checked in zip(one.claims, check_pair(one, [], settings, 0.5), strict=True):
        if claim is TWO_DOGS:
            own = sorted((b for b in one.boxes if b.phrase == 0), key=lambda b: (-b.score, b.corners))
            assert checked.measured["at_floor"] == len(suppress(own, settings.nms_iou))


@pytest.mark.parametrize("phrases", [(), (CUP,)])
def test_a_subject_that_is_no_phrase_is_undecided(phrases):
    assert verdicts(pair(claims=(TWO_DOGS, LEFT_OF, NO_CAT), phrases=phrases)) == [U, U, U]


def test_the_groundings_of_a_record_are_enough():
    one = pair(dog(LEFT, 0.9), dog(RIGHT, 0.8))
    groundings = [Grounding(DOGS, box) for box in one.boxes]
    assert [checked.verdict for checked in check_pair(one, groundings, SelectionSettings(), 0.5)] == [S]
