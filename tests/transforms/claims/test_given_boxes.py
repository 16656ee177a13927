"""Claims of captions, as the embedded parser reads them, on boxes that the source brings: nobody looked for others."""

import json
from dataclasses import replace

import pytest

from pipeline.stages.phrases import Phrases
from transforms.annotations.annotate import given_links, with_given_boxes
from transforms.annotations.columns import AnnotationColumns
from transforms.claims.check_claims import check_claims
from transforms.claims.verdicts import PhraseBoxes, Verdict
from transforms.records import Box, Claim, ClaimKind, Pair, Reason
from transforms.selection.judge import Kept, Policy, Rejected, judge
from transforms.selection.threshold_sweep import THRESHOLDS, rank_candidates, sweep, sweep_verdicts
from transforms.settings import PhraseSettings, SelectionSettings, TextSettings

S, C, U = Verdict.SUPPORTED, Verdict.CONTRADICTED, Verdict.UNDECIDED
COLUMNS = AnnotationColumns(boxes=("objects",), format="xyxy", unit="fractions")
DROP = SelectionSettings(claims="drop_contradicted", count_claims="drop_contradicted")
LEFT, MIDDLE, RIGHT = [0.0, 0.4, 0.2, 0.6], [0.4, 0.4, 0.6, 0.6], [0.8, 0.4, 1.0, 0.6]


@pytest.fixture(scope="module")
def read():
    """Returns a function: a caption and the boxes of the source by label -> the pair; without boxes, also of none."""
    extractor = Phrases(PhraseSettings(model="caption-parser")).load()

    def pair(caption, boxes=None, **marks):
        [parsed] = extractor.process([Pair("k", "s", 0, caption)])
        sized = replace(parsed, width=640, height=480)
        if boxes is None:
            return sized
        items = [{"bbox": box, "label": label, **marks} for label, of_label in boxes.items() for box in of_label]
        return with_given_boxes(replace(sized, meta=json.dumps({"objects": items})), COLUMNS)

    return pair


def judged(pair, selection=None):
    return judge(pair, Policy(selection or SelectionSettings(), 0.25, TextSettings(), given=COLUMNS))


def said(pair):
    """The verdict and the numbers of each claim: by the words of its subject, its predicate and its number."""
    kept = judged(pair)
    assert isinstance(kept, Kept), kept
    return {
        (pair.caption[slice(*claim.subject)], claim.predicate, claim.number): (one.verdict, one.measured)
        for claim, one in zip(pair.claims, kept.verdicts, strict=True)
    }


def test_what_the_source_did_not_draw_may_be_there(read):
    found = said(read("Two dogs and a cat near three cars", {"dog": [LEFT], "car": [RIGHT, MIDDLE]}))
    assert found["Two dogs", "exactly", 2] == (U, {"boxes": 1, "groups": 0})
    assert found["a cat", "at_least", 1] == (U, {"boxes": 0, "groups": 0})
    assert found["three cars", "exactly", 3] == (U, {"boxes": 2, "groups": 0})


def test_what_the_boxes_show_is_decided(read):
    below = [[x, 0.7, x + 0.15, 0.9] for x in (0, 0.25, 0.5, 0.75)]
    found = said(read("Two dogs and a cat with three cars", {"dog": [LEFT, RIGHT], "car": below}))
    assert found["Two dogs", "exactly", 2][0] == S
    assert found["three cars", "exactly", 3][0] == C
    assert found["three cars", "exactly", 3][1] == {"boxes": 4, "groups": 0, "next_area": pytest.approx(1, abs=1e-3)}


@pytest.mark.parametrize(("cup", "verdict"), [(LEFT, S), (RIGHT, C)])
def test_a_place_that_two_boxes_show_is_decided(read, cup, verdict):
    found = said(read("A cup to the left of a plate", {"cup": [cup], "plate": [MIDDLE]}))
    assert found["A cup", "left_of", 0][0] == verdict
    assert said(read("A cup to the left of a plate", {"cup": [cup]}))["A cup", "left_of", 0] == (U, {})


def place(pair):
    """The verdict on the only relation or rank of a pair, and its numbers."""
    [found] = [one for (_, predicate, _), one in said(pair).items() if predicate not in ("exactly", "at_least")]
    return found


@pytest.mark.parametrize(
    "caption",
    [
        "Dogs to the left of a plate",
        "Two dogs to the left of a plate",
        "Three dogs to the left of a plate",
        "A group of dogs to the left of a plate",
        "A dog to the left of two plates",
        "Two dogs on the left side of the picture",
        "A dog that is not to the right of the plates",
    ],
)
def test_a_place_of_several_things_is_open(read, caption):
    """Others, which have no box, may be where the caption says."""
    for right in ([RIGHT], [RIGHT, [0.7, 0, 0.9, 0.2]]):
        verdict, measured = place(read(caption, {"dog": right, "plate": [MIDDLE]}))
        assert verdict == U
        assert measured
    assert place(read(caption, {"dog": [LEFT, RIGHT][: 1 + ("not" not in caption)], "plate": [MIDDLE]}))[0] == S


def test_a_place_of_a_crowd_or_of_what_nobody_counts_is_open(read):
    dog = "A dog to the left of a plate"
    assert place(read(dog, {"dog": [RIGHT], "plate": [MIDDLE]}, iscrowd=1))[0] == U
    assert place(read("Luggage to the left of a plate", {"luggage": [RIGHT], "plate": [MIDDLE]}))[0] == U


def test_a_rank_of_one_of_several_things_is_open():
    """The leftmost of the dogs, which has no box, may be further left."""
    dogs, dog = (19, 23), (29, 32)
    claim = Claim(ClaimKind.RANK, 4, 15, *dogs, "from_left", 1)
    for head, verdict in (("dogs", U), ("dog", C)):
        boxes = {
            dogs: PhraseBoxes((tuple(RIGHT),), head=head, given=True),
            dog: PhraseBoxes((tuple(LEFT),), head="dog"),
        }
        assert check_claims([claim], boxes, 640, 480)[0].verdict == verdict


def test_a_place_that_a_caption_denies_is_decided(read):
    one = read("A cup that is not to the left of a plate", {"cup": [LEFT], "plate": [MIDDLE]})
    assert said(one)["A cup", "left_of", 0][0] == C


def test_a_label_says_nothing_of_attributes(read):
    """Of three dogs, the label does not say which are the brown ones; offsets do."""
    caption, boxes = "Two brown dogs on a couch", [LEFT, MIDDLE, RIGHT]
    labelled = said(read(caption, {"dog": boxes}))["Two brown dogs", "exactly", 2]
    assert (labelled[0], labelled[1]["boxes"]) == (U, 3)
    items = [{"bbox": box, "start": 0, "end": 14} for box in boxes]
    spans = with_given_boxes(replace(read(caption), meta=json.dumps({"objects": items})), COLUMNS)
    assert said(spans)["Two brown dogs", "exactly", 2][0] == C
    assert said(read("Two dogs on a couch", {"dog": boxes}))["Two dogs", "exactly", 2][0] == C
    assert said(read(caption, {"dog": boxes[:2]}))["Two brown dogs", "exactly", 2][0] == S


@pytest.mark.parametrize(
    ("caption", "label"),
    [("Two cars and a taxi", "car"), ("Two people and a woman", "person"), ("Two cats and a kitten", "cat")],
)
def test_a_label_may_be_of_another_thing_of_its_kind(read, caption, label):
    """The source may call the taxi a car, too. If it has a box of its own, it is none of the three."""
    subject, other = caption[: caption.index(" and")], caption.split()[-1]
    boxes = [LEFT, MIDDLE, RIGHT]
    assert said(read(caption, {label: boxes}))[subject, "exactly", 2][0] == U
    assert said(read(caption, {label: boxes, other: [[0.4, 0.8, 0.6, 1.0]]}))[subject, "exactly", 2][0] == C
    for place in ("and a boat", "on a street", "in a park", "beside a tail"):  # often together, but never called so
        assert said(read(f"{subject} {place}", {label: boxes}))[subject, "exactly", 2][0] == C
    assert said(read(caption, {label: boxes[:2]}))[subject, "exactly", 2][0] == S


def test_a_label_may_be_of_one_of_several_things_of_its_kind(read):
    """One of the taxis has a box of its own."""
    caption = "Two cars and two taxis"
    found = said(read(caption, {"car": [LEFT, MIDDLE, RIGHT], "taxi": [[0.4, 0.8, 0.6, 1.0]]}))
    assert found["Two cars", "exactly", 2][0] == U


def test_that_there_are_not_two_is_open():
    claim = Claim(ClaimKind.COUNT, 4, 7, 4, 12, "exactly", 2, negated=True)
    two = (0.0, 0.4, 0.2, 0.6), (0.8, 0.4, 1.0, 0.6)
    for given, verdict in ((True, U), (False, C)):
        [checked] = check_claims([claim], {(4, 12): PhraseBoxes(two, None, head="dogs", given=given)}, 640, 480)
        assert checked.verdict == verdict


def test_a_place_in_the_picture_and_a_rank_are_decided_by_the_boxes_that_are_there(read):
    caption = "A dog on the left side of the picture"
    assert [said(read(caption, {"dog": [box]}))["A dog", "picture_left", 0][0] for box in (LEFT, RIGHT)] == [S, C]


def test_what_a_caption_says_is_not_there_stays_undecided(read):
    for caption in ("A couch with no dogs", "A couch and no dog", "A couch without a dog"):
        for boxes in ({"couch": [LEFT]}, {"couch": [LEFT], "dog": [RIGHT]}):
            found = said(read(caption, boxes))
            assert {predicate: one[0] for (_, predicate, _), one in found.items() if predicate == "none"} == {"none": U}


def test_the_detector_has_looked_at_pairs_without_boxes_in_the_same_source(read):
    """Also at those whose cell is blank; an empty list says that there are none, so nobody looked for others."""
    caption = "Two dogs near a car"
    looked_at = replace(read(caption), boxes=(Box(0, *LEFT, 0.9), Box(1, *RIGHT, 0.9)))
    for meta in ("{}", '{"objects": null}', '{"objects": " "}', '{"other": []}'):
        assert said(replace(looked_at, meta=meta))["Two dogs", "exactly", 2] == (
            C,
            {"boxes": 1, "groups": 0, "at_floor": 1},
        )
    assert said(replace(looked_at, meta='{"objects": []}'))["Two dogs", "exactly", 2] == (U, {"boxes": 1, "groups": 0})
    assert judged(read(caption, {})) == Rejected(Reason.NO_BOX)


def test_boxes_without_a_phrase_are_none_that_a_limit_removed(read):
    pair = read("Two dogs near a car", {"dog": [LEFT, RIGHT], "zebra": [MIDDLE], "tree": [LEFT]})
    assert pair.boxes_cut == 2
    assert said(pair)["Two dogs", "exactly", 2] == (S, {"boxes": 2, "groups": 0})
    limited = judged(pair, SelectionSettings(boxes_per_phrase=2))
    assert limited.verdicts[pair.claims.index(next(c for c in pair.claims if c.number == 2))].verdict == U


def test_a_group_box_has_no_vote_and_a_crowd_no_exact_number(read):
    around = [0.0, 0.3, 1.0, 0.7]
    grouped = read("Two dogs on a couch", {"dog": [LEFT, RIGHT, around]})
    assert said(grouped)["Two dogs", "exactly", 2] == (S, {"boxes": 2, "groups": 1})
    for boxes in ([LEFT], [LEFT, MIDDLE], [LEFT, MIDDLE, RIGHT]):
        crowd = read("Two dogs near some people", {"dog": boxes, "people": [around]}, iscrowd=1)
        found = said(crowd)
        assert found["Two dogs", "exactly", 2] == (U, {"boxes": len(boxes), "groups": 0})
        assert given_links(crowd, COLUMNS).crowds == {(0, 8), (14, 25)}
    assert said(read("A dog near a car", {"dog": [around]}, iscrowd=1))["A dog", "at_least", 1][0] == S
    plain = read("Two dogs near some people", {"dog": [LEFT, RIGHT]}, iscrowd=0)
    assert said(plain)["Two dogs", "exactly", 2][0] == S
    assert given_links(plain, COLUMNS).crowds == frozenset()


def test_no_threshold_rejects_a_pair_for_what_its_source_did_not_draw(read):
    pair = read("Two dogs and a cat left of three cars", {"dog": [LEFT], "car": [RIGHT, MIDDLE]})
    policy = Policy(DROP, 0.25, TextSettings(), given=COLUMNS)
    ranked = rank_candidates(pair, policy)
    assert {step.rejection for step in sweep(pair, ranked, policy)} == {""}
    verdicts = dict(sweep_verdicts(pair, ranked, policy, THRESHOLDS))
    assert list(verdicts) == [100]  # boxes of people have a score of 1
    assert verdicts[100] == judged(pair).verdicts
    assert C not in {one.verdict for one in verdicts[100]}
    by_detector = replace(policy, given=AnnotationColumns())
    assert {step.rejection for step in sweep(pair, ranked, by_detector)} == {Reason.CONTRADICTED_COUNT}
    wrong = read("A cup to the left of a plate", {"cup": [RIGHT], "plate": [MIDDLE]})
    assert judged(wrong, DROP) == Rejected(Reason.CONTRADICTED_RELATION)


@pytest.mark.parametrize(
    ("caption", "label"),
    [
        ("A couch with no dog", "dog"),
        ("A couch without a dog", "dog"),
        ("A couch without any dogs", "dogs"),
        ("A couch, and there are no dogs on it", "dogs"),
        ("A couch without a cat or a dog", "dog"),
        ("A couch with zero dogs", "zero dogs"),
    ],
)
def test_no_box_is_of_what_a_caption_says_is_not_there(read, caption, label):
    pair = read(caption, {"couch": [LEFT], label: [RIGHT]})
    assert [caption[phrase.start : phrase.end] for phrase in pair.phrases] == ["A couch"]
    assert (len(pair.boxes), pair.boxes_cut) == (1, 1)
    marked = read(caption, {"couch": [LEFT], label: [RIGHT]}, iscrowd=1)
    assert given_links(marked, COLUMNS).crowds == {(0, 7)}
