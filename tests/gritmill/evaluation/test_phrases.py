"""Extracted phrases against marked ones, reason by reason."""

import pytest

from gritmill.evaluation.grammatical_kinds import grammatical_kinds
from gritmill.evaluation.phrases import Alarm, Miss, Tally, compare_phrases, why_extracted, why_missed
from gritmill.evaluation.sets import flickr30k_entities
from gritmill.evaluation.sets.truth import TruePhrase
from pipeline import configuration
from tests.gritmill.evaluation.sets.test_flickr30k_entities import folder  # noqa: F401
from transforms.phrases.parser import load_parser
from transforms.records import Drop, Dropped, FailureStage, Fault, Pair, Phrase, Reason


def chunk(start, end, expression_end=None):
    return Phrase(start, end, end - 1, end, start, expression_end or end)


def mark(start, end, kind="people", queried=True):
    return TruePhrase("x", (), (kind,), start, end, queried=queried)


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ((0, 30), Miss.EXPRESSION),
        ((1, 9), Miss.WIDER),
        ((38, 60), Miss.NARROWER),
        ((8, 12), Miss.CROSSING),
        ((70, 75), "dropped: abstract"),
        ((80, 85), Miss.NOTHING),
    ],
)
def test_why_a_marked_phrase_is_missed(span, reason):
    pair = Pair("k", "s", 0, "", phrases=(chunk(0, 10, 30), chunk(40, 50)), dropped=(Dropped(68, 75, Drop.ABSTRACT),))
    assert why_missed(span, pair) == reason
    assert why_missed(span, pair.failed(Fault(FailureStage.PHRASES, Reason.EXCEPTION))) == Miss.FAILED


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ((50, 52), Alarm.NOT_VISUAL),
        ((0, 20), Alarm.WIDER),
        ((6, 9), Alarm.NARROWER),
        ((9, 12), Alarm.CROSSING),
        ((49, 53), Alarm.UNMARKED),
    ],
)
def test_why_an_extracted_phrase_is_a_false_alarm(span, reason):
    assert why_extracted(span, [mark(5, 10), mark(50, 52, "notvisual", queried=False)]) == reason


def test_shares():
    tally = Tally()
    pair = Pair("k", "s", 0, "", phrases=(chunk(0, 5), chunk(10, 15), chunk(20, 25)))
    tally.add(pair, [mark(0, 5), mark(8, 15, "animals"), mark(20, 25, "notvisual", False), TruePhrase("x")])
    found = tally.to_json()
    assert (found["marked"], found["extracted"], found["hit"]) == (2, 3, 1)
    assert (found["precision"], found["recall"], found["f1"]) == (1 / 3, 1 / 2, 2 / 5)
    assert found["recall_by_head"] == 1.0
    assert found["misses"] == {Miss.NARROWER: 1}
    assert found["false_alarms"] == {Alarm.NARROWER: 1, Alarm.NOT_VISUAL: 1}
    assert found["kinds"] == {"animals": {"marked": 1, "recall": 0.0}, "people": {"marked": 1, "recall": 1.0}}
    assert Tally().to_json()["f1"] is None


def test_marked_sentences_with_the_embedded_parser(folder):  # noqa: F811
    truth = flickr30k_entities.load([str(folder)], None, "val")
    found = compare_phrases(truth, configuration.load("demo"))["figures"]
    assert (found["captions"], found["marked"]) == (4, 10)
    assert found["kinds"]["people"] == {"marked": 6, "recall": 1.0}
    assert found["kinds"]["clothing"] == {"marked": 2, "recall": 1.0}
    assert found["misses"] == {Miss.NOTHING: 2}  # "outside", an adverb
    assert found["precision"] == 1.0


def test_kinds_of_phrases():
    found = grammatical_kinds(
        load_parser("caption-parser"), ["a dog", "two large dogs", "the dogs in a field", "a dog"]
    )
    assert found == {
        "a dog": ("singular", "noun chunk"),
        "two large dogs": ("plural", "noun chunk"),
        "the dogs in a field": ("plural", "expression"),
    }
    assert set(grammatical_kinds(load_parser("caption-parser"), ["", "?", "red"]).values()) == {
        ("singular", "noun chunk")
    }
