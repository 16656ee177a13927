from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.claims.boxes import OBJECT, SECOND, SUBJECT, box, count, grid_boxes, phrase, rank, relation
from transforms.claims.check_claims import check_claims, is_decidable, is_refutable
from transforms.claims.check_ranks import RANKS
from transforms.claims.check_relations import BETWEEN, PICTURE, RELATIONS
from transforms.claims.verdicts import PhraseBoxes
from transforms.records import ClaimKind

S, C, U = "supported", "contradicted", "undecided"

LOW, HIGH = box(0.1, 0.1, 0.2, 0.2), box(0.7, 0.7, 0.2, 0.2)

MIRRORED = {"left_of": "right_of", "picture_left": "picture_right", "from_left": "from_right"}
MIRRORED |= {other: name for name, other in MIRRORED.items()}


def verdict(claim, boxes, width=640, height=480):
    (checked,) = check_claims([claim], boxes, width, height)
    return checked.verdict


def test_a_claim_of_each_kind():
    boxes = {SUBJECT: phrase(LOW, head="dogs"), OBJECT: phrase(HIGH, head="dog"), SECOND: phrase(HIGH, LOW, head="cat")}
    claims = [
        relation("left_of", OBJECT),
        relation("picture_left"),
        relation("behind", OBJECT),
        count("exactly", 2),
        rank("from_left", 1),
        relation("right_of", OBJECT, SECOND),
    ]
    assert [checked.verdict for checked in check_claims(claims, boxes, 640, 480)] == [S, S, U, C, S, C]


def test_a_phrase_that_the_detector_was_not_asked_for_decides_nothing():
    claims = [relation("left_of", OBJECT), relation("picture_left"), count("none"), rank("from_left", 1)]
    found = check_claims(claims, {OBJECT: phrase(LOW)}, 640, 480)
    assert [(checked.verdict, checked.measured) for checked in found] == [(U, {})] * 4
    assert verdict(relation("left_of", OBJECT, SECOND), {SUBJECT: phrase(LOW), OBJECT: phrase(HIGH)}) == U


def test_what_is_not_there_is_not_contradicted_by_things_of_other_phrases():
    """ "A dog with a collar and one with no collar": the claim is about a span that is no phrase."""
    assert verdict(count("none"), {OBJECT: phrase(LOW, head="collar")}) == U
    assert not is_refutable(count("none"))


def test_the_opposite_of_what_boxes_can_decide():
    boxes = {SUBJECT: phrase(LOW), OBJECT: phrase(HIGH)}
    for predicate, plain, negated in (("left_of", S, C), ("right_of", C, S), ("on", C, U), ("behind", U, U)):
        assert verdict(relation(predicate, OBJECT), boxes) == plain
        assert verdict(relation(predicate, OBJECT, negated=True), boxes) == negated
    assert verdict(relation("picture_left", negated=True), boxes) == C
    assert verdict(count("exactly", 1, negated=True), boxes) == C
    assert verdict(count("exactly", 2, negated=True), boxes) == S
    assert verdict(replace(rank("from_left", 1), negated=True), boxes) == U


def test_not_is_contradicted_only_if_all_boxes_fit():
    both = {SUBJECT: phrase(box(0.4, 0.4, 0.2, 0.2)), OBJECT: phrase(LOW, HIGH)}
    for predicate in ("left_of", "right_of"):
        assert verdict(relation(predicate, OBJECT), both) == S
        assert verdict(relation(predicate, OBJECT, negated=True), both) == U
    right = {SUBJECT: phrase(LOW), OBJECT: phrase(HIGH, box(0.7, 0.1, 0.2, 0.2))}
    assert verdict(relation("left_of", OBJECT, negated=True), right) == C
    assert verdict(relation("right_of", OBJECT, negated=True), right) == S
    for boxes, expected in (((LOW,), C), ((LOW, HIGH), U), ((HIGH,), S)):
        assert verdict(relation("picture_left", negated=True), {SUBJECT: phrase(*boxes)}) == expected


def test_the_words_of_a_bare_plural_are_its_noun():
    bare, stated = count("at_least", 2, words=(1, 5)), count("at_least", 2)
    assert bare.is_bare_plural
    assert not stated.is_bare_plural
    assert not replace(bare, predicate="exactly").is_bare_plural  # "two", without a noun
    assert not replace(relation("picture_left"), words_start=1, words_end=5).is_bare_plural
    boxes = {SUBJECT: phrase(LOW)}
    assert (verdict(bare, boxes), verdict(stated, boxes)) == (U, C)
    assert (verdict(replace(bare, negated=True), boxes), is_decidable(bare)) == (U, False)


def test_further_boxes_may_be_those_of_another_phrase_with_the_same_noun():
    """ "Two men sitting and one man standing": three boxes for each."""
    three = phrase(LOW, HIGH, box(0.4, 0.4, 0.2, 0.2), head="men")
    for head, expected in (("man", U), ("Men", U), ("woman", C), ("", C)):
        assert verdict(count("exactly", 2), {SUBJECT: three, OBJECT: phrase(LOW, head=head)}) == expected
    assert verdict(count("exactly", 4), {SUBJECT: three, OBJECT: phrase(head="man")}) == C


@pytest.mark.parametrize(
    ("caption", "words", "expected"),
    [
        ("a bunch of bananas", (0, 10), U),
        ("A Row of chairs", (0, 8), U),
        ("a pair of shoes", (0, 9), U),
        ("a set of stairs", (0, 8), U),
        ("a herd of zebra", (0, 9), U),
        ("a couple of dogs", (0, 11), C),
        ("a group of three dogs", (11, 16), C),
        ("several rows", (0, 7), C),
        ("", (0, 9), C),
    ],
)
def test_one_box_may_show_a_bunch_of_things(caption, words, expected):
    for claim in (count("at_least", 2, words), count("exactly", 2, words)):
        (checked,) = check_claims([claim], {SUBJECT: phrase(LOW)}, 64, 48, caption)
        assert checked.verdict == expected


def test_parts_may_be_hidden():
    found = phrase(LOW, HIGH)
    for head, expected in (("legs", U), ("Wheels", U), ("feet", U), ("dogs", C), ("", C)):
        named = {SUBJECT: replace(found, head=head)}
        assert verdict(count("exactly", 3), named) == expected
        assert verdict(count("at_least", 3), named) == expected
        assert verdict(count("exactly", 1), named) == expected
        assert verdict(count("exactly", 2), named) == S


def test_a_rank_is_among_the_boxes_of_the_same_noun():
    def found(*heads):
        others = {span: phrase(HIGH, head=head) for span, head in zip((OBJECT, SECOND), heads, strict=False)}
        return verdict(rank("from_right", 1), {SUBJECT: phrase(LOW, head="dog"), **others})

    assert found("Dogs") == C
    assert found("cat", "dog") == C
    assert found("cat", "") == U
    bus = {SUBJECT: phrase(LOW, head="bus"), OBJECT: phrase(HIGH, head="buses")}
    assert verdict(rank("from_right", 1), bus) == C
    assert verdict(rank("from_right", 1), {SUBJECT: phrase(LOW), OBJECT: phrase(HIGH)}) == U  # unknown nouns


def test_group_boxes_have_no_rank():
    group = phrase(box(0, 0, 1, 1), LOW, HIGH, head="dog")
    assert verdict(rank("largest", 1), {SUBJECT: phrase(box(0.4, 0.4, 0.3, 0.3), head="dog"), OBJECT: group}) == S


def test_both_axes_have_one_unit():
    """Two square pictures of one thing each: 0.2 of the width is 0.1 of the height."""
    boxes = {SUBJECT: phrase(box(0.0, 0.0, 0.2, 0.1)), OBJECT: phrase(box(0.0, 0.44, 0.2, 0.1))}
    assert verdict(relation("next_to", OBJECT), boxes, 100, 200) == C
    assert verdict(relation("next_to", OBJECT), boxes, 200, 200) == C
    assert verdict(relation("next_to", OBJECT), boxes, 200, 100) == U


phrases = st.lists(grid_boxes(), max_size=3)
relations = st.one_of(
    st.sampled_from(sorted(RELATIONS)).map(lambda name: relation(name, OBJECT)),
    st.sampled_from(sorted(RELATIONS)).map(lambda name: relation(name, OBJECT, SECOND)),
    st.sampled_from(sorted(RELATIONS)).map(lambda name: relation(name, SUBJECT)),
    st.sampled_from(sorted(PICTURE)).map(relation),
)
ranks = st.builds(rank, st.sampled_from(sorted(RANKS)), st.integers(1, 3))
counts = st.builds(count, st.sampled_from(["exactly", "at_least", "none"]), st.integers(1, 3))
claims = st.builds(
    lambda claim, negated: replace(claim, negated=negated), st.one_of(relations, ranks, counts), st.booleans()
)
SIDES = st.sampled_from([(640, 480), (480, 640), (64, 64), (640, 427), (0, 0)])


def of(*found):
    spans = (SUBJECT, OBJECT, SECOND)
    return {span: phrase(*boxes, head="dog") for span, boxes in zip(spans, found, strict=True)}


def mirror(boxes):
    return [(1 - x2, y1, 1 - x1, y2) for x1, y1, x2, y2 in boxes]


@given(claims, phrases, phrases, phrases, SIDES)
def test_a_mirror_swaps_left_and_right(claim, first, second, third, sides):
    """Also measures the same, but for signs and places."""
    mirrored = replace(claim, predicate=MIRRORED.get(claim.predicate, claim.predicate))
    seen = of(*map(mirror, (first, second, third)))
    assert verdict(claim, of(first, second, third), *sides) == verdict(mirrored, seen, *sides)


@given(claims, phrases, phrases, phrases, SIDES, st.integers(2, 7))
def test_the_resolution_of_the_picture_changes_nothing(claim, first, second, third, sides, factor):
    boxes, larger = of(first, second, third), [factor * side for side in sides]
    assert check_claims([claim], boxes, *sides) == check_claims([claim], boxes, *larger)


@given(claims, phrases, phrases, phrases, SIDES)
def test_the_scale_of_what_is_seen_changes_nothing(claim, first, second, third, sides):
    """But for places in the picture."""
    if claim.kind is ClaimKind.RELATION and not claim.objects:
        return
    half = [[tuple(corner / 2 for corner in box) for box in boxes] for boxes in (first, second, third)]
    assert check_claims([claim], of(*half), *sides) == check_claims([claim], of(first, second, third), *sides)


positive = st.one_of(relations, st.builds(count, st.just("at_least"), st.integers(1, 3)))


@given(positive, phrases, phrases, phrases, st.lists(st.tuples(st.integers(0, 2), grid_boxes()), min_size=1), SIDES)
def test_more_boxes_never_contradict_what_was_supported(claim, first, second, third, more, sides):
    """Wherever they are among the others. Nor what was undecided, unless a phrase had too few boxes to tell."""
    before = (first, second, third)
    after = [[*(box for number, box in more if number == at), *boxes] for at, boxes in enumerate(before)]
    old, new = check_claims([claim], of(*before), *sides), check_claims([claim], of(*after), *sides)
    assert (old[0].verdict, new[0].verdict) != (S, C)
    assert not old[0].measured or (old[0].verdict, new[0].verdict) != (U, C)
    assert old[0].verdict != S or new[0].verdict == S or claim.kind is ClaimKind.COUNT


@pytest.mark.parametrize("name", sorted(RELATIONS))
def test_two_views_of_one_relation_agree(name):
    """A claim and its inverse have one verdict."""
    inverse = {"left_of": "right_of", "above": "below", "over": "under", "inside": "contains"}.get(name)
    boxes = [LOW, HIGH, box(0.3, 0.2, 0.4, 0.5), box(0.15, 0.15, 0.1, 0.3)]
    for a in boxes if inverse else ():
        for b in boxes:
            found = of([a], [b], [])
            assert verdict(relation(name, OBJECT), found) == verdict(
                relation(inverse, SUBJECT, subject=OBJECT), found
            ), (a, b)


@pytest.mark.parametrize("predicate", ["middle_of", "enclosed_by"])
def test_what_surrounds_a_thing_may_be_missing_in_part(predicate):
    """Of several trucks, the detector has found one, and the man is beside it."""
    man, beside, apart = box(0.1, 0.1, 0.1, 0.2), box(0.6, 0.1, 0.2, 0.2), box(0.8, 0.1, 0.2, 0.2)
    cases = [((beside,), "trucks", U), ((beside, apart), "trucks", C), ((beside,), "truck", C), ((beside,), "sheep", U)]
    for trucks, head, expected in cases:
        boxes = {SUBJECT: phrase(man), OBJECT: phrase(*trucks, head=head)}
        assert verdict(relation(predicate, OBJECT), boxes) == expected
    around = {SUBJECT: phrase(beside, head="trucks"), OBJECT: phrase(man)}
    assert verdict(relation("surrounding", OBJECT), around) == U
    assert verdict(relation("surrounding", OBJECT), {**around, SUBJECT: phrase(beside, apart, head="trucks")}) == C
    assert verdict(relation("next_to", OBJECT), {SUBJECT: phrase(man), OBJECT: phrase(apart, head="trucks")}) == C


def test_between_counts_each_pair_of_one_phrase():
    boxes = {SUBJECT: phrase(box(0.4, 0.1, 0.1, 0.1)), OBJECT: PhraseBoxes((LOW, HIGH, box(0.7, 0.1, 0.1, 0.1)), 3)}
    assert verdict(relation(BETWEEN, OBJECT), boxes) == S
