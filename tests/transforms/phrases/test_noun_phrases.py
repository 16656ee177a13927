import re
from contextlib import nullcontext

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc

from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from tests.shared import PARSER, needs_shared
from tests.transforms.phrases.extraction import extract, with_phrases
from transforms.isolation.bisect import UnhealthyDevice
from transforms.phrases.drop_lists import drop_heads
from transforms.phrases.drops import DropRules
from transforms.phrases.noun_phrases import PhraseRules, find_phrases
from transforms.phrases.parser import load_parser
from transforms.records import Chunk, Drop, FailureStage, Fault, Pair, Reason
from transforms.settings import PhraseSettings

BLANK = spacy.blank("en")
VOCAB = BLANK.vocab
HEADS = drop_heads(("abstract_published", "abstract_extended", "pronoun", "picture"))
RULES = PhraseRules(DropRules(HEADS, {}))


def parsed(table):
    """Returns a Doc from "word/part of speech/head/label". Heads count from 1. "_" after a word means no blank."""
    rows = [item.rsplit("/", 3) for item in table.split()]
    words = [row[0].removesuffix("_") for row in rows]
    spaces = [not row[0].endswith("_") for row in rows]
    heads = [int(row[2]) - 1 for row in rows]
    return Doc(VOCAB, words, spaces, pos=[row[1] for row in rows], heads=heads, deps=[row[3] for row in rows])


def kept(doc):
    """Noun chunk -> expression."""
    text = doc.text
    return {text[p.start : p.end]: text[p.expression_start : p.expression_end] for p in find_phrases(doc, RULES).kept}


def dropped(doc):
    return {doc.text[d.start : d.end]: d.reason for d in find_phrases(doc, RULES).dropped}


DOG = "a/DET/2/det dog/NOUN/2/ROOT in/ADP/2/prep a/DET/5/det field/NOUN/3/pobj of/ADP/5/prep flowers/NOUN/6/pobj"


def test_a_chunk_is_expanded_along_the_tree():
    assert kept(parsed(DOG)) == {
        "a dog": "a dog in a field of flowers",
        "a field": "a field of flowers",
        "flowers": "flowers",
    }


def test_heads_are_single_words_inside_their_chunk():
    doc = parsed(DOG)
    assert [doc.text[p.head_start : p.head_end] for p in find_phrases(doc, RULES).kept] == ["dog", "field", "flowers"]


def test_a_chunk_whose_head_has_a_conjunct_is_not_expanded():
    doc = parsed(
        "a/DET/2/det cat/NOUN/2/ROOT and/CCONJ/2/cc a/DET/5/det dog/NOUN/2/conj in/ADP/5/prep a/DET/8/det "
        "basket/NOUN/6/pobj"
    )
    assert kept(doc) == {"a cat": "a cat", "a dog": "a dog", "a basket": "a basket"}


def test_a_phrase_is_cut_at_a_separator_and_each_part_has_its_own_head():
    doc = parsed("Grizzly/PROPN/2/compound Shirt/PROPN/4/compound -/PUNCT/4/punct Black/PROPN/4/ROOT")
    assert [chunk.text for chunk in doc.noun_chunks] == ["Grizzly Shirt - Black"]
    found = find_phrases(doc, RULES).kept
    assert [doc.text[p.start : p.end] for p in found] == ["Grizzly Shirt", "Black"]
    assert [doc.text[p.head_start : p.head_end] for p in found] == ["Shirt", "Black"]


def test_a_part_without_a_noun_is_no_phrase():
    doc = parsed("new/ADJ/4/amod |/PUNCT/4/punct wooden/ADJ/4/amod table/NOUN/4/ROOT")
    assert kept(doc) == {"wooden table": "wooden table"}
    assert dropped(doc) == {"new": Drop.NO_NOUN}


def test_each_part_is_dropped_for_its_own_head():
    doc = parsed("Me/PRON/4/dep |/PUNCT/4/punct my/PRON/4/poss dog/NOUN/4/ROOT")
    assert dropped(doc) == {"Me": Drop.PRONOUN}
    assert kept(doc) == {"my dog": "my dog"}
    doc = parsed(
        "Stock/NOUN/2/compound Photo/NOUN/6/dep 5/NUM/4/nummod inches/NOUN/2/npadvmod |/PUNCT/6/punct Black/NOUN/6/ROOT"
    )
    assert dropped(doc) == {"Stock Photo 5 inches": Drop.PICTURE}


def spoken(caption):
    """Returns the caption, tokenized by spaCy, as one noun chunk whose last noun is the root."""
    doc = BLANK(caption)
    root = max(token.i for token in doc if token.text[0].isalnum())
    pos = ["NOUN" if token.text[0].isalnum() else "SPACE" if token.is_space else "PUNCT" for token in doc]
    words, spaces = [token.text for token in doc], [bool(token.whitespace_) for token in doc]
    deps = ["ROOT" if token.i == root else "compound" for token in doc]
    return Doc(doc.vocab, words, spaces, pos=pos, heads=[root] * len(doc), deps=deps)


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("Grizzly Shirt  - Black", ["Grizzly Shirt", "Black"]),
        ("Grizzly Shirt -\nBlack", ["Grizzly Shirt", "Black"]),
        ("Grizzly Shirt\t-\tBlack", ["Grizzly Shirt", "Black"]),
        ("Grizzly Shirt\u00a0- Black", ["Grizzly Shirt", "Black"]),
        ("Shirt (black), Hat", ["Shirt", "black", "Hat"]),
        ("photo (2): dog", ["2", "dog"]),
        ("Shirt || Hat", ["Shirt", "Hat"]),
        ("Sizes: Hat", ["Sizes", "Hat"]),
        ("T-shirt and/or hat at 3:15", ["T-shirt and/or hat at 3:15"]),
        ("well-known hat", ["well-known hat"]),
    ],
)
def test_separators_as_the_tokenizer_gives_them(caption, phrases):
    assert list(kept(spoken(caption))) == phrases


WORDS = st.sampled_from(
    ["dog", "hat", "red", "-", "–", "|", "||", "/", ":", "(", ")", "[", "]", "~", "  ", "\n", "2", "♥"]
)


@given(st.lists(WORDS, min_size=1, max_size=12).map(" ".join).filter(lambda text: any(map(str.isalpha, text))))
@settings(deadline=None)
def test_no_phrase_and_no_expression_runs_across_a_spaced_separator(caption):
    doc = spoken(caption)
    for phrase in find_phrases(doc, RULES).kept:
        for start, end in ((phrase.start, phrase.end), (phrase.expression_start, phrase.expression_end)):
            assert not re.search(r"\s[-–/~|]+\s", caption[start:end])
            assert not set("()[]|") & set(caption[start:end])


@pytest.mark.parametrize("words", ["T_ -_ shirt", "3_ :_ 15", "and_ /_ or", "cat_ )_ toy"])
def test_a_mark_within_a_word_separates_nothing(words):
    first, mark, last = words.split()
    doc = parsed(f"{first}/NOUN/3/compound {mark}/PUNCT/3/punct {last}/NOUN/3/ROOT")
    assert list(kept(doc)) == [words.replace("_ ", "")]


def test_an_expression_ends_at_a_separator():
    doc = parsed(
        "bench/NOUN/1/ROOT in/ADP/1/prep snow/NOUN/2/pobj |/PUNCT/1/punct park/NOUN/1/appos with/ADP/5/prep "
        "trees/NOUN/6/pobj"
    )
    assert kept(doc) == {
        "bench": "bench in snow",
        "snow": "snow",
        "park": "park with trees",
        "trees": "trees",
    }


def test_conjuncts_further_down_the_subtree_stay_in():
    doc = parsed(
        "A/DET/2/det man/NOUN/2/ROOT with/ADP/2/prep tattooed/ADJ/5/amod arm/NOUN/3/pobj dressed/VERB/2/acl "
        "in/ADP/6/prep khaki/ADJ/10/amod t/NOUN/10/compound shirt/NOUN/7/pobj and/CCONJ/10/cc a/DET/14/det "
        "military/ADJ/14/amod cap/NOUN/10/conj"
    )
    found = kept(doc)
    assert found["A man"] == doc.text.strip()
    assert found["khaki t shirt"] == "khaki t shirt"
    assert found["a military cap"] == "a military cap"


def test_a_relative_clause_belongs_to_the_expression():
    doc = parsed(
        "a/DET/3/det wire/NOUN/3/compound hanger/NOUN/3/ROOT with/ADP/3/prep a/DET/7/det paper/NOUN/7/compound "
        "cover/NOUN/4/pobj that/PRON/9/nsubj reads/VERB/7/relcl we/PRON/11/nsubj heart/VERB/9/ccomp "
        "our/PRON/13/poss customers/NOUN/11/dobj"
    )
    found = find_phrases(doc, RULES)
    rows = [(p.start, p.end, p.expression_start, p.expression_end) for p in found.kept]
    assert rows[:2] == [(0, 13, 0, 66), (19, 32, 19, 66)]  # the sample of GRIT
    assert {doc.text[d.start : d.end] for d in found.dropped} == {"that", "we"}


def test_a_subtree_with_a_gap_is_not_expanded():
    doc = parsed("a/DET/2/det dog/NOUN/3/nsubj appeared/VERB/3/ROOT with/ADP/2/prep spots/NOUN/4/pobj")
    assert kept(doc) == {"a dog": "a dog", "spots": "spots"}


def test_abstract_pronoun_and_picture_words_are_dropped_with_their_reason():
    doc = parsed(
        "a/DET/2/det photo/NOUN/2/ROOT of/ADP/2/prep it/PRON/3/pobj with/ADP/2/prep Love/NOUN/5/pobj in/ADP/2/prep "
        "the/DET/9/det background/NOUN/7/pobj near/ADP/2/prep a/DET/12/det dog/NOUN/10/pobj"
    )
    assert dropped(doc) == {
        "a photo": Drop.PICTURE,
        "it": Drop.PRONOUN,
        "Love": Drop.ABSTRACT,
        "the background": Drop.PICTURE,
    }
    assert kept(doc) == {"a dog": "a dog"}


def test_the_pronoun_tag_is_enough_and_only_the_head_counts():
    assert dropped(parsed("thou/PRON/1/ROOT")) == {"thou": Drop.PRONOUN}
    assert kept(parsed("a/DET/3/det photo/NOUN/3/compound album/NOUN/3/ROOT")) == {"a photo album": "a photo album"}


def test_punctuation_at_the_ends_is_trimmed():
    doc = parsed(
        '"_/PUNCT/3/punct a/DET/3/det dog_/NOUN/3/ROOT "/PUNCT/3/punct in/ADP/3/prep a/DET/7/det field_/NOUN/5/pobj '
        "./PUNCT/3/punct"
    )
    assert kept(doc) == {"a dog": 'a dog" in a field', "a field": "a field"}


def test_a_chunk_of_nothing_but_symbols_is_dropped():
    assert dropped(parsed("♥/NOUN/1/ROOT")) == {"♥": Drop.NO_TOKEN}


def test_a_head_that_is_a_symbol_gives_way_to_a_noun_or_leaves_no_phrase():
    assert dropped(parsed("a/DET/3/det big/ADJ/3/amod ♥/NOUN/3/ROOT")) == {"a big": Drop.NO_NOUN}
    assert dropped(parsed("a/DET/3/det photo/NOUN/3/compound ♥/NOUN/3/ROOT")) == {"a photo": Drop.PICTURE}
    assert kept(parsed("a/DET/3/det dog/NOUN/3/compound ♥/NOUN/3/ROOT")) == {"a dog": "a dog"}


def test_offsets_are_those_of_the_original_caption():
    words, spaces = ["a", " ", "dog", "\n\n", "🐶", "."], [True, False, True, False, False, False]
    doc = Doc(VOCAB, words, spaces, pos=["DET", "SPACE", "NOUN", "SPACE", "SYM", "PUNCT"], heads=[2, 0, 2, 2, 2, 2],
              deps=["det", "dep", "ROOT", "dep", "dep", "punct"])  # fmt: skip
    assert doc.text == "a  dog \n\n🐶."
    assert kept(doc) == {"a  dog": "a  dog"}


def test_without_a_list_its_words_are_kept():
    doc = parsed("a/DET/2/det photo/NOUN/2/ROOT of/ADP/2/prep love/NOUN/3/pobj")
    assert not find_phrases(doc, PhraseRules(DropRules({}, {}))).dropped
    assert [d.reason for d in find_phrases(doc, PhraseRules(DropRules(drop_heads(("picture",)), {}))).dropped] == [
        Drop.PICTURE
    ]


@pytest.fixture(scope="module")
def nlp(parser):
    return load_parser(str(parser))


def texts_of(caption, pair):
    return [(caption[p.start : p.end], caption[p.expression_start : p.expression_end]) for p in pair.phrases]


def test_extract_answers_each_caption_in_order(nlp):
    captions = ["a red car near a tree", "", "it sees two horses", "a cat and a dog in a basket"]
    car, nothing, horses, animals = extract(nlp, captions, HEADS)
    assert texts_of(captions[0], car) == [("a red car", "a red car near a tree"), ("a tree", "a tree")]
    assert nothing.phrases == nothing.dropped == ()
    assert texts_of(captions[2], horses) == [("two horses", "two horses")]
    assert [text for text, _ in texts_of(captions[3], animals)] == ["a cat", "a dog", "a basket"]


@Language.component("fails_on_boom")
def fails_on_boom(doc):
    if "boom" in doc.text:
        raise RuntimeError("boom")
    return doc


def test_only_the_caption_that_the_parser_cannot_take_becomes_a_fault(parser):
    nlp = load_parser(str(parser))
    nlp.add_pipe("fails_on_boom")
    captions = ["a dog", "boom", "a cat on a table"]
    first, fault, last = extract(nlp, captions, HEADS)
    assert (fault.error.stage, fault.error.reason) == (FailureStage.PHRASES, Reason.EXCEPTION)
    assert re.fullmatch(r"RuntimeError: boom \(test_noun_phrases\.py:\d+\)", fault.error.detail)
    assert texts_of(captions[0], first) == [("a dog", "a dog")]
    assert texts_of(captions[2], last) == [("a cat", "a cat on a table"), ("a table", "a table")]


def test_a_lone_surrogate_harms_only_its_own_caption(nlp):
    sound, broken = extract(nlp, ["a dog", "a dog \ud800"], HEADS)
    assert texts_of("a dog", sound) == [("a dog", "a dog")]
    broken.error.detail.encode()


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_spans_nest_inside_the_caption_whatever_it_contains(nlp, caption):
    (found,) = extract(nlp, [caption], HEADS)
    for p in found.phrases:
        assert 0 <= p.expression_start <= p.start <= p.head_start
        assert p.head_start < p.head_end <= p.end <= p.expression_end <= len(caption)
    for d in found.dropped:
        assert 0 <= d.start < d.end <= len(caption)


@pytest.mark.parametrize(
    "caption",
    [
        "a [SEP] dog in St. Louis?",
        "a 🐶 dog 👩‍👩‍👧",
        "a dog\0in a field",
        "一只狗在花田里",
        "a dog in a field " * 118,
        "a dog\nin a\r\nfield\n",
    ],
)
def test_odd_captions_keep_their_offsets(nlp, caption):
    (found,) = extract(nlp, [caption], HEADS)
    assert all(re.search(r"\w", caption[p.start : p.end]) for p in found.phrases)
    assert all(caption[p.head_start : p.head_end].strip() for p in found.phrases)


def test_a_caption_does_not_depend_on_its_neighbours(nlp):
    captions = ["a dog in a field of flowers", "a red car", "two birds near the old house", "a cat"]
    together = extract(nlp, captions, HEADS)
    assert [p.phrases for p in together] == [extract(nlp, [c], HEADS)[0].phrases for c in captions]


def pair(index, caption, **fields):
    return Pair(str(index), "source", index, caption, **fields)


def test_pairs_without_a_caption_or_with_a_fault_stay_as_they_are(nlp):
    fault = Fault(FailureStage.READ, Reason.BROKEN_ROW)
    pairs = [pair(0, "a dog"), pair(1, "  \n"), pair(2, "a dog", error=fault), pair(3, "a photo of a cat")]
    done = with_phrases(nlp, pairs, HEADS)
    assert done[1:3] == pairs[1:3]
    assert done[0].text(done[0].phrases[0]) == "a dog"
    assert [d.reason for d in done[3].dropped] == [Drop.PICTURE]


def test_the_stage_adds_phrases_to_a_chunk_and_takes_its_time(parser):
    chunk = Chunk(0, 0, 0, (pair(0, "a dog", data=b"jpeg"), pair(1, "a red car near a tree")))
    done = StageRunner(Phrases(PhraseSettings(model=str(parser)))).run(chunk)
    assert [len(p.phrases) for p in done.pairs] == [1, 2]
    assert (done.pairs[0].data, done.rows[0].data) == (b"jpeg", b"")
    assert list(done.seconds) == ["phrases"]


def test_no_parser_is_loaded_where_there_is_nothing_to_do():
    closing = Chunk(0, 0, 0, closes_range=True)
    assert StageRunner(Phrases(PhraseSettings(model="no_such_pipeline"))).run(closing) is closing


@needs_shared
def test_the_construction_holds_with_a_real_parser():
    nlp = load_parser(str(PARSER))
    captions = ["a dog in a field of flowers", "a cat and a dog in a basket", "A photo of two people on the beach"]
    dog, animals, people = extract(nlp, captions, HEADS)
    assert texts_of(captions[0], dog)[0] == ("a dog", captions[0])
    assert texts_of(captions[1], animals)[:2] == [("a cat", "a cat"), ("a dog", "a dog")]
    assert [d.reason for d in people.dropped] == [Drop.PICTURE]


def test_the_string_store_does_not_grow_with_the_input():
    """Without memory zones, spaCy keeps every word that it has seen, and a run of days runs out of memory."""
    nlp = load_parser("caption-parser")

    def words(first):
        return [f"a dog{first + i} near the cat{first + i} in xyzzy{first + i}" for i in range(300)]

    extract(nlp, words(0), HEADS)
    before = len(nlp.vocab.strings), sum(1 for _ in nlp.vocab)
    for first in range(1000, 4000, 1000):
        assert all(found.phrases for found in extract(nlp, words(first), HEADS))
    assert (len(nlp.vocab.strings), sum(1 for _ in nlp.vocab)) == before


def test_a_parser_that_fails_on_everything_is_nobodys_fault():
    class Broken:
        memory_zone = staticmethod(nullcontext)

        def pipe(self, captions):
            raise MemoryError("no more")

    with pytest.raises(UnhealthyDevice, match="no more"):
        extract(Broken(), ["a dog", "a cat"], {})
