"""What a caption says is not there: no phrase, so that no detector is asked for it."""

import pytest

from transforms.claims.read_claims import read_caption
from transforms.phrases.noun_phrases import Phrases
from transforms.records import ClaimKind, Drop


@pytest.fixture(scope="session")
def absent(parsed):
    """Returns a function: caption -> the noun chunks that it says are not there. The others are what they were."""

    def read(caption):
        doc, before = parsed(caption)
        phrases, _ = read_caption(doc, before)
        gone = set(before.kept) - set(phrases.kept)
        texts = [caption[one.start : one.end] for one in phrases.dropped if one.reason is Drop.ABSENT]
        assert sorted(texts) == sorted(caption[one.start : one.end] for one in gone)
        assert set(phrases.kept) <= set(before.kept)
        assert [one for one in phrases.dropped if one.reason is not Drop.ABSENT] == list(before.dropped)
        return texts

    return read


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog with no collar sits on a mat.", ["no collar"]),
        ("There are no people on the beach.", ["no people"]),
        ("a man without a helmet on a bike", ["a helmet"]),
        ("a road without any cars", ["any cars"]),
        ("a man with a hat and without a coat", ["a coat"]),
        ("a man without a hat or a coat", ["a hat", "a coat"]),
        ("a room with no chairs or tables", ["no chairs", "tables"]),
        ("not a single cup on the table", ["not a single cup"]),
        ("There is neither a dog nor a cat.", ["neither a dog", "a cat"]),
        ("There is not a cat on the sofa.", ["a cat"]),
        ("a man, not a woman, on a horse", ["a woman"]),
        ("The man is not wearing a hat.", ["a hat"]),
        ("The boy doesn't have any shoes.", ["any shoes"]),
        ("a sign that says no dogs", ["no dogs"]),
        ("A sign says no parking.", ["no parking"]),
        ("Two men with no other people around", ["no other people"]),
        ("an intersection with no stop sign", ["no stop sign"]),
        ("a road with no more signs", ["no more signs"]),
        ("Woman With No Shirt On Beach", ["No Shirt"]),
        ("THERE IS A BATHROOM WITH NO TOILET", ["NO TOILET"]),
        ("This cat has no intention of moving.", ["no intention"]),
        ("A room with zero people and a bed", ["zero people"]),
    ],
)
def test_it_is_dropped(absent, caption, expected):
    assert absent(caption) == expected


@pytest.mark.parametrize(
    "caption",
    [
        "bus no. 5 at a stop",
        "The No 10 bus stops in no time.",
        "a bottle of Chanel No 5 perfume",
        "a no parking sign on a wall",
        "an orange no parking sign near a sidewalk",
        "no entry sign",
        "A PASSENGER TRAIN WITH NO SMOKING SIGN",
        "No Smoking Sign",
        "a no smoking area",
        "No one is on the beach.",
        "no fewer than five dogs",
        "no more than five dogs",
        "No two dogs are alike.",
        "This is no ordinary dog.",
        "Live in No Shoes Nation by Kenny Chesney",
        "No Fear Shirt",
        "neither dog is wearing the collar",
        "neither the dog nor the cat is asleep",
        "not only two dogs but three cats",
        "not two dogs but three cats",
        "The man is not holding the ball.",
        "a dog not far from a fire hydrant",
        "coffee with or without milk",
        "a man not without a hat",
        "people waiting for a bus",
        "a zero gravity chair on a deck",
        "Is there a cat on the sofa?",
    ],
)
def test_what_may_be_there_is_not(absent, caption):
    assert absent(caption) == []


def test_and_joins_no_absent_things(absent):
    assert absent("A bathroom with no toilets and a red bucket.") == ["no toilets"]
    assert absent("A rowboat with paddles and no passengers is on the beach.") == ["no passengers"]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A dog with no collar", "no"),
        ("a man without a helmet", "without"),
        ("a man without a helmet or gloves", "without"),
        ("no dogs", "no"),
    ],
)
def test_the_claim_stays_with_its_span(parsed, caption, words):
    phrases, claims = read_caption(*parsed(caption))
    [none] = [claim for claim in claims if claim.predicate == "none"]
    assert (none.kind, caption[none.words_start : none.words_end]) == (ClaimKind.COUNT, words)
    assert none.subject in {(one.start, one.end) for one in phrases.dropped}
    assert none.subject not in {(one.start, one.end) for one in phrases.kept}


@pytest.mark.parametrize(
    "caption",
    [
        "Nobody is wearing a hat.",
        "No one is riding a bike.",
        "None of the men wears a hat.",
        "Neither man is wearing a hat.",
        "No man is wearing a hat.",
        "a street with no one holding an umbrella",
        "A group of people, none of whom wear a hat",
    ],
)
def test_it_is_open_whether_the_thing_is_there_that_nobody_has(parsed, caption):
    phrases, claims = read_caption(*parsed(caption))
    thing = phrases.kept[-1]
    assert caption[thing.start :].split()[0] in ("a", "an")
    assert (thing.start, thing.end) not in {claim.subject for claim in claims}


def test_who_has_something_is_not_nobody(parsed):
    _, claims = read_caption(*parsed("The man with no hat holds an umbrella."))
    assert [(claim.predicate, claim.number) for claim in claims] == [("none", 0), ("at_least", 1)]


def test_text_on_a_sign_says_nothing_about_what_is_not_there(parsed):
    _, claims = read_caption(*parsed("The sign says 'two dogs without a leash' near the cat."))
    assert not claims


def test_nothing_to_read_leaves_the_phrases_as_they_are(parsed):
    doc, _ = parsed("no dogs")
    assert read_caption(doc, Phrases()) == (Phrases(), ())
