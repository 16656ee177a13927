"""Verdicts are computed again from a record: no true one is called wrong, and a changed one is found."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gritmill.validation.claims import Recount, given_faults, sheet_faults, verdict_faults
from gritmill.validation.manifest import GivenBoxes
from gritmill.validation.record import record_model
from tests.pipeline.pack.test_judge_decoys import boxes
from transforms.annotations.annotate import given_links
from transforms.annotations.columns import AnnotationColumns
from transforms.grit_record import compose
from transforms.records import Box, Claim, ClaimKind, Pair, Phrase
from transforms.selection.check_kept import check_pair
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings

CAPTION = "two dogs by a dog with table-legs, and no cats"
TWO, ONE, LEGS, NONE = (0, 8), (12, 17), (23, 33), (39, 46)
PHRASES = (
    Phrase(*TWO, 4, 8, *TWO),
    Phrase(*ONE, 14, 17, *ONE),
    Phrase(*LEGS, 29, 33, *LEGS),
    Phrase(*NONE, 42, 46, *NONE),
)
COUNTS = [
    *(Claim(ClaimKind.COUNT, 0, 3, *TWO, "exactly", number) for number in (1, 2, 3)),
    Claim(ClaimKind.COUNT, 12, 13, *ONE, "at_least", 1),
    Claim(ClaimKind.COUNT, 29, 33, *LEGS, "at_least", 2),
    Claim(ClaimKind.COUNT, 23, 28, *LEGS, "exactly", 4),
    Claim(ClaimKind.COUNT, 39, 41, *NONE, "none"),
    Claim(ClaimKind.COUNT, 9, 11, 9, 11, "none"),  # the detector was not asked for it
]
OTHERS = [
    *(Claim(ClaimKind.RANK, 0, 3, *ONE, predicate, 1) for predicate in ("from_left", "largest")),
    *(Claim(ClaimKind.RELATION, 9, 11, *TWO, name, objects=ONE) for name in ("left_of", "in", "by", "behind")),
    *(Claim(ClaimKind.RELATION, 9, 11, *TWO, name, 0, True, ONE) for name in ("left_of", "on")),
    Claim(ClaimKind.RELATION, 9, 11, *ONE, "between", objects=(*TWO, *LEGS)),
    Claim(ClaimKind.RELATION, 9, 11, *ONE, "picture_left"),
]
GIVEN = AnnotationColumns(boxes=("objects",), format="xyxy", unit="fractions")
OF_SOURCE = '{"objects": []}'
CROWD = json.dumps(
    {"objects": [{"bbox": [0, 0, 0.5, 0.5], "start": at[0], "end": at[1], "iscrowd": 1} for at in (TWO, ONE)]}
)
PLACED = st.lists(boxes(), min_size=2, max_size=2)
SETTINGS = st.builds(
    SelectionSettings, boxes_per_phrase=st.sampled_from([None, 1, 2]), boxes_per_pair=st.sampled_from([None, 3])
)


def record_of(found, settings, cut, claims, meta="{}"):
    """The record of a pair. found: boxes of the first two phrases, and of the last two."""
    first, last = found
    of_all = (*first, *(Box(box.phrase + 2, *box.corners, box.score) for box in last))
    pair = Pair("k", "s", 0, CAPTION, width=64, height=48, phrases=PHRASES, boxes=of_all, claims=tuple(claims))
    pair = replace(pair, boxes_cut=cut, meta=meta)
    kept = select(pair, settings, 0.25)
    return compose("000000000", pair, kept, check_pair(pair, kept, settings, 0.25, given_links(pair, GIVEN)))


def faults(record):
    return list(verdict_faults(record_model().model_validate_json(json.dumps(record)), GIVEN))


@given(PLACED, SETTINGS, st.sampled_from([0, 3]), st.sampled_from(["{}", OF_SOURCE, CROWD]))
def test_no_verdict_of_pack_is_called_wrong(found, settings, cut, meta):
    record = record_of(found, settings, cut, [*COUNTS, *OTHERS], meta)
    if record["noun_chunks"]:
        assert faults(record) == []


@given(PLACED, st.sampled_from(OTHERS), st.integers(0, 2))
def test_another_verdict_on_a_relation_or_a_rank_is_found(found, claim, which):
    record = record_of(found, SelectionSettings(), 0, [claim])
    other = ("supported", "contradicted", "undecided")[which]
    if record["noun_chunks"] and other != record["claims"][0]["verdict"]:
        record["claims"][0]["verdict"] = other
        (fault,) = faults(record)
        assert fault.startswith(f"claim 0: {other} ")


@pytest.mark.parametrize(
    ("predicate", "number", "verdict", "measured"),
    [
        ("exactly", 1, "contradicted", {"boxes": 1, "groups": 0}),
        ("exactly", 1, "supported", {"boxes": 2, "groups": 0}),
        ("exactly", 1, "supported", {"boxes": 1, "groups": 1}),
        ("exactly", 2, "supported", {"boxes": 1, "groups": 0, "at_floor": 2}),
        ("exactly", 2, "contradicted", {"boxes": 1, "groups": 0, "at_floor": 2}),
        ("exactly", 2, "undecided", {"boxes": 1, "groups": 0}),
        ("at_least", 1, "undecided", {"boxes": 1, "groups": 0}),
        ("none", 0, "supported", {"boxes": 1, "groups": 0}),
    ],
)
def test_a_count_that_no_candidates_explain_is_found(predicate, number, verdict, measured):
    claim = Claim(ClaimKind.COUNT, 0, 3, *TWO, predicate, number)
    record = record_of([(Box(0, 0.0, 0.0, 0.5, 0.5, 0.5),), ()], SelectionSettings(), 0, [claim])
    record["claims"][0] |= {"verdict": verdict, "measured": json.dumps(measured)}
    assert len(faults(record)) == 1


@pytest.mark.parametrize(
    ("meta", "verdict", "measured", "wrong"),
    [
        (OF_SOURCE, "undecided", {"boxes": 1, "groups": 0}, 0),
        (OF_SOURCE, "contradicted", {"boxes": 1, "groups": 0, "at_floor": 1}, 1),
        (OF_SOURCE, "undecided", {"boxes": 1, "groups": 0, "at_floor": 2}, 1),
        (OF_SOURCE, "contradicted", {"boxes": 1, "groups": 0}, 1),
        ('{"objects": null}', "undecided", {"boxes": 1, "groups": 0}, 1),
        ('{"objects": null}', "contradicted", {"boxes": 1, "groups": 0, "at_floor": 1}, 0),
        ('{"others": []}', "contradicted", {"boxes": 1, "groups": 0, "at_floor": 1}, 0),
    ],
)
def test_boxes_of_the_source_contradict_no_count_that_they_fall_short_of(meta, verdict, measured, wrong):
    claim = Claim(ClaimKind.COUNT, 0, 3, *TWO, "exactly", 2)
    record = record_of([(Box(0, 0.0, 0.0, 0.5, 0.5, 0.5),), ()], SelectionSettings(), 0, [claim], meta)
    record["claims"][0] |= {"verdict": verdict, "measured": json.dumps(measured)}
    assert len(faults(record)) == wrong


def test_boxes_of_the_source_are_counted_again():
    recount = Recount(GIVEN)
    for meta in (OF_SOURCE, "{}", CROWD):
        found = record_of([(Box(0, 0.0, 0.0, 0.5, 0.5, 0.5),), ()], SelectionSettings(), 0, [], meta)
        recount.add(record_model().model_validate_json(json.dumps(found)))
    assert (recount.given_pairs, recount.given_boxes) == (2, 2)
    assert list(given_faults(GivenBoxes(pairs=2, boxes=2), 2, 2)) == []
    told = "given_boxes: 3 boxes of 2 pairs, but 2 boxes of 2 pairs were counted"
    assert list(given_faults(GivenBoxes(pairs=2, boxes=3), 2, 2)) == [told]
    assert list(given_faults(None, 2, 2)) == ["given_boxes: not there, but 2 boxes of 2 pairs were counted"]


def test_impossible_decoys_are_found():
    sheet = {"decoys": 4, "decoy_pairs": 2, "decoys_found": 2, "decoy_boxes": 2, "absent": 2}
    assert list(sheet_faults(sheet, sheet, "records")) == []
    for name, number in {"decoys": 3, "decoy_pairs": 0, "decoys_found": 3, "decoy_boxes": 1, "absent": 3}.items():
        wrong = sheet | {name: number}
        (fault,) = sheet_faults(wrong, wrong, "records")
        assert fault.startswith("truth_sheet: ")
        assert fault.endswith(" decoys")


def test_sizes_that_no_picture_has_are_a_fault():
    claims = [Claim(ClaimKind.RELATION, 9, 11, *TWO, "left_of", objects=ONE)]
    found = [(Box(0, 0.0, 0.0, 0.5, 0.5, 0.5), Box(1, 0.5, 0.0, 0.9, 0.5, 0.5)), ()]
    record = record_of(found, SelectionSettings(), 0, claims)
    assert faults(record) == []
    (fault,) = faults(record | {"width": 1, "height": 10**400})
    assert fault.startswith("claim 0: ")
