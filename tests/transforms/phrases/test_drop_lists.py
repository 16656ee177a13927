import pytest

from transforms.phrases.drop_lists import drop_heads
from transforms.records import Drop


def test_the_published_list_is_the_authors_fourteen_words():
    published = drop_heads(("abstract_published",))
    words = "time life love freedom happiness wisdom peace justice hope courage faith understanding advantage pursuit"
    assert set(published) == set(words.split())
    assert set(published.values()) == {Drop.ABSTRACT}


def test_an_unknown_list_is_refused_by_name():
    with pytest.raises(ValueError, match=r"phrases\.drop_lists: no list nouns; did you mean pronoun"):
        drop_heads(("picture", "nouns"))


def test_the_words_of_the_lists_are_lower_case_and_on_one_list_only():
    lists = ("abstract_published", "abstract_extended", "pronoun", "picture")
    heads = drop_heads(lists)
    assert all(word == word.lower() for word in heads)
    assert sum(len(drop_heads((name,))) for name in lists) == len(heads)
