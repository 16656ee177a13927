import re

import pytest

from transforms.records import Box, FailureStage, Fault, Pair, Phrase, Reason
from transforms.selection.judge import Kept, Policy, Rejected, judge
from transforms.settings import SelectionSettings, TextSettings

DOG, FIELD = Phrase(0, 5, 2, 5, 0, 16), Phrase(9, 16, 11, 16, 9, 16)
SOUND = Pair(
    "k",
    "s",
    0,
    "a dog in a field",
    width=100,
    height=50,
    phrases=(DOG, FIELD),
    boxes=(Box(0, 0.1, 0.1, 0.3, 0.3, 0.7), Box(1, 0.5, 0.5, 0.9, 0.9, 0.9), Box(1, 0.0, 0.0, 0.9, 0.9, 0.2)),
)


def policy(score=0.5, **text):
    return Policy(SelectionSettings(), score, TextSettings(**text))


def changed(**fields):
    from dataclasses import replace

    return replace(SOUND, **fields)


def test_a_sound_pair_is_kept_with_its_boxes_and_text():
    kept = judge(SOUND, policy())
    assert isinstance(kept, Kept)
    assert [(g.phrase, g.box.score) for g in kept.groundings] == [(DOG, 0.7), (FIELD, 0.9)]
    expected = "<grounding><phrase>a dog in a field</phrase><object><patch_index_0099><patch_index_0297></object>"
    assert kept.texts == {"kosmos2": expected}


def test_every_configured_dialect_gets_its_text_in_the_configured_order():
    kept = judge(SOUND, policy(dialect=["kosmos2:training", "kosmos2"], spans="densest"))
    assert list(kept.texts) == ["kosmos2:training", "kosmos2"]
    assert all(text.count("<phrase>") == 2 for text in kept.texts.values())


GROUP, MAN = Phrase(0, 7, 2, 7, 0, 17), Phrase(20, 25, 22, 25, 20, 25)


@pytest.mark.parametrize(
    ("spans", "phrases", "florence2", "qwen"),
    [
        ("densest", (GROUP, MAN), ["a group of people", "a man"], ["a group", "a man"]),  # the expression is not banned
        ("densest", (Phrase(0, 7, 2, 7, 0, 7), MAN), ["a man"], ["a group", "a man"]),
        ("longest", (GROUP, MAN), ["a group of people", "a man"], ["a group of people", "a man"]),
    ],
)
def test_a_phrase_that_the_reader_of_a_dialect_drops_is_not_written(spans, phrases, florence2, qwen):
    boxes = tuple(Box(number, 0.1 + number / 2, 0.1, 0.3 + number / 2, 0.3, 0.7) for number in range(len(phrases)))
    pair = changed(caption="a group of people + a man", phrases=phrases, boxes=boxes)
    kept = judge(pair, policy(dialect=["florence2", "qwen3-vl"], spans=spans))
    assert re.findall("[a-z][a-z ]+(?=<loc_)", kept.texts["florence2"]) == florence2
    assert re.findall('"label": "(.*?)"', kept.texts["qwen3-vl"]) == qwen


def test_a_pair_without_any_other_phrase_is_rejected():
    pair = changed(caption="a group", phrases=(Phrase(0, 7, 2, 7, 0, 7),), boxes=(Box(0, 0.1, 0.1, 0.3, 0.3, 0.7),))
    assert judge(pair, policy(dialect=["florence2"])) == Rejected("florence2_banned_phrase")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"caption": " \n", "phrases": (), "boxes": ()}, Reason.NO_CAPTION),
        ({"phrases": (), "boxes": ()}, Reason.NO_PHRASE),
        ({"boxes": ()}, Reason.NO_BOX),
        ({"boxes": (Box(0, 0, 0, 0.5, 0.5, 0.49),)}, Reason.NO_BOX),
        ({"caption": "a dog in < field"}, "kosmos2_markup"),
    ],
)
def test_a_pair_is_rejected_with_a_reason(fields, reason):
    assert judge(changed(**fields), policy()) == Rejected(reason)


def test_a_pair_that_its_source_rejects_is_rejected_and_not_failed():
    pair = SOUND.failed(Fault(FailureStage.READ, Reason.NOT_DOWNLOADED, "failed_to_download: HTTP Error 404"))
    assert judge(pair, policy()) == Rejected("not_downloaded")


def test_a_caption_that_only_a_further_dialect_cannot_carry_is_rejected_too(monkeypatch):
    from transforms.text import dialects
    from transforms.text.grounded_caption import CannotCarry

    class Fussy:
        name = "fussy"

        def encode(self, grounded):
            raise CannotCarry("emoji")

    known = dialects.find
    monkeypatch.setattr(dialects, "find", lambda name: Fussy() if name.startswith("fussy") else known(name))
    assert judge(SOUND, policy(dialect=["kosmos2", "fussy:very"])) == Rejected("fussy_emoji")


def test_a_failed_pair_stays_failed_whatever_else_it_holds():
    fault = Fault(FailureStage.IMAGE, Reason.TRUNCATED, "cut")
    assert judge(changed(error=fault, caption=""), policy()) == fault


def test_the_threshold_decides():
    assert [g.box.score for g in judge(SOUND, policy(0.9)).groundings] == [0.9]
    assert len(judge(SOUND, policy(0.1)).groundings) == 3


def test_the_same_row_gets_the_same_outcome():
    assert judge(SOUND, policy()) == judge(SOUND, policy())
