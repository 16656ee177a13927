"""Claims of captions as text, with the embedded parser."""

import pytest

from transforms.claims.read_claims import read_claims
from transforms.phrases.markup import hide_markup
from transforms.phrases.noun_phrases import find_phrases
from transforms.phrases.parser import load_parser
from transforms.phrases.rules import phrase_rules
from transforms.records import ClaimKind
from transforms.settings import PhraseSettings

RULES = phrase_rules(PhraseSettings())


@pytest.fixture(scope="session")
def nlp():
    return load_parser("caption-parser", split_brackets=True)


@pytest.fixture(scope="session")
def parsed(nlp):
    """Returns a function: caption -> the parsed caption and its phrases, which may be absent ones."""

    def read(caption):
        doc = nlp(hide_markup(caption))
        return doc, find_phrases(doc, RULES)

    return read


@pytest.fixture(scope="session")
def claims_of(nlp):
    """Returns a function: captions -> the claims of each."""

    def read(*captions):
        docs = nlp.pipe(map(hide_markup, captions))
        return [read_claims(doc, find_phrases(doc, RULES)) for doc in docs]

    return read


@pytest.fixture(scope="session")
def said(claims_of):
    """Returns a function: caption -> its claims as text, by kind."""

    def read(caption, kind):
        [claims] = claims_of(caption)
        return [_as_text(caption, claim) for claim in claims if claim.kind == kind]

    return read


def _as_text(caption, claim):
    words = caption[claim.words_start : claim.words_end]
    subject = caption[claim.subject_start : claim.subject_end]
    if claim.kind != ClaimKind.RELATION:
        return f"{subject}: {claim.predicate} {claim.number} ({words})"
    objects = " + ".join(caption[start:end] for start, end in zip(claim.objects[::2], claim.objects[1::2], strict=True))
    return f"{'not ' if claim.negated else ''}{subject} > {claim.predicate} > {objects}".rstrip("> ")
