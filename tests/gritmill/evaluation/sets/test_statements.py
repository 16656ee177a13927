"""Statements of rows in custom sets."""

import pytest

from gritmill.evaluation.sets.jsonl import load
from pipeline.faults import CallError
from tests.gritmill.evaluation.sets.test_jsonl import ROW, write  # noqa: F401
from transforms.records import Claim, ClaimKind

DOGS, CAT = [0, 8], [14, 19]


def statements(write, *rows):  # noqa: F811
    (caption,) = load(write({**ROW, "statements": list(rows)}), None, None).captions
    return caption.statements


def test_statements_of_each_kind(write):  # noqa: F811
    near, two, left, first = statements(
        write,
        {"subject": DOGS, "predicate": "near", "object": [CAT], "true": False, "optional": True},
        {"subject": DOGS, "predicate": "at_least", "number": 2, "object": [], "words": [4, 8]},
        {"subject": CAT, "predicate": "picture_left", "object": None, "negated": True, "true": True},
        {"subject": CAT, "predicate": "from_left", "number": 1},
    )
    assert near.claim == Claim(ClaimKind.RELATION, 0, 0, *DOGS, "near", objects=(14, 19))
    assert (near.true, near.optional, two.true, two.optional) == (False, True, None, False)
    assert (two.claim.kind, two.claim.is_bare_plural, two.claim.number) == (ClaimKind.COUNT, True, 2)
    assert (left.claim.objects, left.claim.negated, left.true) == ((), True, True)
    assert (first.claim.kind, first.claim.number) == (ClaimKind.RANK, 1)


def test_a_claim_of_the_record_is_a_statement(write):  # noqa: F811
    claim = {"kind": "relation", "words": [9, 13], "subject": DOGS, "object": [CAT], "predicate": "near", "number": 0}
    (one,) = statements(write, {**claim, "negated": False, "verdict": "undecided", "measured": "{}"})
    assert one.claim == Claim(ClaimKind.RELATION, 9, 13, *DOGS, "near", objects=(14, 19))


def test_a_row_without_statements_is_not_annotated(write):  # noqa: F811
    assert statements(write) == ()
    (caption,) = load(write(ROW), None, None).captions
    assert caption.statements is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"predicate": "leftof"}, "predicate leftof: no such name; did you mean left_of?"),
        ({"object": []}, "near: an object is missing"),
        ({"predicate": "picture_left"}, "picture_left: it has no object"),
        ({"predicate": "exactly", "object": None}, "exactly: the number is missing"),
        ({"subject": [0, 99]}, "statement 0 has the span 0 to 99, but the caption has 26 characters"),
        ({"object": [[5, 5]]}, "statement 0 has the span 5 to 5"),
        ({"objects": [CAT]}, "objects: no such field; did you mean object?"),
        ({"true": "perhaps"}, "statements.0.true: "),
    ],
)
def test_what_is_wrong_with_a_statement(write, change, why):  # noqa: F811
    with pytest.raises(CallError, match=rf"truth.jsonl:1: .*{why}"):
        statements(write, {"subject": DOGS, "predicate": "near", "object": [CAT], **change})
