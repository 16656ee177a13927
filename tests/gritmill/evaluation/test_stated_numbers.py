"""The numbers that captions state, of the phrases that are counted."""

import pytest

from gritmill.evaluation.stated_numbers import Stated, stated_numbers
from transforms.records import Claim, ClaimKind, Pair, Phrase

ONE, TWO = Stated(1, False), Stated(2, True)


def pair(*texts, counts=()):
    """A caption of these phrases; the last word of each is its head. counts: (phrase, predicate, number, negated)."""
    caption, phrases = "", []
    for text in texts:
        start = len(caption)
        caption += f"{text} and "
        end = start + len(text)
        head = start + (text.rfind(" ") + 1)
        phrases.append(Phrase(start, end, head, end, start, end))
    claims = tuple(
        Claim(ClaimKind.COUNT, phrases[n].start, phrases[n].start + 3, phrases[n].start, phrases[n].end, *rest)
        for n, *rest in counts
    )
    return Pair("k", "s", 0, caption, phrases=tuple(phrases), claims=claims)


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("two dogs", ("exactly", 2), TWO),
        ("a dog", ("at_least", 1), ONE),
        ("the dog", None, ONE),
        ("the dogs", None, None),
        ("several dogs", ("at_least", 2), None),
        ("a pair of jeans", ("at_least", 1), ONE),
        ("a sheep", ("at_least", 1), ONE),
        ("the sheep", None, None),
        ("no dog", ("none", 0), None),
        ("the sky", None, None),
        ("a street", ("at_least", 1), None),
        ("Dog", None, ONE),
    ],
)
def test_a_phrase(text, count, expected):
    stated = stated_numbers(pair("a cup", text, counts=[(1, *count)] if count else []))
    assert stated == {0: ONE} | ({1: expected} if expected else {})


def test_a_negated_count_says_nothing():
    assert stated_numbers(pair("two dogs", counts=[(0, "exactly", 2, True)])) == {}


def test_other_claims_are_no_counts():
    base = pair("a dog")
    rank = Claim(ClaimKind.RANK, 0, 1, 0, 5, "left", 2)
    assert stated_numbers(Pair("k", "s", 0, base.caption, phrases=base.phrases, claims=(rank,))) == {0: ONE}


def test_what_may_not_be_there_states_no_number():
    phrases = (Phrase(2, 5, 2, 5, 2, 5), Phrase(18, 23, 20, 23, 18, 23))
    assert stated_numbers(Pair("k", "s", 0, "A man waiting for a bus", phrases=phrases)) == {0: ONE}
    assert stated_numbers(Pair("k", "s", 0, "A man standing in a bus", phrases=phrases)) == {0: ONE, 1: ONE}
