"""The steps of a pair agree with judging it separately at each threshold."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.annotations.annotate import given_links
from transforms.annotations.columns import AnnotationColumns
from transforms.claims.verdicts import Checked
from transforms.records import Box, Claim, ClaimKind, ImageRef, Pair, Phrase
from transforms.selection.check_kept import SelectedPair, ThresholdChecker, check_pair, threshold_checkers
from transforms.selection.contradictions import rejecting_claims
from transforms.selection.judge import Kept, Policy, judge
from transforms.selection.select_boxes import candidates_of, select
from transforms.selection.threshold_sweep import THRESHOLDS, rank_candidates, sweep, sweep_verdicts
from transforms.settings import SelectionSettings, TextSettings
from transforms.text import dialects

CAPTION = "a dog near the <b> cat and two men"
PHRASES = (Phrase(0, 5, 2, 5, 0, 22), Phrase(11, 22, 19, 22, 11, 22), Phrase(27, 34, 31, 34, 27, 34))

CLAIMS = (
    Claim(ClaimKind.COUNT, 27, 30, 27, 34, "exactly", 2),
    Claim(ClaimKind.COUNT, 11, 18, 11, 22, "none"),
    Claim(ClaimKind.RELATION, 6, 10, 0, 5, "left_of", objects=(11, 22)),
    Claim(ClaimKind.RANK, 0, 1, 0, 5, "from_left", 1),
    Claim(ClaimKind.COUNT, 0, 1, 0, 5, "at_least", 1),
    Claim(ClaimKind.COUNT, 27, 30, 27, 34, "at_least", 2),
    Claim(ClaimKind.COUNT, 27, 30, 27, 34, "exactly", 2, negated=True),
    Claim(ClaimKind.RELATION, 6, 10, 0, 5, "above", objects=(11, 22), negated=True),
    Claim(ClaimKind.RELATION, 6, 10, 27, 34, "near", objects=(0, 5, 11, 22)),
    Claim(ClaimKind.RELATION, 6, 10, 27, 34, "left_of", objects=(27, 34)),
    Claim(ClaimKind.RELATION, 6, 10, 0, 5, "middle_of", objects=(27, 34)),
    Claim(ClaimKind.RELATION, 6, 10, 0, 5, "between", objects=(27, 34)),
    Claim(ClaimKind.RELATION, 6, 10, 0, 5, "picture_left"),
)

GIVEN = AnnotationColumns(boxes=("objects",), format="xyxy", unit="fractions")
METAS = (
    "{}",
    '{"objects": []}',
    '{"objects": [{"bbox": [0, 0, 0.5, 0.5], "label": "man", "iscrowd": 1}, {"bbox": [0, 0, 1, 1], "label": "dog"}]}',
)
"""Of a pair that the detector has looked at, and of pairs that come with boxes."""

SHARES = st.sampled_from([0.0, 0.1, 0.2, 0.4, 0.5, 0.55, 0.8])
SCORES = st.one_of(st.sampled_from([0.0, 0.05, 0.25, 0.5, 1.0]), st.floats(0, 1, width=32))


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = draw(SHARES), draw(SHARES)
    return Box(draw(st.integers(0, 2)), x, y, x + draw(SHARES) / 5 + 0.01, y + draw(SHARES) / 5 + 0.01, draw(SCORES))


def by_level(pair: Pair, policy: Policy, checker: ThresholdChecker | None = None) -> Iterator[tuple[int, int]]:
    """Yields phrases and boxes at each level of the grid, computed from the steps."""
    found = {
        step.level: (0, 0) if step.rejection else (step.phrases, step.boxes)
        for step in sweep(pair, rank_candidates(pair, policy), policy, checker=checker)
    }
    now = (0, 0)
    for level in reversed(range(len(THRESHOLDS))):
        now = found.get(level, now)
        yield now


def judged(pair: Pair, policy: Policy) -> Iterator[tuple[int, int]]:
    for score in reversed(THRESHOLDS):
        outcome = judge(pair, replace(policy, threshold=score))
        kept = outcome.groundings if isinstance(outcome, Kept) else ()
        yield len({grounding.phrase for grounding in kept}), len(kept)


@settings(max_examples=settings.default.max_examples // 2)
@given(
    st.lists(boxes(), max_size=12),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 1, 3]),
    st.sampled_from(["keep", "drop"]),
    st.sampled_from(sorted(dialects.names())),
    st.sampled_from(["longest", "densest"]),
    st.sampled_from(
        [CAPTION, CAPTION.replace("<b>", "big"), CAPTION.replace("cat", "c[1"), CAPTION.replace("men", "m\u00e9n")]
    ),
)
def test_the_steps_are_what_judging_at_each_threshold_gives(
    found, per_phrase, per_pair, groups, dialect, spans, caption
) -> None:
    selection = SelectionSettings(
        boxes_per_phrase=per_phrase, boxes_per_pair=per_pair, min_area=0.001, groups=groups, nms_iou=0.5
    )
    policy = Policy(selection, 0.25, TextSettings(dialect=dialect, spans=spans))
    pair = Pair("k", "s", 0, caption, ImageRef("s"), width=640, height=480, phrases=PHRASES, boxes=tuple(found))
    assert list(by_level(pair, policy)) == list(judged(pair, policy))


@settings(max_examples=settings.default.max_examples * 2)
@given(
    st.lists(boxes(), max_size=12),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 1, 3]),
    st.sampled_from(["keep", "drop"]),
    st.sampled_from([("drop_contradicted", "keep"), ("keep", "drop_contradicted"), ("drop_contradicted",) * 2]),
    st.lists(st.sampled_from(CLAIMS), unique=True),
    st.sampled_from([0, 3]),
    st.sampled_from(METAS),
)
def test_the_steps_know_the_verdicts_at_each_threshold(
    found, per_phrase, per_pair, groups, rules, claims, cut, meta
) -> None:
    selection = SelectionSettings(
        boxes_per_phrase=per_phrase, boxes_per_pair=per_pair, groups=groups, claims=rules[0], count_claims=rules[1]
    )
    policy = Policy(selection, 0.25, TextSettings(dialect=("internvl",)), given=GIVEN)
    pair = Pair(
        "k",
        "s",
        0,
        CAPTION.replace("<b>", "big"),
        meta=meta,
        width=640,
        height=480,
        phrases=PHRASES,
        boxes=tuple(found),
        claims=tuple(claims),
        boxes_cut=cut,
    )
    wanted = list(judged(pair, policy))
    assert list(by_level(pair, policy)) == wanted
    every = replace(pair, claims=rejecting_claims(pair.claims, selection))  # also those that no threshold contradicts
    one = SelectedPair(0, every, rank_candidates(pair, policy), given_links(pair, GIVEN))
    (checker,) = threshold_checkers([one], candidates_of(pair), selection)
    assert list(by_level(pair, policy, checker)) == wanted


NEGATED = tuple(replace(claim, negated=True) for claim in CLAIMS)
AT_LEAST = Claim(ClaimKind.COUNT, 27, 30, 27, 34, "at_least", 2)


@settings(max_examples=settings.default.max_examples // 2)
@given(
    st.lists(boxes(), max_size=12),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 1, 3]),
    st.sampled_from(["keep", "drop"]),
    st.lists(st.sampled_from([*CLAIMS, *NEGATED, AT_LEAST]), min_size=1, max_size=4),
    st.sampled_from([0, 3]),
    st.sampled_from(METAS),
)
def test_the_verdicts_are_those_at_each_threshold(found, per_phrase, per_pair, groups, claims, cut, meta) -> None:
    selection = SelectionSettings(boxes_per_phrase=per_phrase, boxes_per_pair=per_pair, groups=groups)
    policy = Policy(selection, 0.25, TextSettings(), given=GIVEN)
    pair = Pair("k", "s", 0, CAPTION, width=640, height=480, phrases=PHRASES, boxes=tuple(found), claims=tuple(claims))
    pair = replace(pair, boxes_cut=cut, meta=meta)
    changes = dict(sweep_verdicts(pair, rank_candidates(pair, policy), policy, THRESHOLDS))
    now: list[Checked] = []
    for level in reversed(range(len(THRESHOLDS))):
        now = changes.get(level, now)
        kept = select(pair, selection, THRESHOLDS[level])
        links = given_links(pair, GIVEN)
        assert tuple(now) == (check_pair(pair, kept, selection, THRESHOLDS[level], links) if kept else ())


def test_a_pair_that_is_carried_with_few_boxes_only() -> None:
    found = (Box(0, 0.0, 0.0, 0.2, 0.2, 0.9), Box(2, 0.5, 0.5, 0.9, 0.9, 0.5))
    caption = CAPTION.replace("<b>", "big").replace("men", "m\u00e9n")
    pair = Pair("k", "s", 0, caption, ImageRef("s"), width=64, height=48, phrases=PHRASES, boxes=found)
    policy = Policy(SelectionSettings(), 0.25, TextSettings(dialect=("florence2",)))
    counts = list(by_level(pair, policy))
    assert counts == [(0, 0)] * 10 + [(1, 1)] * 40 + [(0, 0)] * 51
    assert counts == list(judged(pair, policy))


def test_a_text_is_written_at_most_once_a_level(monkeypatch) -> None:
    """A caption with very many phrases needs hundreds of texts, not one for each phrase."""
    written = []
    monkeypatch.setattr(
        "transforms.selection.threshold_sweep.encode_texts", lambda *given: written.append(len(given[1]))
    )
    caption = "dog " * 600
    phrases = tuple(Phrase(4 * i, 4 * i + 3, 4 * i, 4 * i + 3, 4 * i, 4 * i + 3) for i in range(600))
    found = tuple(Box(i, i / 600, 0.0, i / 600 + 0.001, 0.5, (i + 1) / 601) for i in range(600))
    pair = Pair("k", "s", 0, caption, ImageRef("s"), width=640, height=480, phrases=phrases, boxes=found)
    policy = Policy(SelectionSettings(), 0.25, TextSettings(dialect=("loc1000",)))
    assert sum(step.boxes for step in sweep(pair, rank_candidates(pair, policy), policy)) > 600
    assert len(written) <= len(THRESHOLDS)
    assert max(written) == 600


def test_a_limit_that_may_hide_a_box_changes_a_verdict_between_two_boxes() -> None:
    """From the score of the last candidate down, the limit of candidates may have removed a third man."""
    again = Box(2, 0.0, 0.0, 0.2, 0.21, 0.3)  # suppressed, so it is in no step of its own
    found = (Box(2, 0.0, 0.0, 0.2, 0.2, 0.9), Box(2, 0.5, 0.5, 0.7, 0.7, 0.8), again)
    not_two = Claim(ClaimKind.COUNT, 27, 30, 27, 34, "exactly", 2, negated=True)
    caption = CAPTION.replace("<b>", "big")
    pair = Pair("k", "s", 0, caption, width=64, height=48, phrases=PHRASES, boxes=found, claims=(not_two,), boxes_cut=1)
    policy = Policy(SelectionSettings(count_claims="drop_contradicted"), 0.25, TextSettings())
    counts = list(by_level(pair, policy))
    assert counts == [(0, 0)] * 10 + [(1, 1)] * 10 + [(0, 0)] * 50 + [(1, 2)] * 31
    assert counts == list(judged(pair, policy))
    verdicts = dict(sweep_verdicts(pair, rank_candidates(pair, policy), policy, THRESHOLDS))
    assert {level: checked.verdict.value for level, (checked,) in verdicts.items()} == {
        90: "undecided",
        80: "contradicted",
        30: "undecided",
    }


TWO_DOGS = "a dog and a dog"
FIRST, SECOND = Phrase(0, 5, 2, 5, 0, 5), Phrase(10, 15, 12, 15, 10, 15)


@pytest.mark.parametrize(
    ("claim", "phrase"),
    [
        (Claim(ClaimKind.RANK, 0, 1, 0, 5, "from_left", 1), 1),
        (Claim(ClaimKind.COUNT, 0, 1, 0, 5, "at_least", 2, negated=True), 0),
    ],
)
def test_a_later_box_contradicts_what_was_not_contradicted(claim, phrase) -> None:
    """A box of another phrase with the noun of a rank; and a second one where there are not two."""
    boxes = (Box(0, 0.5, 0.2, 0.7, 0.5, 0.9), Box(phrase, 0.0, 0.2, 0.2, 0.5, 0.5))
    pair = Pair("k", "s", 0, TWO_DOGS, width=64, height=48, phrases=(FIRST, SECOND), boxes=boxes, claims=(claim,))
    policy = Policy(
        SelectionSettings(claims="drop_contradicted", count_claims="drop_contradicted"), 0.25, TextSettings()
    )
    counts = list(by_level(pair, policy))
    assert counts == list(judged(pair, policy)) == [(0, 0)] * 10 + [(1, 1)] * 40 + [(0, 0)] * 51
