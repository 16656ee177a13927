import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared import DATA, GROUNDER, PARSER, needs_shared
from tests.tiny_models import make_tokenizer
from tests.transforms.phrases.extraction import extract
from transforms.detectors.grounding_dino.prompts import (
    BORDERS,
    CLS,
    PERIOD,
    QUESTION_MARK,
    SEP,
    build_prompts,
    normalize,
    tokenize,
)
from transforms.phrases.drop_lists import drop_heads
from transforms.phrases.parser import load_parser
from transforms.records import Drop

TOKENIZER = make_tokenizer()

# Letters, borders of attention, blanks of every kind, other scripts, combining marks, emoji, controls. No
# lone surrogates: the parser refuses a caption with one.
characters = st.characters(exclude_categories=["Cs"])
awkward = st.sampled_from("abc .?\t\n\0[]SEP犬é\u0301👍\u200d\u2024")
texts = st.text(st.one_of(characters, awkward), max_size=30)


def prompt_string(phrases):
    return " . ".join(phrases) + " ."


def check_against_the_tokenizer(tokenizer, phrases, prompt):
    """The ids equal those of the joined string, and the tokenizer's offsets give the tokens of each phrase."""
    joined = [normalize(phrases[number]) for number in prompt.phrases]
    tokenized = tokenizer(prompt_string(joined), split_special_tokens=True, return_offsets_mapping=True)
    assert list(prompt.ids) == tokenized["input_ids"]
    start = 0
    for text, (first, last) in zip(joined, prompt.spans, strict=True):
        inside = [
            i for i, (a, b) in enumerate(tokenized["offset_mapping"]) if a < b and start <= a and b <= start + len(text)
        ]
        assert inside == list(range(first, last))
        start += len(text) + len(" . ")


def check_invariants(prompts, count, limit):
    held = [number for prompt in prompts.prompts for number in prompt.phrases]
    assert sorted([*held, *prompts.dropped]) == list(range(count))
    assert held == sorted(held)
    for prompt in prompts.prompts:
        assert len(prompt.ids) <= limit
        assert (prompt.ids[0], prompt.ids[-2], prompt.ids[-1]) == (CLS, PERIOD, SEP)
        for first, last in prompt.spans:
            assert first < last
            assert not BORDERS & set(prompt.ids[first:last])
            assert prompt.ids[last] == PERIOD
            assert prompt.ids[first - 1] in (CLS, PERIOD)


@pytest.mark.parametrize(
    ("phrase", "normal"),
    [
        ("A Dog", "a dog"),
        ("St. Louis?", "st louis"),
        ("two\n\tlines  here", "two lines here"),
        ("U.S.A", "u s a"),
        ("...", ""),
        (" a dog.", "a dog"),
    ],
)
def test_normalize_lowers_and_takes_the_borders_out(phrase, normal):
    assert normalize(phrase) == normal


@given(texts)
def test_normalize_twice_is_normalize(phrase):
    assert normalize(normalize(phrase)) == normalize(phrase)


def test_ids_are_those_of_the_joined_prompt_string():
    phrases = ["a dog", "a field", "flowers"]
    prompts = build_prompts(TOKENIZER, phrases, 64)
    (prompt,) = prompts.prompts
    assert list(prompt.ids) == TOKENIZER("a dog . a field . flowers .")["input_ids"]
    assert TOKENIZER.convert_ids_to_tokens(prompt.ids[slice(*prompt.spans[1])]) == ["a", "field"]
    check_against_the_tokenizer(TOKENIZER, phrases, prompt)


def test_borders_have_the_ids_that_the_model_class_has_built_in():
    assert TOKENIZER.convert_tokens_to_ids(["[CLS]", "[SEP]", ".", "?"]) == [CLS, SEP, PERIOD, QUESTION_MARK]


@pytest.mark.parametrize("typed", ["[SEP]", "[CLS]", "[PAD]", "[MASK]", "a [SEP] dog", "the [CLS][SEP] sign"])
def test_a_typed_special_token_is_plain_text(typed):
    prompts = build_prompts(TOKENIZER, [typed, "a cat"], 64)
    (prompt,) = prompts.prompts
    assert prompt.phrases == (0, 1)
    check_invariants(prompts, 2, 64)
    check_against_the_tokenizer(TOKENIZER, [typed, "a cat"], prompt)
    assert "[" in TOKENIZER.convert_ids_to_tokens(prompt.ids[slice(*prompt.spans[0])])


@pytest.mark.parametrize("phrase", ["St. Louis?", "Mr. T.", "what? a dog", "a.b.c", "a dog?"])
def test_a_full_stop_or_question_mark_inside_a_phrase_is_no_border(phrase):
    prompts = build_prompts(TOKENIZER, [phrase, "a cat"], 64)
    check_invariants(prompts, 2, 64)
    check_against_the_tokenizer(TOKENIZER, [phrase, "a cat"], prompts.prompts[0])


@pytest.mark.parametrize(
    "phrase", ["犬と猫", "a 🐶 dog", "a\0dog", "a\ndog", "naïve café", "x" * 150, "\u202ea dog", "ﬁne print"]
)
def test_odd_characters_give_the_ids_that_the_tokenizer_gives(phrase):
    prompts = build_prompts(TOKENIZER, ["a cat", phrase], 64)
    check_invariants(prompts, 2, 64)
    check_against_the_tokenizer(TOKENIZER, ["a cat", phrase], prompts.prompts[0])


@pytest.mark.parametrize("phrase", ["", "...", " ?. ", "\0", "\u200b\u00ad", "\u0301"])
def test_a_phrase_without_a_token_is_dropped_with_its_reason(phrase):
    prompts = build_prompts(TOKENIZER, ["a cat", phrase, "a dog"], 64)
    assert prompts.dropped == {1: Drop.NO_TOKEN}
    assert prompts.prompts[0].phrases == (0, 2)


def test_a_phrase_too_long_for_any_prompt_is_dropped_and_not_cut():
    fits, too_long = "dog " * 13, "dog " * 14  # with [CLS], "." and [SEP]: 16 and 17 tokens
    prompts = build_prompts(TOKENIZER, ["a cat", fits, too_long, "a dog"], 16)
    assert prompts.dropped == {2: Drop.TOO_LONG}
    check_invariants(prompts, 4, 16)
    assert [len(prompt.ids) for prompt in prompts.prompts] == [5, 16, 5]


def test_more_phrases_than_the_limit_make_several_prompts():
    phrases = [f"the {colour} dog" for colour in ("red", "blue", "green", "black") * 10]
    prompts = build_prompts(TOKENIZER, phrases, 64)
    assert len(prompts.prompts) == 3  # 40 phrases of 4 tokens with their stops; 15 fit in addition to [CLS] and [SEP]
    assert not prompts.dropped
    check_invariants(prompts, 40, 64)
    for prompt in prompts.prompts:
        check_against_the_tokenizer(TOKENIZER, phrases, prompt)


def test_no_phrase_no_prompt():
    assert build_prompts(TOKENIZER, [], 64).prompts == ()


@given(st.lists(texts, max_size=8), st.integers(4, 40))
def test_every_phrase_is_held_once_or_dropped_whatever_it_contains(phrases, limit):
    prompts = build_prompts(TOKENIZER, phrases, limit)
    check_invariants(prompts, len(phrases), limit)
    for number, reason in prompts.dropped.items():
        length = len(tokenize(TOKENIZER, phrases[number]))
        assert (reason == Drop.NO_TOKEN and length == 0) or (reason == Drop.TOO_LONG and length + 3 > limit)
    for prompt in prompts.prompts:
        check_against_the_tokenizer(TOKENIZER, phrases, prompt)


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(12, 24))
def test_no_fewer_prompts_would_do_in_that_order(lengths, limit):
    prompts = build_prompts(TOKENIZER, ["dog " * length for length in lengths], limit)
    best = [0] + [len(lengths)] * len(lengths)
    for end in range(1, len(lengths) + 1):
        starts = [start for start in range(end) if sum(n + 1 for n in lengths[start:end]) + 2 <= limit]
        best[end] = 1 + min(best[start] for start in starts)
    assert len(prompts.prompts) == best[-1]


def thousand_captions():
    """Returns all captions of the file that are not pure ASCII, the longest ones, and others from the start."""
    with (DATA / "captions" / "laion400m_10k.tsv").open(newline="", encoding="utf-8") as file:
        captions = [row["caption"] for row in csv.DictReader(file, delimiter="\t")]
    order = sorted(range(len(captions)), key=lambda i: (captions[i].isascii(), len(captions[i]) < 300, i))
    return [captions[i] for i in order[:1000]]


ODD_CAPTIONS = (
    "a [SEP] sign in St. Louis? a [CLS] dog [PAD]",
    "a 🐶 dog and a 👩‍👩‍👧 family",
    "a dog\0in a field",
    "一只狗在花田里",
    "a dog in a field " * 118,
    "a dog\nin a field\r\nof flowers\n\n",
)


@pytest.mark.slow
@needs_shared
def test_a_thousand_web_captions_give_sound_phrases_and_prompts():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(GROUNDER)
    captions = [*thousand_captions(), *ODD_CAPTIONS]
    assert len(captions) == 1006
    heads = drop_heads(("abstract_published", "abstract_extended", "pronoun", "picture"))
    phrase_count = 0
    for caption, found in zip(captions, extract(load_parser(str(PARSER)), captions, heads), strict=True):
        for phrase in found.phrases:
            assert 0 <= phrase.expression_start <= phrase.start <= phrase.head_start
            assert phrase.head_start < phrase.head_end <= phrase.end <= phrase.expression_end <= len(caption)
        phrases = [caption[phrase.start : phrase.end] for phrase in found.phrases]
        assert all(text == text.strip() and any(map(str.isalnum, text)) for text in phrases)
        prompts = build_prompts(tokenizer, phrases, 64)
        check_invariants(prompts, len(phrases), 64)
        for prompt in prompts.prompts:
            check_against_the_tokenizer(tokenizer, phrases, prompt)
        phrase_count += len(phrases)
    assert phrase_count > 1500
