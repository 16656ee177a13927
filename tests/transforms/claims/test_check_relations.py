import json
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.claims.boxes import box, grid_boxes
from transforms.claims.check_ranks import RANKS
from transforms.claims.check_relations import BETWEEN, MOST, PICTURE, RELATIONS, check_place, check_relation
from transforms.claims.word_lists import read_list

S, C, U = "supported", "contradicted", "undecided"

TWO = box(0, 0, 2, 2)
TEN = box(0, 0, 10, 10)
MAN = box(0, 0, 2, 6)
PHONE = box(1, 0.5, 0.5, 0.5)

CASES = [
    # The offset of boxes with sides of 2 is half the distance of their centres.
    ("left_of", TWO, box(1, 0, 2, 2), S),
    ("left_of", TWO, box(0.98, 0, 2, 2), U),
    ("left_of", TWO, box(-0.98, 0, 2, 2), U),
    ("left_of", TWO, box(-1, 0, 2, 2), C),
    ("left_of", TWO, box(7, 9, 2, 2), S),
    ("left_of", box(0, 0, 10, 2), box(8, 0, 1, 2), U),  # at the end of a long thing
    ("left_of", box(8, 0, 1, 2), box(0, 0, 10, 2), U),
    ("right_of", TWO, box(-1, 0, 2, 2), S),
    ("right_of", TWO, box(-0.98, 0, 2, 2), U),
    ("right_of", TWO, box(0.98, 0, 2, 2), U),
    ("right_of", TWO, box(1, 0, 2, 2), C),
    ("above", TWO, box(5, 1, 2, 2), S),
    ("above", TWO, box(5, 0.98, 2, 2), U),
    ("above", TWO, box(5, -0.98, 2, 2), U),
    ("above", TWO, box(5, -1, 2, 2), C),
    ("below", TWO, box(5, -1, 2, 2), S),
    ("below", TWO, box(5, -0.98, 2, 2), U),
    ("below", TWO, box(5, 0.98, 2, 2), U),
    ("below", TWO, box(5, 1, 2, 2), C),
    ("over", TWO, box(1.98, 1, 2, 2), S),
    ("over", TWO, box(2, 1, 2, 2), U),  # not over it, but a lamp is wide
    ("over", TWO, box(0, 0.98, 2, 2), U),
    ("over", TWO, box(0, -0.98, 2, 2), U),
    ("over", TWO, box(0, -1, 2, 2), C),
    ("under", TWO, box(0, -1, 2, 2), S),
    ("under", TWO, box(2, -1, 2, 2), U),
    ("under", TWO, box(0, 0.98, 2, 2), U),
    ("under", TWO, box(0, 1, 2, 2), C),
    ("under", box(4, 6, 2, 2), TEN, U),  # under a table, in its box
    ("under", box(4, 1, 2, 2), TEN, U),
    ("on", TWO, box(0, 1.5, 4, 2), U),
    ("on", TWO, box(0, 2.4, 2, 2), U),  # the gap is a fifth of the size
    ("on", TWO, box(0, 2.41, 2, 2), C),
    ("on", TWO, box(2.41, 0, 2, 2), C),
    ("on", box(0, 1, 2, 2), TWO, U),
    ("on", box(0, 1.1, 2, 2), TWO, U),  # its greater part is below, but it may hang on it or hold on to it
    ("on", box(0, 1.6, 2, 2), TWO, U),
    ("on", box(0, 1.61, 2, 2), TWO, U),
    ("on", box(0, 2.4, 2, 2), TWO, U),  # keys on a hook
    ("on", box(0, 2.41, 2, 2), TWO, C),
    ("on", box(1.99, 1.61, 2, 2), TWO, U),
    ("on", box(2, 1.61, 2, 2), TWO, C),
    ("on", (0.4, 0.05, 0.6, 0.4), (0, 0, 1, 0.1), U),  # "a chandelier hanging on the ceiling"
    ("on", MAN, PHONE, U),  # "a man on the phone"
    ("on", MAN, box(1.9, 0.5, 0.5, 0.5), U),
    ("on", MAN, box(1.91, 0.5, 0.5, 0.5), U),
    ("on_top_of", TWO, box(0, 2, 2, 2), U),
    ("on_top_of", box(0, 1.6, 2, 2), TWO, U),
    ("on_top_of", box(0, 1.61, 2, 2), TWO, C),
    ("in", TEN, box(9.5, 0, 10, 10), U),
    ("in", TEN, box(9.51, 0, 10, 10), C),
    ("in", MAN, box(0.5, -0.5, 1, 1), U),  # "a man in a hat"
    ("inside", TEN, box(8, 0, 10, 10), U),
    ("inside", TEN, box(8.01, 0, 10, 10), C),
    ("inside", TEN, box(0, 0, 4, 4), C),
    ("inside", box(0, 0, 4, 4), TEN, U),
    ("contains", TEN, box(8, 0, 10, 10), U),
    ("contains", TEN, box(8.01, 0, 10, 10), C),
    ("contains", box(0, 0, 4, 4), TEN, C),
    ("contains", TEN, box(0, 0, 4, 4), U),
    ("surrounding", TWO, box(2.4, 0, 2, 2), U),
    ("surrounding", TWO, box(2.41, 0, 2, 2), C),
    ("enclosed_by", TWO, box(2.4, 0, 2, 2), U),
    ("enclosed_by", TWO, box(2.41, 0, 2, 2), C),
    ("enclosed_by", (0.4, 0.1, 0.6, 0.8), (0, 0.7, 1, 1), U),  # "a giraffe surrounded by grass"
    ("enclosed_by", box(2, 0, 6, 10), box(0, 9, 10, 2), U),  # "a house enclosed by a fence"
    ("next_to", TWO, box(5, 0, 2, 2), U),
    ("next_to", TWO, box(5.01, 0, 2, 2), C),
    ("next_to", TWO, box(1, 1, 2, 2), U),
    ("next_to", TWO, box(5, 0, 0.5, 0.8), U),  # a tenth of the area
    ("next_to", TWO, box(5.01, 0, 0.5, 0.8), C),
    ("next_to", TWO, box(5.01, 0, 0.5, 0.79), U),  # far away from the camera, or small
    ("near", TWO, box(8, 0, 2, 2), U),
    ("near", TWO, box(8.01, 0, 2, 2), C),
    ("near", TWO, box(8.01, 0, 0.5, 0.79), U),
    ("far_from", TEN, box(9.2, 0, 1, 1), U),
    ("far_from", TEN, box(9.19, 0, 1, 1), C),
    ("far_from", box(9.19, 0, 1, 1), TEN, C),
    ("far_from", TWO, box(1, 1, 2, 2), U),
    ("touching", TWO, box(2.4, 0, 2, 2), U),
    ("touching", TWO, box(2.41, 0, 2, 2), C),
    ("by", TWO, box(5, 0, 2, 2), U),
    ("by", TWO, box(5.01, 0, 2, 2), C),
    ("against", TWO, box(2.4, 0, 2, 2), U),
    ("against", TWO, box(2.41, 0, 2, 2), C),
    ("attached_to", TWO, box(2.4, 0, 2, 2), U),
    ("attached_to", TWO, box(2.41, 0, 2, 2), C),
    ("middle_of", box(4, 4, 2, 2), TEN, U),
    ("middle_of", box(9, 4, 2, 2), TEN, U),
    ("middle_of", box(9.01, 4, 2, 2), TEN, C),
    ("middle_of", box(4, 11.2, 2, 2), TEN, U),
    ("middle_of", box(4, 11.21, 2, 2), TEN, C),
]


@pytest.mark.parametrize(("predicate", "subject", "object_", "expected"), CASES)
def test_each_side_of_each_margin(predicate, subject, object_, expected):
    assert check_relation(predicate, (subject,), [(object_,)]).verdict == expected


LEFT, RIGHT = box(0, 0, 2, 2), box(8, 0, 2, 2)  # their centres are at x = 1 and x = 9, y = 1


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (box(4, 0, 2, 2), S),
        (box(1, 0, 2, 2), S),  # an eighth of the way
        (box(0.98, 0, 2, 2), U),
        (box(-2, 0, 2, 2), U),
        (box(-2.01, 0, 2, 2), C),  # more than a quarter beyond
        (box(7.02, 0, 2, 2), U),
        (box(10.01, 0, 2, 2), C),
        (box(4, 4, 2, 2), S),  # half the distance aside
        (box(4, 4.01, 2, 2), U),
    ],
)
def test_between_two_things(subject, expected):
    for objects in ([(LEFT,), (RIGHT,)], [(RIGHT,), (LEFT,)], [(LEFT, RIGHT)]):
        assert check_relation(BETWEEN, (subject,), objects).verdict == expected


def test_between_things_that_are_one_before_the_other_is_undecided():
    far = box(9, 0, 2, 2)
    assert check_relation(BETWEEN, (far,), [(TWO,), (box(0.99, 0, 2, 2),)]).verdict == U
    assert check_relation(BETWEEN, (far,), [(TWO,), (box(1, 0, 2, 2),)]).verdict == C
    assert check_relation(BETWEEN, (far,), [(TWO,), (TWO,)]).verdict == U


def test_between_needs_two_things():
    assert check_relation(BETWEEN, (TWO,), [(LEFT,)]).verdict == U
    assert check_relation(BETWEEN, (TWO,), [(LEFT,), (RIGHT,), (TEN,)]).verdict == U


def test_between_tries_only_the_best_boxes_and_does_not_contradict_what_it_did_not_try():
    beyond = box(-20, 0, 2, 2)
    assert check_relation(BETWEEN, (beyond,) * MOST, [(LEFT,), (RIGHT,)]).verdict == C
    assert check_relation(BETWEEN, (beyond,) * (MOST + 1), [(LEFT,), (RIGHT,)]).verdict == U
    assert check_relation(BETWEEN, (beyond,), [(LEFT,), (RIGHT,) * (MOST + 1)]).verdict == U
    assert check_relation(BETWEEN, (box(4, 0, 2, 2),) * 150, [(LEFT, RIGHT) * 75]).verdict == S
    middle = box(4, 0, 2, 2)
    assert check_relation(BETWEEN, (middle,) * MOST, [(LEFT,), (RIGHT,)], every=True).verdict == S
    assert check_relation(BETWEEN, (middle,) * (MOST + 1), [(LEFT,), (RIGHT,)], every=True).verdict == U


PLACES = [
    ("picture_left", (0.35, 0.4, 0.45, 0.5), S),
    ("picture_left", (0.36, 0.4, 0.46, 0.5), U),
    ("picture_left", (0.54, 0.4, 0.64, 0.5), U),
    ("picture_left", (0.55, 0.4, 0.65, 0.5), C),
    ("picture_right", (0.35, 0.4, 0.45, 0.5), C),
    ("picture_right", (0.36, 0.4, 0.46, 0.5), U),
    ("picture_right", (0.54, 0.4, 0.64, 0.5), U),
    ("picture_right", (0.55, 0.4, 0.65, 0.5), S),
    ("picture_top", (0.8, 0.35, 0.9, 0.45), S),
    ("picture_top", (0.8, 0.36, 0.9, 0.46), U),
    ("picture_top", (0.8, 0.55, 0.9, 0.65), C),
    ("picture_bottom", (0.8, 0.35, 0.9, 0.45), C),
    ("picture_bottom", (0.8, 0.54, 0.9, 0.64), U),
    ("picture_bottom", (0.8, 0.55, 0.9, 0.65), S),
    ("picture_middle", (0.2, 0.2, 0.8, 0.8), S),
    ("picture_middle", (0.3, 0.3, 0.367, 0.367), S),
    ("picture_middle", (0.3, 0.3, 0.366, 0.367), U),
    ("picture_middle", (0.3, 0.3, 0.333, 0.5), C),
    ("picture_middle", (0.3, 0.3, 0.334, 0.5), U),
    ("picture_middle", (0.5, 0.667, 0.6, 0.9), C),
    ("picture_middle", (0.5, 0.666, 0.6, 0.9), U),
    ("picture_edge", (0.02, 0.4, 0.2, 0.6), S),
    ("picture_edge", (0.021, 0.4, 0.2, 0.6), U),
    ("picture_edge", (0.4, 0.4, 0.6, 0.98), S),
    ("picture_edge", (0.4, 0.4, 0.751, 0.6), U),
    ("picture_edge", (0.4, 0.4, 0.75, 0.6), C),
]


@pytest.mark.parametrize(("place", "subject", "expected"), PLACES)
def test_each_side_of_each_margin_of_a_place(place, subject, expected):
    assert check_place(place, (subject,)).verdict == expected


def test_every_rule_has_cases_on_both_sides_of_its_margins():
    for rules, cases in ((RELATIONS, CASES), (PICTURE, PLACES)):
        for name, rule in rules.items():
            if name != BETWEEN:
                assert {case[-1] for case in cases if case[0] == name} == ({S, C, U} if rule.provable else {C, U}), name


@pytest.mark.parametrize(
    "predicate", ["behind", "in_front_of", "away_from", "facing", "parallel_to", "left_side_of", "background", ""]
)
def test_what_boxes_cannot_tell_is_undecided(predicate):
    assert check_relation(predicate, (TWO,), [(RIGHT,)]).verdict == U
    assert check_place(predicate, (TWO,)).verdict == U


def test_the_names_are_those_of_the_claims_that_are_read():
    read = {section: set(names) for section, names in read_list("predicates").items() if isinstance(names, dict)}
    assert RELATIONS.keys() <= read["prepositions"] | read["verbs"]
    assert PICTURE.keys() <= read["places"]
    assert RANKS.keys() == read["superlatives"]


def test_a_relation_is_contradicted_only_if_no_pair_of_boxes_fits():
    assert check_relation("left_of", (RIGHT, LEFT), [(box(4, 0, 2, 2),)]).verdict == S
    assert check_relation("left_of", (RIGHT, box(3.9, 0, 2, 2)), [(box(4, 0, 2, 2),)]).verdict == U
    assert check_relation("left_of", (RIGHT, box(6, 0, 2, 2)), [(box(4, 0, 2, 2),)]).verdict == C


def test_the_numbers_are_those_of_the_first_pair_that_fits_best():
    checked = check_relation("left_of", (RIGHT, LEFT), [(box(4, 0, 2, 2), box(20, 0, 2, 2))])
    assert (checked.verdict, checked.measured) == (S, {"dx": 6.0, "spans": 0})
    checked = check_relation("on", (TWO,), [(box(9, 0, 2, 2), box(0, 1.5, 2, 2))])
    assert (checked.verdict, checked.measured) == (U, {"gap": 0.0, "below": -1.25, "overlap_x": 1.0})


def test_without_a_box_nothing_is_decided():
    for subject, objects in (((), [(TWO,)]), ((TWO,), [()]), ((TWO,), []), ((TWO,), [(TWO,), ()])):
        checked = check_relation("left_of", subject, objects)
        assert (checked.verdict, checked.measured) == (U, {})


def test_each_of_several_objects_must_fit():
    left, right = (box(-4, 0, 2, 2),), (box(4, 0, 2, 2),)
    assert check_relation("left_of", (TWO,), [right, right]).verdict == S
    assert check_relation("left_of", (TWO,), [right, (TWO,)]).verdict == U
    assert check_relation("left_of", (TWO,), [right, left]).verdict == C


def test_what_surrounds_a_thing_is_taken_as_one():
    man, sheep = box(4, 4, 2, 2), (box(0, 4, 2, 2), box(8, 5, 2, 2))
    assert check_relation("enclosed_by", (man,), [sheep]).verdict == U
    assert check_relation("enclosed_by", (man,), [sheep[:1], sheep[1:]]).verdict == U
    assert check_relation("enclosed_by", (man,), [sheep[:1]]).verdict == C
    assert check_relation("surrounding", sheep, [(man,)]).verdict == U
    assert check_relation("surrounding", sheep[:1], [(man,)]).verdict == C


def test_the_middle_of_several_things_is_between_them():
    man, trucks = box(4, 4, 2, 6), (box(0, 4, 3, 5), box(8, 4, 3, 5))
    assert check_relation("middle_of", (man,), [trucks]).verdict == U
    assert check_relation("middle_of", (man,), [trucks[:1], trucks[1:]]).verdict == U
    assert check_relation("middle_of", (box(20, 4, 2, 6),), [trucks]).verdict == C


def test_one_another_means_two_boxes_of_the_phrase():
    near, far = box(2, 0, 2, 2), box(50, 0, 2, 2)
    assert check_relation("next_to", (TWO, far, near), [(TWO, far, near)], each_other=True).verdict == U
    assert check_relation("next_to", (TWO, far), [(TWO, far)], each_other=True).verdict == C
    assert check_relation("next_to", (TWO,), [(TWO,)], each_other=True).verdict == U


phrases = st.lists(grid_boxes(), max_size=4).map(tuple)
thin = st.floats(0, 1)


@st.composite
def any_boxes(draw):
    x1, x2 = sorted((draw(thin), draw(thin)))
    y1, y2 = sorted((draw(thin), draw(thin)))
    return (x1, y1, x2, y2)


@given(st.sampled_from(sorted(RELATIONS)), any_boxes(), any_boxes(), any_boxes())
def test_the_verdict_follows_from_finite_rounded_numbers(predicate, subject, object_, second):
    objects = [(object_,), (second,)] if predicate == BETWEEN else [(object_,)]
    checked = check_relation(predicate, (subject,), objects)
    assert all(isfinite(value) and value == round(value, 4) for value in checked.measured.values())
    assert RELATIONS[predicate].decide(json.loads(json.dumps(checked.measured))) == checked.verdict


@given(st.sampled_from(sorted(PICTURE)), any_boxes())
def test_the_verdict_on_a_place_follows_from_its_numbers(place, subject):
    checked = check_place(place, (subject,))
    assert PICTURE[place].decide(json.loads(json.dumps(checked.measured))) == checked.verdict


@given(st.sampled_from(sorted(RELATIONS)), phrases, st.lists(phrases, min_size=1, max_size=2), st.booleans())
def test_a_relation_that_boxes_cannot_prove_is_never_supported(predicate, subject, objects, each_other):
    verdict = check_relation(predicate, subject, objects, each_other).verdict
    assert RELATIONS[predicate].provable or verdict != S


@given(grid_boxes(), grid_boxes())
def test_things_apart_are_on_the_side_where_they_are(a, b):
    for axis, before, after in ((0, "left_of", "right_of"), (1, "above", "below")):
        if a[axis + 2] <= b[axis]:
            assert check_relation(before, (a,), [(b,)]).verdict == S
            assert check_relation(after, (a,), [(b,)]).verdict == C


@given(grid_boxes(), grid_boxes())
def test_the_order_of_the_centres_is_never_contradicted(a, b):
    for axis, names in ((0, ["left_of"]), (1, ["above", "over"])):
        if a[axis] + a[axis + 2] <= b[axis] + b[axis + 2]:
            assert all(check_relation(name, (a,), [(b,)]).verdict != C for name in names)


@given(grid_boxes(), grid_boxes())
def test_what_looks_true_is_never_contradicted(a, b):
    overlap = a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    higher = a[1] + a[3] <= b[1] + b[3]
    contained = b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]
    looks_true = {
        "next_to": overlap,
        "near": overlap,
        "touching": overlap,
        "on": overlap and higher,
        "on_top_of": overlap and higher,
        "in": contained,
        "inside": contained,
        "enclosed_by": contained,
        "middle_of": contained,
        "far_from": not overlap and (a[0] > b[2] or b[0] > a[2] or a[1] > b[3] or b[1] > a[3]),
    }
    for name, true in looks_true.items():
        assert not true or check_relation(name, (a,), [(b,)]).verdict == U, name
    for name in ("contains", "surrounding"):
        assert not contained or check_relation(name, (b,), [(a,)]).verdict == U, name


@given(grid_boxes(), grid_boxes(), st.integers(0, 8))
def test_what_is_on_the_line_between_two_things_is_never_contradicted(a, b, eighths):
    moved = tuple(p + (q - p) * eighths / 8 for p, q in zip(a, b, strict=True))
    assert check_relation(BETWEEN, (moved,), [(a,), (b,)]).verdict != C
