"""Selecting from a chunk's rows as arrays gives the same results as judging its pairs one by one."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pack.count import judge_rows
from pipeline.pack.select_rows import SelectedRows
from pipeline.pack.statistics import Statistics
from pipeline.tables.pair_rows import SCHEMA, from_table, to_row
from transforms.records import Box, Claim, ClaimKind, Drop, Dropped, FailureStage, Fault, ImageRef, Pair, Phrase, Reason
from transforms.selection.check_kept import check_pair
from transforms.selection.judge import Kept, Policy, Rejected, judge
from transforms.selection.select_boxes import area, in_record_order
from transforms.selection.threshold_sweep import rank_candidates, sweep
from transforms.settings import SelectionSettings, TextSettings

CAPTION = "a dog near the c[1 cat and two mén"
PHRASES = (Phrase(0, 5, 2, 5, 0, 22), Phrase(11, 22, 19, 22, 11, 22), Phrase(27, 34, 31, 34, 27, 34))
SHARES = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.625])
REPEATED = (PHRASES[0], PHRASES[1], Phrase(0, 5, 2, 5, 0, 5))
"""The first and the last one are ambiguous if they have the same boxes."""
SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1, width=32))


@st.composite
def candidates(draw: st.DrawFn) -> Box:
    x, y = draw(SHARES), draw(SHARES)
    return Box(
        draw(st.integers(0, 2)), x, y, x + draw(SHARES) / 2 + 0.0625, y + draw(SHARES) / 2 + 0.0625, draw(SCORES)
    )


CLAIMS = (
    Claim(ClaimKind.COUNT, 27, 30, 27, 34, "exactly", 2),
    Claim(ClaimKind.COUNT, 0, 1, 0, 5, "at_least", 1),
    Claim(ClaimKind.RELATION, 6, 10, 0, 5, "left_of", objects=(11, 22)),
    Claim(ClaimKind.RANK, 0, 1, 0, 5, "from_left", 1),
)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    boxes = draw(st.lists(candidates(), max_size=12))
    if draw(st.booleans()):
        boxes = [box for box in boxes if box.phrase < 2]
        boxes += [replace(box, phrase=2) for box in boxes if box.phrase == 0]
    pair = Pair(
        draw(st.text("kä", max_size=3)),
        "s",
        draw(st.integers(0, 99)),
        draw(st.sampled_from([CAPTION, CAPTION.replace("[", ""), CAPTION.replace("é", "e"), " "])),
        ImageRef("s", draw(st.integers(-1, 3)), draw(st.integers(0, 1 << 40)), 7, "00ff"),
        url="u",
        id="1",
        width=640,
        height=480,
        phrases=draw(st.sampled_from([PHRASES, (PHRASES[0], PHRASES[1], PHRASES[0]), REPEATED])),
        dropped=draw(st.sampled_from([(), (Dropped(1, 2, Drop.PRONOUN), Dropped(3, 4, Drop.TOO_LONG))])),
        boxes=tuple(boxes),
        boxes_cut=draw(st.integers(0, 3)),
        claims=draw(st.sampled_from([CLAIMS[:number] for number in range(len(CLAIMS) + 1)])),
    )
    bare = replace(pair, phrases=(), boxes=())
    failed = pair.failed(Fault(FailureStage.IMAGE, Reason.TRUNCATED, "cut"))
    return draw(st.sampled_from([pair, pair, pair, bare, failed]))


POLICIES = st.builds(
    Policy,
    st.builds(
        SelectionSettings,
        nms_iou=st.sampled_from([0.3, 0.7]),
        boxes_per_phrase=st.sampled_from([None, 1]),
        boxes_per_pair=st.sampled_from([None, 2]),
        ambiguous_phrases=st.sampled_from(["drop", "first"]),
        groups=st.sampled_from(["drop", "keep"]),
        claims=st.sampled_from(["drop_contradicted", "keep"]),
        count_claims=st.sampled_from(["drop_contradicted", "keep"]),
    ),
    st.sampled_from([0.0, 0.25, 0.333, 0.5]),
    st.builds(
        TextSettings,
        dialect=st.sampled_from(["kosmos2", ("kosmos2", "florence2"), "qwen-vl", "internvl", "normalized"]),
        spans=st.sampled_from(["longest", "densest"]),
    ),
)


def table(some: list[Pair]) -> pa.Table:
    return pa.Table.from_pylist([to_row(pair) for pair in some], SCHEMA)


@given(st.lists(pairs(), max_size=6))
def test_a_pair_comes_back_as_it_was(some: list[Pair]) -> None:
    assert list(from_table(table(some))) == some
    assert list(from_table(table([*some, *some]).slice(len(some)))) == some


@given(st.lists(pairs(), max_size=6), POLICIES)
def test_a_chunk_is_selected_from_as_its_pairs_are(some: list[Pair], policy: Policy) -> None:
    selected = SelectedRows.from_table(table(some), policy.selection, policy.threshold)
    found = list(selected.pairs())
    assert [pair for pair, _ in found] == [replace(pair, boxes=()) for pair in some]
    best_first = [rank_candidates(pair, replace(policy, selection=policy.selection)) for pair in some]
    assert [list(kept) for _, kept in found] == [
        [grounding for grounding in every if grounding.box.score >= policy.threshold] for every in best_first
    ]
    first = [g.phrase not in {h.phrase for h in kept[:at]} for _, kept in found for at, g in enumerate(kept)]
    if all(len(set(pair.phrases)) == len(pair.phrases) for pair in some):
        assert selected.is_best.tolist() == first


@given(st.lists(pairs(), max_size=6), POLICIES)
def test_a_chunk_is_judged_and_counted_as_its_pairs_are(some: list[Pair], policy: Policy) -> None:
    found, wanted = Statistics.empty(policy.threshold), Statistics.empty(policy.threshold)
    outcomes = list(judge_rows(SelectedRows.from_table(table(some), policy.selection, 0.0), policy, (0, 0, 0), found))
    for row, pair in enumerate(some):
        outcome = judge(pair, policy)
        told = outcomes[row][1]
        if isinstance(outcome, Kept):
            assert isinstance(told, Kept)
            assert told.groundings == outcome.groundings
            assert told.texts in ({}, outcome.texts)
        else:
            assert told == outcome
        every = rank_candidates(pair, policy)
        if every and isinstance(outcome, Kept | Rejected):
            wanted.add(pair, every[0].box.score, outcome, policy.threshold, (0, 0, 0, row))
            boxes = [grounding.box for grounding in outcome.groundings] if isinstance(outcome, Kept) else []
            wanted.boxes_per_pair.update([len(boxes)] if boxes else [])
            wanted.score.update(min(int(box.score * 50), 49) for box in boxes)
            wanted.box_area.update(min(int(area(*box.corners) * 50), 49) for box in boxes)
            wanted.add_sweep(sweep(pair, every, policy, wanted.thresholds))
    assert found == wanted


@given(st.lists(pairs(), max_size=6), POLICIES)
def test_counting_and_writing_agree(some: list[Pair], policy: Policy) -> None:
    """The first pass selects without a threshold, the second one with it."""
    every = SelectedRows.from_table(table(some), policy.selection, 0.0)
    counted = [outcome for _, outcome in judge_rows(every, policy, (0, 0, 0), Statistics.empty(policy.threshold))]
    selected = SelectedRows.from_table(table(some), policy.selection, policy.threshold)
    written = [outcome for _, _, outcome in selected.outcomes(policy)]
    for outcomes in (counted, written):
        outcomes[:] = [replace(one, texts={}) if isinstance(one, Kept) else one for one in outcomes]
    assert written == counted


@given(st.lists(pairs(), max_size=6), POLICIES)
def test_the_claims_of_a_chunk_are_checked_as_those_of_each_pair(some: list[Pair], policy: Policy) -> None:
    selected = SelectedRows.from_table(table(some), policy.selection, policy.threshold)
    outcomes = [judge(pair, policy) for pair in some]
    kept = [(row, outcome) for row, outcome in enumerate(outcomes) if isinstance(outcome, Kept)]
    found = [one.verdicts for one in selected.with_verdicts(kept, policy)]
    assert found == [check_pair(o.pair, o.groundings, policy.selection, policy.threshold) for _, o in kept]
    assert [len(verdicts) for verdicts in found] == [len(outcome.pair.claims) for _, outcome in kept]


def test_some_of_what_is_selected() -> None:
    boxes = tuple(Box(i, 0.25 * i, 0, 0.25 * i + 0.125, 1, 0.5) for i in range(3))
    pair = Pair("k", "s", 0, CAPTION, phrases=PHRASES, boxes=boxes)
    selected = SelectedRows.from_table(table([pair, pair]), SelectionSettings(), 0.0)
    some = selected.subset(np.array([0, 4]))
    assert [[g.box for g in kept] for _, kept in some.pairs()] == [[pair.boxes[0]], [pair.boxes[1]]]
    wanted = rank_candidates(pair, Policy(SelectionSettings(), 0, TextSettings()))
    for rows in ({}, {1: pair}, {0: pair, 1: pair}):
        assert list(map(in_record_order, selected.groundings(rows))) == [wanted] * len(rows)
