"""Figures, hand marks, and the shipped pipeline."""

import itertools
import json
import re
from functools import cache
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

from tests.shared import DATA, needs_shared
from training.caption_parser.hand_marks import (
    MARKS,
    AnnotatedCaption,
    difference_interval,
    read_marks,
    score,
    score_without_numbers,
    withheld_keys,
)
from training.caption_parser.silver import text_key
from training.caption_parser.spans import Counts, compare, expression_spans, phrase_spans, total

MODEL = Path(__file__).parents[2] / "models" / "caption-parser"


@cache
def model() -> Language:
    return spacy.load(MODEL)


def phrases(caption: str) -> list[str]:
    return [caption[start:end] for start, end in sorted(phrase_spans(model()(caption)))]


def test_a_span_is_right_only_at_both_ends() -> None:
    counts = compare(frozenset({(0, 5), (6, 9)}), frozenset({(0, 5), (6, 8), (10, 12)}))
    assert counts == Counts(right=1, predicted=2, expected=3)
    assert counts.f1 == pytest.approx(0.4)


def test_nothing_wanted_and_nothing_found_is_perfect() -> None:
    assert total([]).f1 == 1.0


def test_what_lies_in_a_neutral_stretch_does_not_count() -> None:
    annotated = AnnotatedCaption("Desk Lamp - Matt Black", frozenset({(0, 9)}), frozenset({(12, 22)}))
    assert score(annotated, frozenset({(0, 9), (17, 22)})) == Counts(1, 1, 1)
    assert score(annotated, frozenset({(0, 22)})) == Counts(0, 1, 1)


def test_a_number_at_the_end_may_be_in_or_out() -> None:
    annotated = AnnotatedCaption("Slide 19", frozenset({(0, 8)}), frozenset())
    assert score(annotated, frozenset({(0, 5)})).right == 0
    assert score_without_numbers(annotated, frozenset({(0, 5)})).right == 1


def test_the_interval_of_a_parser_with_itself_is_nothing() -> None:
    counts = [Counts(n % 3, 3, 3) for n in range(30)]
    assert difference_interval(counts, counts, draws=50) == (0.0, 0.0)


@pytest.mark.parametrize(("name", "count"), [("test", 100), ("dev", 60), ("coco", 200), ("web", 100)])
def test_marks_are_in_order_and_apart(name: str, count: int) -> None:
    rows = [json.loads(line) for line in (MARKS / f"{name}.jsonl").read_text("utf-8").splitlines()]
    assert len({row["sha256"] for row in rows}) == count
    for row in rows:
        for name_of in ("phrases", "neutral", "measures"):
            assert row.get(name_of, []) == sorted(row.get(name_of, [])), row
        ends = [0, *itertools.chain.from_iterable(sorted(row["phrases"] + row["neutral"]))]
        assert ends == sorted(ends), row


@needs_shared
@pytest.mark.parametrize(
    ("name", "captions"),
    [
        ("test", "laion400m_10k.tsv"),
        ("dev", "laion400m_10k.tsv"),
        ("web", "laion400m_10k.tsv"),
        ("coco", "coco_val2017_captions.tsv"),
    ],
)
def test_marks_begin_and_end_with_words(name: str, captions: str) -> None:
    for annotated in read_marks(MARKS / f"{name}.jsonl", DATA / "captions" / captions):
        assert text_key(annotated.caption) in withheld_keys(MARKS)
        for start, end in annotated.phrases:
            around = annotated.caption[:start][-1:], annotated.caption[end:][:1]
            assert not any(character.isalnum() for character in around), annotated.caption[start:end]
            assert annotated.caption[start].isalnum()
            assert any(map(str.isalnum, annotated.caption[end - 2 : end]))


def test_the_model_is_small_and_holds_no_path() -> None:
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 12_000_000
    config = (MODEL / "config.cfg").read_text("utf-8")
    assert "train = null" in config
    texts = [path.read_text("utf-8") for path in files if path.suffix in (".cfg", ".json")]
    assert not any(re.search(r'"/\w+/|\.\./', text) for text in texts)


@pytest.mark.parametrize(
    ("caption", "wanted"),
    [
        ("Two brown dogs sleep on an old red sofa.", ["Two brown dogs", "an old red sofa"]),
        ("a woman with a yellow umbrella", ["a woman", "a yellow umbrella"]),
        ("OAK DINING TABLE - FREE DELIVERY", ["OAK DINING TABLE", "FREE DELIVERY"]),
        ("Acme Steel Water Bottle | Outdoor Shop", ["Acme Steel Water Bottle", "Outdoor Shop"]),
    ],
)
def test_the_model_finds_the_phrases_of_captions(caption: str, wanted: list[str]) -> None:
    assert phrases(caption) == wanted


def test_the_model_gives_expressions_along_the_tree() -> None:
    caption = "a man in a blue jacket"
    assert (0, len(caption)) in expression_spans(model()(caption))
