import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.claims.read_claims import read_caption, read_claims
from transforms.phrases.noun_phrases import Phrases
from transforms.records import ClaimKind, Phrase

WORDS = """a the two three no some several of and or to is are not there dog dogs cat people man's sheep group pair
couple scissors on in at under next left right side top front between each other by with without that sitting standing
holding facing largest leftmost second first from picture photo background , . ? | ( " 5 12 1990 - \n it which His
only lone single each most least"""


@pytest.mark.parametrize(
    "caption",
    ["", " ", ".", "no", "of", "two of", "the second from", "without", "between a car and", "a dog  on \n a mat"],
)
def test_anything_can_be_read(claims_of, caption):
    [claims] = claims_of(caption)
    assert isinstance(claims, tuple)


@given(st.lists(st.sampled_from(WORDS.split(" ")), max_size=25))
@settings(deadline=None, max_examples=150)
def test_spans_are_in_the_caption_and_claims_in_the_order_of_their_words(claims_of, words):
    caption = " ".join(words)
    [claims] = claims_of(caption)
    for claim in claims:
        assert 0 <= claim.words_start < claim.words_end <= len(caption)
        assert 0 <= claim.subject_start < claim.subject_end <= len(caption)
        assert len(claim.objects) % 2 == 0
        assert all(0 <= offset <= len(caption) for offset in claim.objects)
        assert (claim.number > 0) == (claim.kind != ClaimKind.RELATION and claim.predicate != "none")
    starts = [claim.words_start for claim in claims]
    assert starts == sorted(starts)
    assert claims_of(caption) == [claims]


@given(
    st.lists(
        st.tuples(st.sampled_from([*WORDS.split(), *"\"'“”‹›❝❞()[]{}<>~•→🟢❤️\u200b\u202a"]), st.booleans()), max_size=15
    )
)
def test_heads_are_in_their_phrases_whatever_is_around_the_words(parsed, parts):
    caption = "".join(word + " " * has_blank for word, has_blank in parts)
    doc, phrases = parsed(caption)
    for phrase in phrases.kept:
        assert 0 <= phrase.expression_start <= phrase.start <= phrase.head_start
        assert phrase.head_end <= phrase.end <= phrase.expression_end <= len(caption)
        assert any(map(str.isalnum, caption[phrase.head_start : phrase.head_end]))
    spans = {(one.start, one.end) for one in (*phrases.kept, *phrases.dropped)}
    kept, claims = read_caption(doc, phrases)
    for claim in claims:
        assert (claim.subject_start, claim.subject_end) in spans
        assert caption[claim.words_start : claim.words_end].strip()
    assert set(kept.kept) <= set(phrases.kept)


def test_subjects_and_objects_are_noun_chunks(claims_of):
    caption = "A couple of dogs sit on the grass between a red car and two people."
    [claims] = claims_of(caption)
    chunks = {"A couple of dogs", "the grass", "a red car", "two people"}
    assert len(claims) == 5
    for claim in claims:
        spans = [(claim.subject_start, claim.subject_end), *zip(claim.objects[::2], claim.objects[1::2], strict=True)]
        assert {caption[start:end] for start, end in spans} <= chunks


def test_only_english_is_read():
    doc = spacy.blank("de")("two dogs")
    assert read_claims(doc, Phrases((Phrase(0, 8, 4, 8, 0, 8),))) == ()


def test_a_caption_is_not_changed(claims_of):
    doc = spacy.blank("en")("two dogs on a mat")
    before = [(token.text, token.dep_, token.head.i) for token in doc]
    read_claims(doc, Phrases((Phrase(0, 8, 4, 8, 0, 8),)))
    assert [(token.text, token.dep_, token.head.i) for token in doc] == before


def test_no_phrase_no_claim():
    doc = spacy.blank("en")("no dogs")
    assert read_claims(doc, Phrases()) == ()
