"""Quoted text of captions. Between asterisks: what is asked about."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.asterisks import without_asterisks
from transforms.phrases.quotations import is_quoted, quotation_marks


def quoted(caption):
    return is_quoted(*without_asterisks(caption))


@pytest.mark.parametrize(
    "caption",
    [
        '"*Two dogs*" is written on a wall',
        'a sign that says " *Two dogs* ".',
        'a wall with ""*Two dogs*"" on it',  # as in a CSV file
        'a 6" pizza and a sign that says "*two dogs*"',
        'signs "First", "*two dogs*" and "Broadway"',
        "a sign “*two dogs*”",
        "a sign „*two dogs*“",
        "a sign ”*two dogs*”",
        "a sign «*two dogs*»",
        "a sign « *two dogs* »",
        "a sign »*two dogs*«",
        "a sign ‹*two dogs*›",
        "a sign ›*two dogs*‹",
        "a sign ‘the man’s *two dogs*’",
        "a sign 'the world's *two best* dogs' here",
        "a man's sign '*two dogs*'",
        "a sign ``*two dogs*''",
        "a sign `*two dogs*`",
        '"A sign ""*two dogs*"" near a cat"',
        '"""*Two dogs*"" near a cat"',
        'a book "the two\n*dogs*" on a table',
        "a sign 『*two dogs*』 and a sign 「here」",
        "a sign ＂*two dogs*＂",
        "a sign ‚*two dogs*‘",
        "a sign ´*two dogs*´",
        "a sign ` *two dogs* '",
        "a sign ’*two dogs*’",
        "a sign ''*two dogs*'', and a cat",
        "a sign:'*two dogs*.'—here",
        "a sign ('*two dogs*') here",
        '"a "*dog*" in the house"',
        "a '50 mph near *two dogs* only' sign",
        "a sign 'give 'em *two dogs* now'",
        "a sign 'rock 'n' roll *dogs*' on it",
        "a 'no *dogs*' sign near a '57 Chevy and the girls' hats",
        "a '57 Chevy, a rockin' chair and a sign '*two dogs* only'",
    ],
)
def test_text_is_quoted(caption):
    assert quoted(caption)


@pytest.mark.parametrize(
    "caption",
    [
        "*two dogs*",
        '*two "dogs*" on a sofa',  # only the noun is
        '"*Two dogs* on a sofa."',  # the whole caption
        "« *Deux chiens* »",
        '"A sign ""two dogs"" near *a cat*"',  # a cell of a CSV file
        '"A 22"" lamp near *two dogs* and a cat"',
        '"Rex" and *two dogs* and "Fido"',
        'a 6" pizza near *a cup* and a 12" pizza',
        "a man's hat near *the dogs* of the boys' school",
        "the dogs' bowl near *two cats* and the boys' beds",
        "the '90s car near *two dogs* and the boys' beds",
        "rock 'n' roll *dogs*",
        "a 6' 2\" man with *two dogs* and a 5' woman",
        "'Tis the season for *two dogs* and the girls' hats",
        "‘Twas *two dogs* and the girls’ hats",
        "*two dogs* sleep 'til the boys' school ends",
        "a man sits 'cause *two dogs* want the girls' food",
        'a 5"" nail near *two dogs* and a 6"" nail',
        '"a 5"" nail near *two dogs* and a 6"" nail"',
        '"a "dog" near *two dogs* and a "cat""',
        "a 5” nail near *two dogs* and a 6” nail",
        "a 5“ nail near *two dogs* and a 6“ nail",
        "‘90s cars and *two dogs* of the boys’ school",
        "a '57 Chevy near *two dogs* and the dogs' bowls",
        "a '05 bus near *two dogs* and James' cat",
        "a man 's hat near *two dogs* and the boys' beds",  # split into words
        "at 4 o 'clock *two dogs* want the girls' food",
        "a man`s hat near *two dogs* and the boys` beds",
        "a 'fro near *two dogs* and a rockin' chair",
        "a 'lil cat near *two dogs* and an 'ol man of the boys' school",
        "a 'no cats' sign near *two dogs* of the boys' school",
        "'no cats' and *two dogs* and 'no cats'",
        "a 'no cats' sign near *two dogs* and a '50 mph' sign",
        'a "big \'best" sign near *two dogs* and a "big\' best" sign',
        'a sign reads "*two dogs*',  # nobody knows where it ends
        "''",
    ],
)
def test_text_is_not_quoted(caption):
    assert not quoted(caption if "*" in caption else f"**{caption}")


_PLAIN = ["two dogs", "a cat", "the man", "sits near", "and", "a sign,", "the 6 men."]
_ELIDED = ["the ~57 Chevy", "a ~90s car", "give ~em", "~til dawn", "~Tis", "rock ~n~ roll", "a ~stache", "a man ~s hat"]
_ENDING = ["the dogs~ bowls", "James~ cat", "a 6~ 2 man", "a rockin~ chair", "Felix~ beds", "an ol~ dog"]
_BETWEEN = ["the man~s hat", "it isn~t", "5 o~clock"]


def words(*lists):
    return st.lists(st.sampled_from([*chain(*lists)]), max_size=6).map(" ".join)


@given(words(_PLAIN, _ELIDED, _ENDING, _BETWEEN), st.sampled_from("'’`´"))
def test_apostrophes_quote_nothing(caption, apostrophe):
    caption = caption.replace("~", apostrophe)
    assert not any(is_quoted(caption, at, at + 1) for at in range(len(caption)))


@given(
    words(_PLAIN, _ELIDED, _ENDING),
    words(_PLAIN, _BETWEEN),
    words(_PLAIN, _ENDING),
    st.sampled_from(("''", "‘’", "‚‘", "’’", "``", "´´", "`'")),
    st.sampled_from("'’"),
)
def test_single_marks_around_words_quote_them_and_nothing_else(before, inside, after, marks, apostrophe):
    before, inside, after = (text.replace("~", apostrophe) for text in (before, f"{inside} here".lstrip(), after))
    caption = f"{before} a sign {marks[0]}{inside}{marks[1]} {after}"
    start = len(before) + len(" a sign ")
    end = start + len(inside) + 2
    found = [is_quoted(caption, at, at + 1) for at in range(len(caption))]
    assert found == [start <= at < end for at in range(len(caption))]


@pytest.mark.parametrize(
    ("caption", "pairs"),
    [
        ("a dog's man", []),
        ('a "dog" and “a cat”', [(2, 6), (12, 18)]),
        ('"a dog"', [(0, 6)]),
        ('"a ""dog"" here"', [(0, 15), (3, 9), (4, 8)]),
        ('"a "dog" here"', [(0, 13), (3, 7)]),
        ("the “big ‘dog’ ‘cat’”", [(4, 20), (9, 13), (15, 19)]),
        ("the 'big \"dog\" cat'", [(4, 18), (9, 13)]),
        ("``dogs''", [(0, 7), (1, 6)]),
        ('a 6" dog', []),
        # Within marks of the same kind.
        ('of "Old "Blue" Eyes" on', [(3, 19), (8, 13)]),
        ('of "Old "Blue" "Eyes"" on', [(3, 21), (8, 13), (15, 20)]),
        ('of "Old "Blue", Eyes"', [(3, 20), (8, 13)]),
        ("of “Old “Blue” Eyes” on", [(3, 19), (8, 13)]),
        ("of 'Old 'Blue' Eyes' on", [(3, 19), (8, 13)]),
        ("of «Old «Blue» Eyes» on", [(3, 19), (8, 13)]),
        ("of ❝dog❞ 〝cat〞 ‛mat’", [(3, 7), (9, 13), (15, 19)]),
        ('a "dog " and a "cat" on', [(2, 7), (15, 19)]),
        ('"', []),
        ('""', []),
    ],
)
def test_both_marks_of_each_pair(caption, pairs):
    assert list(quotation_marks(caption)) == pairs


@given(st.text("ad 5\"'`“”„‘’«»‹›「」", max_size=25))
def test_pairs_of_marks_do_not_cross(caption):
    pairs = quotation_marks(caption)
    for first, last in pairs:
        assert 0 <= first < last < len(caption)
        assert all(last < start or end < first or start < first < last < end or first < start < end < last
                   for start, end in pairs if (start, end) != (first, last))  # fmt: skip
