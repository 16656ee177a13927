import pytest

from transforms.claims.verdicts import Checked, Verdict
from transforms.records import Box, Claim, ClaimKind, Pair, Phrase, Reason
from transforms.selection.contradictions import REASONS, contradiction, rejecting_claims
from transforms.selection.judge import Kept, Policy, Rejected, judge
from transforms.settings import SelectionSettings, TextSettings

CAPTION = "two dogs left of a cup"
DOGS, CUP = Phrase(0, 8, 4, 8, 0, 22), Phrase(17, 22, 19, 22, 17, 22)
TWO = Claim(ClaimKind.COUNT, 0, 3, 0, 8, "exactly", 2)
LEFT = Claim(ClaimKind.RELATION, 9, 16, 0, 8, "left_of", objects=(17, 22))
FIRST = Claim(ClaimKind.RANK, 0, 3, 0, 8, "from_left", 1)
DOGS_ONLY = Claim(ClaimKind.COUNT, 4, 8, 0, 8, "at_least", 2)
BEHIND = Claim(ClaimKind.RELATION, 9, 16, 0, 8, "behind", objects=(17, 22))
KEEP, DROP = "keep", "drop_contradicted"


def settings(claims, count_claims):
    return SelectionSettings(claims=claims, count_claims=count_claims)


def pair(*boxes, claims=(TWO, LEFT)):
    return Pair("k", "s", 0, CAPTION, phrases=(DOGS, CUP), boxes=boxes, claims=claims, width=64, height=64)


def at(phrase, x):
    return Box(phrase, x, 0.0, x + 0.2, 0.5, 0.9)


def outcome(one, claims, count_claims, threshold=0.5):
    return judge(one, Policy(settings(claims, count_claims), threshold, TextSettings()))


@pytest.mark.parametrize(
    ("claims", "count_claims", "reason"),
    [
        (KEEP, KEEP, None),
        (DROP, KEEP, "contradicted_relation"),
        (KEEP, DROP, "contradicted_count"),
        (DROP, DROP, "contradicted_count"),  # the first one in the caption
    ],
)
def test_each_setting_is_for_its_kinds(claims, count_claims, reason):
    found = outcome(pair(at(0, 0.7), at(1, 0.0)), claims, count_claims)  # one dog, on the right
    if reason:
        assert found == Rejected(reason)
    else:
        assert isinstance(found, Kept)
        assert [one.verdict for one in found.verdicts] == [Verdict.CONTRADICTED, Verdict.CONTRADICTED]


def test_a_pair_that_is_not_contradicted_stays():
    sound = pair(at(0, 0.0), at(0, 0.25), at(1, 0.7))
    assert isinstance(outcome(sound, DROP, DROP), Kept)
    undecided = pair(at(0, 0.0), at(0, 0.05), at(1, 0.1), claims=(LEFT, BEHIND, DOGS_ONLY))
    assert isinstance(outcome(undecided, DROP, DROP), Kept)


def test_a_rank_goes_with_the_relations():
    verdicts = [Checked(Verdict.CONTRADICTED)]
    assert contradiction([FIRST], verdicts, settings(DROP, KEEP)) is Reason.CONTRADICTED_RANK
    assert contradiction([FIRST], verdicts, settings(KEEP, DROP)) is None


def test_every_kind_has_a_reason_of_its_own():
    assert REASONS.keys() == set(ClaimKind)
    assert len(set(REASONS.values())) == len(REASONS)


def test_claims_that_no_boxes_contradict_reject_nothing():
    every = (TWO, LEFT, FIRST, DOGS_ONLY, BEHIND)
    assert rejecting_claims(every, settings(DROP, DROP)) == (TWO, LEFT, FIRST)
    assert rejecting_claims(every, settings(DROP, KEEP)) == (LEFT, FIRST)
    assert rejecting_claims(every, settings(KEEP, DROP)) == (TWO,)
    assert rejecting_claims(every, settings(KEEP, KEEP)) == ()


def test_another_reason_comes_first():
    assert outcome(pair(), DROP, DROP) == Rejected("no_box")
    assert outcome(pair(at(0, 0.7), claims=()), DROP, DROP).groundings
