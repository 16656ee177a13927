"""The phrases of captions with the embedded parser: what a detector is asked for."""

from dataclasses import replace

import pytest

from tests.transforms.phrases.extraction import extract
from transforms.phrases.parser import load_parser
from transforms.phrases.rules import phrase_rules
from transforms.records import Drop
from transforms.settings import PhraseSettings

RULES = phrase_rules(PhraseSettings())


@pytest.fixture(scope="module")
def phrases():
    """Returns a function: caption -> (phrase, head) of each kept phrase, and the dropped ones with their reasons."""
    nlp = load_parser("caption-parser", split_brackets=True)

    def found(caption, rules=RULES):
        [pair] = extract(nlp, [caption], rules)
        kept = [(caption[p.start : p.end], caption[p.head_start : p.head_end]) for p in pair.phrases]
        return kept, {caption[d.start : d.end]: d.reason for d in pair.dropped}

    return found


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a couple of dogs on the road", [("a couple of dogs", "dogs"), ("the road", "road")]),
        ("a lot of birds in the sky", [("a lot of birds", "birds"), ("the sky", "sky")]),
        ("a pair of shoes", [("a pair of shoes", "shoes")]),
        ("some kind of animal in a cage", [("some kind of animal", "animal"), ("a cage", "cage")]),
        ("a variety of fruits on display", [("a variety of fruits", "fruits")]),
        ("a couple of slices of pizza", [("a couple of slices of pizza", "pizza")]),
        ("a cup of coffee", [("a cup", "cup"), ("coffee", "coffee")]),  # a cup is a thing
        ("a parking lot of a store", [("a parking lot", "lot"), ("a store", "store")]),
        ("a couple on a bench", [("a couple", "couple"), ("a bench", "bench")]),
        ("a couple of them", []),
    ],
)
def test_a_measure_and_what_it_measures_are_one_phrase(phrases, caption, expected):
    kept, _ = phrases(caption)
    assert [phrase for phrase in kept if phrase[0] != "display"] == expected


def test_without_measures_they_are_two_phrases_as_in_the_paper(phrases):
    assert phrases("a couple of dogs", replace(RULES, measures=()))[0] == [("a couple", "couple"), ("dogs", "dogs")]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a girl wearing a crop top and a skirt", "a crop top"),
        ("a woman in a tank top", "a tank top"),
        ("a girl in a bikini bottom", "a bikini bottom"),
        ("a framed picture hangs on the wall above a couch", "a framed picture"),
        ("a person holding a photograph of a dog", "a photograph"),
        ("a soccer player kicks the ball towards the goal", "the goal"),
        ("a bedroom with floral wallpaper", "floral wallpaper"),
        ("two shots of whiskey on a bar", "two shots"),
        ("a man in a hot spring", "a hot spring"),
        ("an illustration hanging on a refrigerator", "an illustration"),
        ("a white top on a hanger", "a white top"),
        ("family photos on a shelf", "family photos"),
        ("a cat laying on its back", "its back"),
    ],
)
def test_a_thing_is_kept_although_its_head_often_names_none(phrases, caption, expected):
    assert expected in [phrase for phrase, _ in phrases(caption)[0]]


@pytest.mark.parametrize(
    ("caption", "dropped"),
    [
        ("A picture of a dog", "A picture"),
        ("a black and white photo of a cat", "a black and white photo"),
        ("a close-up of a flower", "a close-up"),
        ("a man taking a picture", "a picture"),
        ("two dogs in this picture", "this picture"),
        ("a bird on top of a roof", "top"),
        ("the bottom of the hill", "the bottom"),
        ("the back of a truck", "the back"),
        ("people at the end of the pier", "the end"),
        ("flowers in spring", "spring"),
        ("This is a picture of a dog", "a picture"),
        ("There is a photo of a cat", "a photo"),
        ("The image shows a dog", "The image"),
        ("Red Dress - Photo", "Photo"),
        ("a dog on a beach. Photo by a friend", "Photo"),
    ],
)
def test_openers_and_places_in_a_thing_are_dropped(phrases, caption, dropped):
    kept, reasons = phrases(caption)
    assert kept
    assert dropped in reasons
    assert reasons[dropped] in (Drop.PICTURE, Drop.ABSTRACT)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Checked fabric Stock Photo", ["Checked fabric"]),
        ("Chinese tea traditional set Royalty Free Stock Image", ["Chinese tea traditional set"]),
        ("travel poster banner template vector image", ["travel poster banner"]),
        ("a cliff Stock Photography", ["a cliff"]),
        ("Stock Photo", []),
    ],
)
def test_what_an_agency_appends_goes_and_the_thing_stays(phrases, caption, expected):
    assert [phrase for phrase, _ in phrases(caption)[0]] == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("the easy-to-follow recipe", [("the easy-to-follow recipe", "recipe")]),
        ("a state-of-the-art camera", [("a state-of-the-art camera", "camera")]),
        ("her tent and", [("her tent", "tent")]),
        ("Hooks(045", [("Hooks", "Hooks")]),
        ("<br><b>A dog</b><br>", [("A dog", "dog")]),
        ("unidentified fly {Diptera}", [("unidentified fly", "fly"), ("Diptera", "Diptera")]),
        ("A red stop sign on a corner", [("A red stop sign", "sign"), ("a corner", "corner")]),
        ("A man skateboards down a ramp", [("A man", "man"), ("a ramp", "ramp")]),
        ("a fruit salad", [("a fruit salad", "salad")]),
        ("a white knitted hat", [("a white knitted hat", "hat")]),
        ("a red tank top and blue jeans", [("a red tank top", "top"), ("blue jeans", "jeans")]),
        ("a silver and white dress", [("a silver and white dress", "dress")]),
        ("a leather and wooden chair", [("a leather and wooden chair", "chair")]),
        ("women&#39;s shoes", [("women&#39;s shoes", "shoes")]),
        ("a group  of people", [("a group  of people", "people")]),
    ],
)
def test_a_phrase_ends_where_the_thing_ends(phrases, caption, expected):
    assert phrases(caption)[0] == expected
