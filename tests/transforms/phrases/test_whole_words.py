import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from transforms.phrases.whole_words import join_hyphenated

BLANK = spacy.blank("en")


def flat(text):
    """The text with a tree in which every token depends on the last one."""
    doc = BLANK(text)
    heads = [len(doc) - 1] * len(doc)
    return Doc(
        BLANK.vocab, [t.text for t in doc], [bool(t.whitespace_) for t in doc], heads=heads, deps=["dep"] * len(doc)
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the easy-to-follow recipe", ["the", "easy-to-follow", "recipe"]),
        ("a state-of-the-art T-shirt", ["a", "state-of-the-art", "T-shirt"]),
        ("Shirt - Black", ["Shirt", "-", "Black"]),
        ("well- known, -known", ["well-", "known", ",", "-known"]),
        ("no hyphen", ["no", "hyphen"]),
        ("-", ["-"]),
    ],
)
def test_words_with_hyphens_are_one_token(text, words):
    doc = join_hyphenated(flat(text))
    assert [token.text for token in doc] == words
    assert doc.text == text


def test_a_joined_word_takes_the_place_of_the_part_that_the_others_depend_on():
    words, heads = ["the", "easy", "-", "to", "-", "follow", "recipe"], [6, 6, 1, 1, 3, 3, 6]
    spaces = [True, False, False, False, False, True, False]
    doc = Doc(
        BLANK.vocab, words, spaces, tags=["DT", "JJ", "HYPH", "IN", "HYPH", "NN", "NN"], heads=heads, deps=["dep"] * 7
    )
    join_hyphenated(doc)
    assert [(token.text, token.tag_, token.head.text) for token in doc] == [
        ("the", "DT", "recipe"),
        ("easy-to-follow", "JJ", "recipe"),
        ("recipe", "NN", "recipe"),
    ]


@given(st.text(st.sampled_from("ab- ,"), max_size=20).filter(str.strip))
def test_no_character_moves(text):
    doc = join_hyphenated(flat(text))
    assert doc.text == text
