"""Claims that were read, against what captions are known to state."""

import pytest

from gritmill.evaluation.reading import FRAMES, ReadingTally, framed
from gritmill.evaluation.sets.truth import Statement
from transforms.records import Claim, ClaimKind


def relation(subject_end, predicate, *object_ends, start=0, negated=False):
    objects = tuple(offset for end in object_ends for offset in (end - 1, end))
    return Claim(ClaimKind.RELATION, 0, 0, start, subject_end, predicate, negated=negated, objects=objects)


def count(end, number, bare=False):
    return Claim(ClaimKind.COUNT, 0, end if bare else 0, 0, end, "at_least", number)


def figures(statements, claims, part=None):
    tally = ReadingTally()
    tally.add(statements, claims, part)
    return tally.to_json()


def numbers(found, kind="relations"):
    return tuple(found["kinds"][kind][name] for name in ("stated", "read", "right"))


NEAR = Statement(relation(5, "near", 20), kinds=("proximity",))


@pytest.mark.parametrize(
    ("claim", "right"),
    [
        (relation(5, "near", 20), 1),
        (relation(5, "near", 20, start=3), 1),  # without the article
        (relation(5, "next_to", 20), 0),
        (relation(6, "near", 20), 0),
        (relation(5, "near", 21), 0),
        (relation(5, "near", 20, 30), 0),
        (relation(5, "near"), 0),
        (relation(5, "near", 20, negated=True), 0),
        (relation(20, "near", 5), 0),
    ],
)
def test_what_is_read_right(claim, right):
    found = figures([NEAR], [claim])
    assert numbers(found) == (1, 1, right)
    assert found["kinds"]["relations"]["precision"] == found["kinds"]["relations"]["recall"] == right
    assert found["categories"] == {"proximity": {"stated": 1, "right": right, "recall": right}}


def test_objects_have_no_order_and_repeated_claims_count_once():
    between = Statement(relation(5, "between", 20, 30))
    assert numbers(figures([between], [relation(5, "between", 30, 20), relation(5, "between", 20, 30)])) == (1, 1, 1)


def test_optional_statements_may_be_read_or_not():
    optional = Statement(relation(9, "at", 20), optional=True)
    assert numbers(figures([NEAR, optional], [NEAR.claim, optional.claim])) == (1, 1, 1)
    assert numbers(figures([NEAR, optional], [NEAR.claim])) == (1, 1, 1)
    assert numbers(figures([NEAR, optional], [NEAR.claim, relation(9, "on", 20)])) == (1, 2, 1)


def test_any_number_of_an_optional_count_may_be_read():
    statements = [Statement(count(5, 2)), Statement(count(9, 1), optional=True)]
    assert numbers(figures(statements, [count(5, 2), count(9, 3)]), "counts") == (1, 1, 1)
    assert numbers(figures(statements, [count(5, 2, bare=True)]), "counts") == (1, 1, 0)


def test_kinds_of_which_nothing_is_stated_are_not_judged():
    found = figures([NEAR], [NEAR.claim, count(5, 1)])
    assert list(found["kinds"]) == ["relations"]
    assert list(found["kinds"]["relations"]["predicates"]) == ["near"]
    assert figures([], [NEAR.claim])["kinds"] == {}


def test_a_statement_inside_a_longer_sentence():
    for frame in FRAMES:
        text, (start, end) = framed("The cup is near the plate.", frame)
        assert text[start:end].lower() == "the cup is near the plate"
        assert text.startswith(frame[0])
        assert text.endswith(frame[1])
        assert text[0].isupper()
        tally = ReadingTally()
        inside, outside = relation(start + 5, "near", start + 20), relation(start - 5, "on", end + 9)
        tally.add([NEAR], [inside, outside, relation(start + 5, "on", end + 9)], (start, end))
        assert numbers(tally.to_json()) == (1, 2, 1)
