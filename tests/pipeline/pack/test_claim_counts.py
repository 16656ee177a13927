from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.pack.claim_counts import (
    MANY,
    ClaimCount,
    Verdicts,
    add_claims,
    add_up,
    claim_counts,
    claims_line,
    rejected_line,
)
from transforms.claims.verdicts import Checked, Verdict
from transforms.records import Claim, ClaimKind

CLAIMS = st.builds(
    lambda kind, predicate, number: Claim(kind, 0, 1, 0, 1, predicate, number),
    st.sampled_from(ClaimKind),
    st.sampled_from(["a", "b"]),
    st.sampled_from([0, 1, 2, 20, 21, 22, 1999]),
)
PAIRS = st.lists(st.lists(st.tuples(CLAIMS, st.builds(Checked, st.sampled_from(Verdict))), max_size=4), max_size=8)


def of(pairs):
    verdicts = Verdicts()
    for pair in pairs:
        add_claims(verdicts, [claim for claim, _ in pair], [checked for _, checked in pair])
    return claim_counts(verdicts)


def claim(kind, predicate, number=0):
    return Claim(kind, 0, 1, 0, 1, predicate, number)


def test_claims_are_counted_by_kind_predicate_number_and_verdict():
    supported, contradicted, undecided = map(Checked, Verdict)
    pairs = [
        [(claim(ClaimKind.COUNT, "exactly", 2), supported), (claim(ClaimKind.RELATION, "on"), undecided)],
        [(claim(ClaimKind.COUNT, "exactly", 2), contradicted), (claim(ClaimKind.COUNT, "exactly", 3), supported)],
        [(claim(ClaimKind.COUNT, "exactly", 1999), undecided), (claim(ClaimKind.COUNT, "exactly", 21), undecided)],
        [(claim(ClaimKind.RANK, "from_left", 1), supported), (claim(ClaimKind.RANK, "from_left", 2), contradicted)],
    ]
    counts = of(pairs)
    assert counts == (
        ClaimCount("count", "exactly", 2, 1, 1, 0),
        ClaimCount("count", "exactly", 3, 1, 0, 0),
        ClaimCount("count", "exactly", MANY, 0, 0, 2),
        ClaimCount("rank", "from_left", 0, 1, 1, 0),
        ClaimCount("relation", "on", 0, 0, 0, 1),
    )
    assert [(one.stated, one.total) for one in counts] == [("2", 2), ("3", 1), ("more than 20", 2), ("", 2), ("", 1)]
    assert claims_line(counts) == "8 claims checked, 2 contradicted (1 count, 1 rank), 3 undecided"
    assert claims_line(counts[1:2]) == "1 claim checked, 0 contradicted, 0 undecided"
    assert claims_line(()) == ""


@given(PAIRS, st.lists(st.integers(0, 8)))
def test_the_counts_of_any_parts_add_up_to_those_of_the_whole(pairs, cuts):
    borders = [0, *sorted(cuts), len(pairs)]
    parts = [of(pairs[first:last]) for first, last in pairwise(borders)]
    assert add_up(parts) == add_up(parts[::-1]) == of(pairs)
    assert sum(one.total for one in of(pairs)) == sum(map(len, pairs))


def test_more_than_a_tenth_of_the_pairs_is_worth_a_warning():
    rejected = {"no_box": 500, "contradicted_relation": 4, "contradicted_rank": 1, "contradicted_count": 5}
    assert rejected_line(rejected, 90) == ""
    assert rejected_line(rejected, 89).startswith(
        "contradicted claims reject 10 of 99 pairs that would be written otherwise (10%)"
    )
    assert rejected_line({"contradicted_count": 1}, 0).startswith("contradicted claims reject 1 of 1 pair that")
    assert rejected_line({}, 0) == rejected_line({"no_box": 5}, 1) == ""
