"""The lists of words that may name one thing."""

import pytest

from transforms.phrases.class_names import singular
from transforms.phrases.same_things import is_everywhere, read_lists, related


def _words(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _words(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)


@pytest.mark.parametrize(
    ("name", "other"),
    [("puppy", "dog"), ("dog", "animal"), ("animal", "puppy"), ("hat", "woman"), ("woman", "hat"), ("truck", "wheel")],
)
def test_words_for_one_thing_kinds_and_parts_are_related(name, other):
    assert other in related(name)


@pytest.mark.parametrize(("name", "other"), [("dog", "cat"), ("car", "airplane"), ("hat", "wheel"), ("book", "pizza")])
def test_other_things_are_not(name, other):
    assert other not in related(name)
    assert name not in related(other)


def test_relation_is_mutual_and_an_unknown_word_is_related_to_itself_only():
    names = {word for key, value in read_lists().items() if key != "version" for word in _words(value)}
    assert [(a, b) for a in sorted(names) for b in related(a) if a not in related(b)] == []
    assert related("zeppelin") == {"zeppelin"}


def test_what_every_image_may_have_is_no_decoy():
    assert is_everywhere("sky")
    assert not is_everywhere("dog")


def test_all_words_are_in_lower_case_and_in_the_singular():
    names = {word for key, value in read_lists().items() if key != "version" for word in _words(value)}
    assert len(names) > 300
    assert [word for word in sorted(names) if word != word.lower() or singular(word) != word] == []
