"""Words that leave open whether a thing is there."""

from itertools import product

import pytest

from tests.transforms.asterisks import without_asterisks
from transforms.claims.unsure import _LONGEST, _WORD, is_unsure, is_unsure_in
from transforms.claims.word_lists import unreal
from transforms.phrases.quotations import is_quoted


@pytest.mark.parametrize(
    "caption",
    [
        "people waiting for *a bus* in the rain",
        "people waiting patiently for *a bus*",
        "A dog looks around for *a ball*.",
        "a truck made to look like *a train*",
        "A man dressed up as *a giraffe* reads",
        'a sign that says "*dogs*"',
        "*a camel* or a horse",
        "a camel or *a horse*",
        "a toilet missing *its seat*",
        "*Is there a cat* on the sofa?",
        "an ad for *a car*",
        "a cake in the shape of *a train*",
        "a sign in the form of *two people* on a pole",
        "a balloon shaped as *a dog*",
        "*a train* shaped cake",
        "*A heart* shaped, glass container",
        "lots of *dinosaur* themed toys",
        "a sign that reads *two dogs*",
        "a shirt with the words *three cats*",
        "a man in a t-shirt that reads *two dogs*",
        "“*Two dogs*” is written on a wall",
    ],
)
def test_it_is_open(caption):
    assert is_unsure_in(*without_asterisks(caption))


@pytest.mark.parametrize(
    "caption",
    [
        "a man waiting behind *a bus*",
        "a man about to catch *a frisbee*",
        "a girl ready to throw *a ball*",
        "a cat reaching for *a toothbrush*",
        "It looks like *a dog* on a sofa.",
        "a man reads *a book*",
        "*two dogs* on a mat. Is there a cat?",
        "a bus *for people* waiting",
        "*a dog*",
        "food for *a dog* in order",
        "*a meteor* near a motor",
        "*a train* shaped like a dragon",
        "*two vases* shaped differently",
        "*a cake* in the shape of a train",
        "a woman reading *two books*",
        "a man in a blue shirt reading *a book*",
        "a boy in a t-shirt reads *two books*",
        "*two vases* shaped around a stone",
        "a woman reads *a sign*",
        'a man and his "best" *two dogs*',
    ],
)
def test_it_is_there(caption):
    assert not is_unsure_in(*without_asterisks(caption))


def test_no_pattern_is_longer_than_what_is_looked_at():
    assert max(map(len, unreal())) == _LONGEST


_PIECES = (
    *(
        "",
        "dog",
        "for",
        "waiting",
        "patiently",
        "or",
        "and/or",
        "dog.or",
        "or.",
        "OR,",
        "as",
        "shaped",
        "shaped,",
        "İfor",
    ),
    *(
        "like",
        "looking like,",
        "only",
        "?",
        ".",
        ",",
        ",or",
        "...",
        "-",
        '"',
        "read",
        "that",
        "İ",
        "²",
        "for\x1c",
        "_or",
    ),
)


def _with_all_words(caption: str, start: int, end: int) -> bool:
    before = _WORD.findall(caption[:start].lower())
    after = _WORD.findall(caption[end:].lower())
    return is_quoted(caption, start, end) or is_unsure([*before, "", *after], len(before), len(before))


def test_usual_words_need_no_further_look():
    befores = ("", "waiting", "waiting for", "is that a dog? dressed as")
    afters = ("", "differently", "cake, is it?")
    for space, first, last, next_one, rest in product((" ", ""), befores, _PIECES, _PIECES, afters):
        start = f"{first} {last}{space}"
        caption = f"{start}bus{space}{next_one} {rest}"
        span = len(start), len(start) + len("bus")
        assert is_unsure_in(caption, *span) == _with_all_words(caption, *span), caption
