"""Decoys: phrases of other pairs whose thing the caption does not name."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.decoys.choose import choose_decoys
from transforms.phrases.same_things import related
from transforms.records import Box, FailureStage, Fault, ImageRef, Pair, Phrase, Reason

NOUNS = (
    *("dog", "puppy", "cat", "car", "truck", "pizza", "book", "kite", "sheep"),
    *("clock", "vase", "hat", "man", "woman", "sky", "banana", "donut", "cup"),
)


def pair(index, *nouns, image=None, **changes):
    """A pair with the caption "a dog and a cat" and a phrase for each noun."""
    caption = " and ".join(f"a {noun}" for noun in nouns)
    found = re.finditer(r"a (\w+)", caption)
    phrases = [Phrase(*one.span(), *one.span(1), *one.span()) for one in found]
    reference = ImageRef(f"{index if image is None else image}.jpg", digest=f"{index if image is None else image:016x}")
    boxes = tuple(Box(number, 0.1, 0.1, 0.5, 0.5, 0.5) for number in range(len(phrases)))
    made = Pair(f"{index:03}", "source.tar", index, caption, reference, phrases=tuple(phrases), boxes=boxes)
    return replace(made, **changes)


def texts(asked):
    return [asked.text(phrase) for phrase in asked.phrases]


def heads(asked):
    return [asked.caption[phrase.head_start : phrase.head_end] for phrase in asked.phrases]


CHUNK = [pair(number, NOUNS[number % 18], NOUNS[(5 * number + 3) % 18]) for number in range(40)]


def test_decoys_come_from_other_captions_and_name_nothing_that_the_caption_names():
    for own, asked in zip(CHUNK, choose_decoys(CHUNK, 4), strict=True):
        named = set(own.caption.split())
        assert len(asked.phrases) == 4
        for head in heads(asked):
            assert head in NOUNS
            assert not named & related(head)
        assert "sky" not in heads(asked)
        assert all(b not in related(a) for a in heads(asked) for b in heads(asked) if a != b)
        assert (asked.key, asked.index, asked.image, asked.boxes) == (own.key, own.index, own.image, ())


def test_plurals_and_names_of_two_words_count_as_named():
    fire = "a fire hydrant"
    hydrant = Phrase(0, len(fire), 7, len(fire), 0, len(fire))
    others = [pair(1, "kite"), pair(2, "dog"), pair(3, "sheep")]
    donor = replace(pair(4), caption=fire, phrases=(hydrant,))
    own = replace(pair(0, "cup"), caption="a cup with fire hydrants and two puppies")
    asked = choose_decoys([own, *others, donor], 9)[0]
    assert sorted(texts(asked)) == ["a kite", "a sheep"]


def test_the_captions_of_one_image_name_things_together():
    chunk = [pair(0, "dog", image=7), pair(1, "cup", image=7), pair(2, "puppy"), pair(3, "mug"), pair(4, "kite")]
    assert [texts(asked) for asked in choose_decoys(chunk, 9)[:2]] == [["a kite"], ["a kite"]]


def test_pairs_without_phrases_and_rejected_ones_get_none():
    chunk = [*CHUNK[:5], pair(90), pair(91, "zebra", filtered="where")]
    assert [len(asked.phrases) > 0 for asked in choose_decoys(chunk, 2)] == [True] * 5 + [False] * 2


def test_a_failed_pair_changes_no_decoy():
    fault = Fault(FailureStage.BOXES, Reason.EXCEPTION)
    failed = [one.failed(fault) if number % 3 else one for number, one in enumerate(CHUNK)]
    before, after = choose_decoys(CHUNK, 3), choose_decoys(failed, 3)
    assert [texts(asked) for asked in before] == [texts(asked) for asked in after]
    assert [asked.error for asked in after] == [one.error for one in failed]


def test_boxes_change_no_decoy_and_fewer_decoys_are_the_first_ones():
    bare = [replace(one, boxes=()) for one in CHUNK]
    four, two = choose_decoys(CHUNK, 4), choose_decoys(bare, 2)
    assert [texts(asked)[:2] for asked in four] == [texts(asked) for asked in two]


def test_each_occurrence_of_a_phrase_is_equally_likely():
    chunk = [pair(number, "kite" if number % 4 else "zebra") for number in range(400)]
    asked = choose_decoys([*chunk, *(pair(number, "cup") for number in range(400, 800))], 1)[400:]
    kites = sum(texts(one) == ["a kite"] for one in asked)
    others = sum(texts(one) == ["a zebra"] for one in asked)
    assert kites + others == 400
    assert 260 < kites < 340


def test_the_expression_comes_along_with_its_offsets():
    caption = "the red kite on a pole"
    phrase = Phrase(0, 12, 8, 12, 0, 22)
    donor = replace(pair(1), caption=caption, phrases=(phrase,))
    (asked, _) = choose_decoys([pair(0, "dog"), donor], 2)
    (one,) = asked.phrases
    assert asked.text(one) == "the red kite"
    assert asked.caption[one.head_start : one.head_end] == "kite"
    assert asked.caption[one.expression_start : one.expression_end] == caption


@pytest.mark.parametrize("number", [0, 3])
@given(nouns=st.lists(st.lists(st.sampled_from(NOUNS), max_size=4), max_size=12))
def test_any_chunk_gets_valid_decoys(number, nouns):
    chunk = [pair(index, *some) for index, some in enumerate(nouns)]
    asked = choose_decoys(chunk, number)
    assert len(asked) == len(chunk)
    for own, one in zip(chunk, asked, strict=True):
        assert len(one.phrases) <= (number if own.phrases else 0)
        assert not set(heads(one)) & set(own.caption.split())
