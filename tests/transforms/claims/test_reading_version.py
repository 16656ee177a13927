"""The version of the code that reads claims: it must change when the claims of some captions do.

`reading_versions.txt` has the digest of what is read from `reading_captions.txt`, for each version. If the digest is
another one, raise `READING_VERSION` and add a line, also after a change of the word lists or of the embedded parser.
"""

import hashlib
from pathlib import Path

import pytest

from transforms.claims.read_claims import read_caption
from transforms.claims.reading_version import READING_VERSION
from transforms.phrases.markup import hide_markup
from transforms.phrases.noun_phrases import find_phrases
from transforms.records import Claim

from .conftest import RULES

HERE = Path(__file__).parent
CAPTIONS = HERE.joinpath("reading_captions.txt").read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def digest(nlp):
    """Returns a function: the digest of what is read from the captions."""
    docs = list(nlp.pipe(map(hide_markup, CAPTIONS)))
    phrases = [find_phrases(doc, RULES) for doc in docs]

    def computed():
        hasher = hashlib.blake2b(digest_size=16)
        for doc, found in zip(docs, phrases, strict=True):
            kept, claims = read_caption(doc, found)
            spans = [(one.start, one.end) for one in kept.kept]
            hasher.update(repr((spans, [[getattr(one, name) for name in Claim.__slots__] for one in claims])).encode())
        return hasher.hexdigest()

    return computed


def test_other_claims_have_another_version(digest):
    lines = [line.split() for line in HERE.joinpath("reading_versions.txt").read_text("utf-8").splitlines()]
    assert [int(version) for version, _ in lines] == list(range(1, READING_VERSION + 1))
    assert len({known for _, known in lines}) == len(lines)
    assert digest() == lines[-1][1], "the claims changed: raise READING_VERSION, and add a line to reading_versions.txt"


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        ("presence.is_unsure", lambda *_: False),
        ("counts._is_thing", lambda *_: True),
        ("relations._fits", lambda *_: False),
        ("ranks._is_a_detail", lambda *_: True),
        ("numerals.is_inexact", lambda *_: False),
        ("subjects._in_doubt", lambda *_: False),
        ("verbs._relative", lambda *_: None),
    ],
)
def test_the_digest_notices_a_change_of_a_rule(digest, monkeypatch, rule, other):
    before = digest()
    monkeypatch.setattr(f"transforms.claims.{rule}", other)
    assert digest() != before
