"""Quoted text of captions. Between asterisks: what is asked about."""

import pytest

from transforms.claims.quotations import is_quoted


def quoted(caption):
    before, inside, after = caption.split("*")
    return is_quoted(before + inside + after, len(before), len(before) + len(inside))


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
        "a 5” nail near *two dogs* and a 6” nail",
        "a 5“ nail near *two dogs* and a 6“ nail",
        "‘90s cars and *two dogs* of the boys’ school",
        'a sign reads "*two dogs*',  # nobody knows where it ends
        "''",
    ],
)
def test_text_is_not_quoted(caption):
    assert not quoted(caption if "*" in caption else f"**{caption}")
