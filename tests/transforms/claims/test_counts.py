"""Counts: what noun chunks say about the number of things."""

import pytest

from transforms.records import ClaimKind

_CROWD = "a crowd of people: at_least 2 (a crowd of)"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Two dogs sleep.", ["Two dogs: exactly 2 (Two)"]),
        ("3 small cups", ["3 small cups: exactly 3 (3)"]),
        ("the twelve boats", ["the twelve boats: exactly 12 (twelve)"]),
        ("twenty five people", ["twenty five people: exactly 25 (twenty five)"]),
        ("all three men", ["all three men: exactly 3 (all three)"]),
        ("a couple of dogs", ["a couple of dogs: exactly 2 (a couple of)"]),
        ("a pair of boots", ["a pair of boots: exactly 2 (a pair of)"]),
        ("a dozen donuts", ["a dozen donuts: exactly 12 (a dozen)"]),
        ("half a dozen eggs", ["half a dozen eggs: exactly 6 (half a dozen)"]),
        ("both dogs", ["both dogs: exactly 2 (both)"]),
        ("three sheep", ["three sheep: exactly 3 (three)"]),
        ("two slices of pizza", ["two slices of pizza: exactly 2 (two)"]),
        ("a row of four chairs", ["a row of four chairs: exactly 4 (four)"]),
        ("a close up of two bananas", ["two bananas: exactly 2 (two)"]),
        (
            "Four zebras stand together in a grassy plain.",
            ["Four zebras: exactly 4 (Four)"],
        ),
        ("food for two dogs", ["two dogs: exactly 2 (two)"]),
        ("two black and white dogs", ["two black and white dogs: exactly 2 (two)"]),
        ("a group of three men", ["a group of three men: exactly 3 (three)"]),
        ("just two dogs on mats", ["just two dogs: exactly 2 (two)", "mats: at_least 2 (mats)"]),
        ("There are only two dogs.", ["only two dogs: exactly 2 (two)"]),
        ("There is only one dog.", ["only one dog: exactly 1 (only one)"]),
        ("A bathroom with just 1 toilet", ["A bathroom: at_least 1 (A)", "just 1 toilet: exactly 1 (just 1)"]),
        ("exactly one dog", ["exactly one dog: exactly 1 (exactly one)"]),
        ("only one man", ["only one man: exactly 1 (only one)"]),
        ("A lone elephant stands there.", ["A lone elephant: exactly 1 (A lone)"]),
        ("lone man", ["lone man: exactly 1 (lone)"]),
        ("one solitary tree", ["one solitary tree: exactly 1 (one solitary)"]),
        ("a single, red rose", ["a single, red rose: exactly 1 (a single)"]),
        ("a single black and white dog", ["a single black and white dog: exactly 1 (a single)"]),
        ("only a single stop sign", ["only a single stop sign: exactly 1 (a single)"]),
        ("a single parking meter", ["a single parking meter: exactly 1 (a single)"]),
        ("a lone police officer", ["a lone police officer: exactly 1 (a lone)"]),
        ("a single slice of pizza", ["a single slice of pizza: exactly 1 (a single)"]),
        ("A SINGLE DOG", ["A SINGLE DOG: exactly 1 (A SINGLE)"]),
        ("Single train parked quietly", ["Single train: exactly 1 (Single)"]),
        ("a single (brown) dog", ["a single (brown) dog: exactly 1 (a single)"]),
        ("two (2) dogs", ["two (2) dogs: exactly 2 (two (2))"]),
        ("two single beds", ["two single beds: exactly 2 (two)"]),
        ("two boys on a single bicycle", ["two boys: exactly 2 (two)", "a single bicycle: exactly 1 (a single)"]),
        ("a single bus and a crowd of people", ["a single bus: exactly 1 (a single)", _CROWD]),
        ("three men each on a board", ["three men: exactly 3 (three)", "a board: at_least 1 (a)"]),
        ("two men facing each other with two cats", ["two men: exactly 2 (two)", "two cats: exactly 2 (two)"]),
    ],
)
def test_exact_numbers(said, caption, expected):
    assert said(caption, ClaimKind.COUNT) == expected


_VASES = "several vases: at_least 2 (several)"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a dog", ["a dog: at_least 1 (a)"]),
        ("another dog", ["another dog: at_least 1 (another)"]),
        ("several dogs", ["several dogs: at_least 2 (several)"]),
        ("a few dogs", ["a few dogs: at_least 2 (a few)"]),
        ("some dogs", ["some dogs: at_least 2 (some)"]),
        ("many red cars", ["many red cars: at_least 2 (many)"]),
        ("a group of people", ["a group of people: at_least 2 (a group of)"]),
        ("a herd of zebra", ["a herd of zebra: at_least 2 (a herd of)"]),
        ("a row of bikes", ["a row of bikes: at_least 2 (a row of)"]),
        ("lots of birds", ["lots of birds: at_least 2 (lots of)"]),
        ("dozens of people", ["dozens of people: at_least 12 (dozens of)"]),
        ("three or four dogs", ["three or four dogs: at_least 3 (three or four)"]),
        ("at least five cats", ["at least five cats: at_least 5 (at least five)"]),
        ("3-4 dogs", ["3-4 dogs: at_least 3 (3-4)"]),
        ("10 - 20 dogs", []),
        ("at max two dogs", []),
        ("max. two dogs", []),
        ("a max of two dogs", []),
        ("Max and two dogs", ["two dogs: exactly 2 (two)"]),
        ("1 dog on grass", ["1 dog: at_least 1 (1)"]),
        ("Formula 1 car", []),
        ("No. 1 dog", []),
        ("two – three dogs", []),
        ("There are over 20 dogs.", ["over 20 dogs: at_least 20 (over 20)"]),
        ("more than two dogs", ["more than two dogs: at_least 2 (more than two)"]),
        ("a couple dozen dogs", ["a couple dozen dogs: at_least 12 (a couple dozen)"]),
        ("over two dozen eggs", ["two dozen eggs: at_least 24 (two dozen)"]),
        ("two other dogs", ["two other dogs: at_least 2 (two)"]),
        ("Two of the dogs are brown.", ["the dogs: at_least 2 (Two of)"]),
        ("One of the dogs is brown.", ["the dogs: at_least 1 (One of)"]),
        ("more than a dozen eggs", ["more than a dozen eggs: at_least 12 (more than a dozen)"]),
        ("more than a dozen of eggs", ["more than a dozen of eggs: at_least 12 (more than a dozen of)"]),
        ("more than half a dozen eggs", ["more than half a dozen eggs: at_least 6 (more than half a dozen)"]),
        ("at least a pair of dogs", ["at least a pair of dogs: at_least 2 (at least a pair of)"]),
        ("at the very least two dogs", ["at the very least two dogs: at_least 2 (at the very least two)"]),
        ("two dogs at least", ["two dogs: at_least 2 (two)"]),
        ("at least one dog", ["at least one dog: at_least 1 (at least one)"]),
        ("more than one dog", ["more than one dog: at_least 2 (more than one)"]),
        # So many of each of several things.
        ("Each plate has two donuts.", ["two donuts: at_least 2 (two)"]),
        ("two lamps on each table", ["two lamps: at_least 2 (two)"]),
        ("two cups with three spoons each", ["two cups: exactly 2 (two)", "three spoons: at_least 3 (three)"]),
        ("Two vases, each with a single rose", ["Two vases: exactly 2 (Two)", "a single rose: at_least 1 (a single)"]),
        ("several vases with a single rose", [_VASES, "a single rose: at_least 1 (a single)"]),
        # The others are elsewhere.
        ("a lone sheep apart from the flock", ["a lone sheep: at_least 1 (a lone)"]),
        ("a seat for only one person", ["a seat: at_least 1 (a)", "only one person: at_least 1 (only one)"]),
        ("a collage of a lone giraffe", ["a lone giraffe: at_least 1 (a lone)"]),
        ("pictures of a lone giraffe", ["a lone giraffe: at_least 1 (a lone)"]),
        ("a lone man and his reflection", ["a lone man: at_least 1 (a lone)"]),
    ],
)
def test_lower_bounds(said, caption, expected):
    assert said(caption, ClaimKind.COUNT) == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Is there a cat on the sofa?", []),
        ("Are there two dogs on the mat?", []),
        ("Two dogs on the mat. Is a cat on the sofa?", ["Two dogs: exactly 2 (Two)"]),
        ("Where is a dog? Two cats are on a sofa.", ["Two cats: exactly 2 (Two)", "a sofa: at_least 1 (a)"]),
    ],
)
def test_a_question_counts_nothing(said, caption, expected):
    assert said(caption, ClaimKind.COUNT) == expected


@pytest.mark.parametrize(
    ("caption", "number"),
    [
        ("a couple with two kids", "two kids: exactly 2 (two)"),
        ("a couple holding two kids", "two kids: exactly 2 (two)"),
        ("A couple feeds 3 ducks.", "3 ducks: exactly 3 (3)"),
        ("an old couple and two dogs", "two dogs: exactly 2 (two)"),
        ("a plane flying over two cars", "two cars: exactly 2 (two)"),
        ("a man jumps over three dogs", "three dogs: exactly 3 (three)"),
    ],
)
def test_words_before_a_chunk_change_no_number(said, caption, number):
    assert said(caption, ClaimKind.COUNT)[-1] == number


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("There are no dogs.", ["no dogs: none 0 (no)"]),
        ("a road without any cars", ["any cars: none 0 (without any)"]),
        ("No dogs are on the beach.", ["No dogs: none 0 (No)"]),
        ("There is no dog in the picture.", ["no dog: none 0 (no)"]),
        ("There is not a cat.", ["a cat: none 0 (not a)"]),
        ("not a single car on the road", ["not a single car: none 0 (not a single)"]),
        ("not two dogs but three cats", ["three cats: exactly 3 (three)"]),
        ("There are no longer two dogs on the mat.", []),
        ("neither a dog nor a cat is on the sofa", []),
        ("There is neither a dog nor a cat.", []),
        ("Two dogs, not three cats, on a bed", ["Two dogs: exactly 2 (Two)", "a bed: at_least 1 (a)"]),
        ("not only two dogs but three cats", ["not only two dogs: exactly 2 (two)", "three cats: exactly 3 (three)"]),
        ("two men without hats", ["two men: exactly 2 (two)", "hats: none 0 (without)"]),
    ],
)
def test_what_is_not_there(said, caption, expected):
    found = said(caption, ClaimKind.COUNT)
    assert [claim for claim in found if not claim.startswith("a road")] == expected


@pytest.mark.parametrize(
    "caption",
    [
        "the number 5 bus",
        "the 50 inch screen",
        "the two story house",
        "the 747 jet",
        "the 2004 models",
        "about ten dogs",
        "No dogs allowed",
        "no dogs allowed sign",
        "no dogs on beach sign",
        "no man is an island",
        "a sign that says no dogs",
        "Canon 5 D lenses",
        "Nike Air Max 90 shoes",
        "level 3 chargers",
        "the iPhone 5 cases",
        "Five Guys burger",
        "Twelve Angry Men",
        "Two Steps From Hell",
        "10 Best Dogs",
        "the two largest dogs",
        "Buy 2 shirts get 1 free",
        "table for six guests",
        "Room for two people",
        "three rows of four chairs",
        "two sets of three books",
        "groups of three men",
        "two red and three blue cars",
        "a red and two blue cars",
        "two by two the animals",
        "two by four boards",
        "Two and a half men",
        "two thirds of a pizza",
        "fewer than five dogs",
        "less than five cars",
        "no fewer than five dogs",
        "no more than five dogs",
        "at most two dogs",
        "up to two dogs",
        "two or fewer dogs",
        "a maximum of five dogs",
        "a minimum of two cats",
        "rather than two dogs",
        "the other two dogs",
        "the no parking sign",
        "the couple on the bench",
        "a lot",
        "the scissors",
        "some water",
        "a sky",
        "few dogs",
        "some tricks",
        "the two men's bike",
        "at the very most two dogs",
        "two dogs at the most",
        "two dogs max",
        "as many as five dogs",
        "as few as two dogs",
        "up to a dozen of eggs",
        "at most a couple of dogs",
        "a couple of dogs at most",
        "nearly a dozen eggs",
        "a room with under ten people",
        "not more than two dogs",
        "perhaps two dogs",
        "ca. ten dogs",
        "an estimated ten dogs",
        "barely ten dogs",
        "~20 dogs",
        "Only one man is standing.",
        "Only two men are standing.",
        "not only one dog",
        "more than just one dog",
        "no more than one dog",
        "at most one dog",
        "only one more dog",
        "only one day",
        "only one story house",
        "the only dog in the park",
        "the single dog with a hat",
        "every single dog",
        "another lone tree",
        "a single engine plane",
        "a single-engine plane",
        "a single engined plane",
        "a single bed",
        "a single or double bed",
        "a single file of a man",
        "a lone star on a flag",
        "The Lone Ranger is on a horse",
        "a newly single woman",
        "a single couple",
        "a red sole on a shoe",
        "Just two dogs sleeping",
        "only two men with a hat",
        "There is only one man wearing a hat.",
        "only one dog that sleeps",
        "perhaps only one dog",
        "probably two dogs",
        "two (at least) dogs",
        "ten or so dogs",
        "a dozen or so eggs",
        "two (possibly three) dogs",
        "hardly a single car on the road",
        "up to a single dog",
        "a single person kayak",
        "a single hung window",
        "a single woman looking for love",
        "solitary confinement",
        "a sole fish on a plate",
    ],
)
def test_no_count(said, caption):
    assert [claim for claim in said(caption, ClaimKind.COUNT) if "at_least 1 (" not in claim] == []


def test_scissors_are_one_thing(said):
    assert said("a pair of scissors", ClaimKind.COUNT) == ["a pair of scissors: at_least 1 (a pair of)"]
    assert said("two pairs of glasses", ClaimKind.COUNT) == ["two pairs of glasses: exactly 2 (two pairs of)"]


def test_what_somebody_waits_for_need_not_be_there(said):
    assert said("a man waiting for two buses", ClaimKind.COUNT) == ["a man: at_least 1 (a)"]


@pytest.mark.parametrize(
    "caption", ["dogs", "the dogs", "the steps", "the small brown dogs", "his dogs", "The children play."]
)
def test_a_bare_plural_is_recognised(claims_of, caption):
    [[claim]] = claims_of(caption)
    assert (claim.predicate, claim.number) == ("at_least", 2)
    assert claim.is_bare_plural


@pytest.mark.parametrize("caption", ["two dogs", "several dogs", "a group of dogs", "a dog", "no dogs", "some dogs"])
def test_a_count_with_words_is_no_bare_plural(claims_of, caption):
    [[claim]] = claims_of(caption)
    assert not claim.is_bare_plural
    assert claim.words_end < claim.subject_end


@pytest.mark.parametrize(
    "caption",
    [
        "Two Men And A Dog",
        "Two Dogs",
        "A Cup On A Table",
        "Two Rivers Park",
        "Seven Eleven",
        "Three Mile Island",
        "The Three Stooges",
        "a shop near Nine West shoes",
        "Nine West shoes on a shelf",
        "#90 of the Auburn Tigers",
    ],
)
def test_what_may_be_a_name_counts_nothing(claims_of, caption):
    """In a title, case tells no name from a noun."""
    [claims] = claims_of(caption)
    assert not [claim for claim in claims if claim.number > 1]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("TWO DOGS ON A MAT", ["TWO DOGS: exactly 2 (TWO)", "A MAT: at_least 1 (A)"]),
        ("Two dogs in New York City", ["Two dogs: exactly 2 (Two)"]),
        ("Two Giraffes are in the wilderness.", ["Two Giraffes: exactly 2 (Two)"]),
        ("Two African elephants", ["Two African elephants: exactly 2 (Two)"]),
        ("Boats on the Thames", ["Boats: at_least 2 (Boats)", "the Thames: at_least 2 (Thames)"]),
    ],
)
def test_letters_in_other_cases_are_read(said, caption, expected):
    assert said(caption, ClaimKind.COUNT) == expected


def test_a_title_has_no_claims(claims_of):
    assert claims_of("Red Combine Harvests Wheat In A Field", "A Treatise on the Calculus") == [(), ()]
