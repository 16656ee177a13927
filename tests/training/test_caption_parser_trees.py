"""Cutting, joining and mending parses; alt-texts made of them; the split of the silver parses."""

import random

import pytest
from spacy.pipeline._parser_internals.nonproj import contains_cycle, is_nonproj_tree

from training.caption_parser.alt_text import alt_text, parts_of
from training.caption_parser.casing import maybe_recased
from training.caption_parser.corpus import WordClassRuler
from training.caption_parser.mend import mended, separator_at
from training.caption_parser.silver import Parse, is_validation, split, text_key, to_doc
from training.caption_parser.trees import cut, joined, piece, recased, with_mark

RULER = WordClassRuler()


def parse(source: str, rows: str) -> Parse:
    """A parse from lines of word, tag, label, head; a word that ends with "_" has no space after it."""
    cells = [line.split() for line in rows.strip().splitlines()]
    words = tuple(cell[0].rstrip("_") for cell in cells)
    spaces = (*(not cell[0].endswith("_") for cell in cells[:-1]), False)
    tags, deps = (tuple(cell[n] for cell in cells) for n in (1, 2))
    heads = tuple(int(cell[3]) for cell in cells)
    text = "".join(word + " " * space for word, space in zip(words, spaces, strict=True))
    tops = [_top(heads, i) for i in range(len(words))]
    starts = tuple(i == 0 or tops[i] != tops[i - 1] for i in range(len(words)))
    return Parse(source, text, words, spaces, tags, deps, heads, starts)


def _top(heads: tuple[int, ...], i: int) -> int:
    return i if heads[i] == i else _top(heads, heads[i])


SHIRT = parse(
    "laion",
    """
    Grizzly NNP compound 1
    Shirt NNP compound 3
    - HYPH punct 3
    Black NNP ROOT 3
    """,
)
LEMONS = parse(
    "laion",
    """
    Lemons NNS ROOT 0
    on IN prep 0
    a DT det 5
    tree NN compound 5
    Stock NN compound 5
    Photo NN pobj 1
    """,
)
DOG = parse(
    "coco",
    """
    a DT det 2
    small JJ amod 2
    dog NN ROOT 2
    on IN prep 2
    grass NN pobj 3
    """,
)


def chunks(made: Parse) -> list[str]:
    assert contains_cycle(list(made.heads)) is None
    assert not is_nonproj_tree(list(made.heads))
    return [chunk.text for chunk in RULER(to_doc(RULER.vocab, made)).noun_chunks]


def mend(made: Parse) -> Parse:
    return mended(made, RULER(to_doc(RULER.vocab, made)))


def test_a_phrase_is_cut_at_a_spaced_dash() -> None:
    assert chunks(SHIRT) == ["Grizzly Shirt - Black"]
    assert chunks(mend(SHIRT)) == ["Grizzly Shirt", "Black"]


def test_a_phrase_is_cut_before_agency_wording_and_stays_an_object() -> None:
    assert chunks(mend(LEMONS)) == ["Lemons", "a tree", "Stock Photo"]


def test_what_no_phrase_crosses_is_left_alone() -> None:
    assert mend(DOG) is DOG


def test_a_hyphen_inside_a_word_is_no_separator() -> None:
    fold = parse("laion", "T_ NN compound 2\n-_ HYPH punct 2\nShirt NN ROOT 2")
    assert not separator_at(fold, 1)
    assert mend(fold) is fold


@pytest.mark.parametrize("start", range(1, 6))
def test_every_cut_gives_a_tree(start: int) -> None:
    assert chunks(cut(LEMONS, [start]))


def test_a_piece_has_a_root_of_its_own() -> None:
    assert piece(DOG, 0, 3).heads == (2, 2, 2)
    assert piece(DOG, 0, 3).deps[2] == "ROOT"


def test_joined_parts_keep_their_phrases() -> None:
    both = joined([with_mark(DOG, "|", True), piece(SHIRT, 0, 2)])
    assert both.text == "a small dog on grass | Grizzly Shirt"
    assert chunks(both) == ["a small dog", "grass", "Grizzly Shirt"]


def test_alt_texts_have_the_phrases_of_their_parts() -> None:
    parts = [piece(DOG, 0, 3), piece(SHIRT, 0, 2), DOG]
    known = {"a small dog", "grass", "Grizzly Shirt"}
    for seed in range(200):
        made = alt_text(parts, random.Random(seed))
        assert all(chunk in known or "stock" in chunk.lower() for chunk in chunks(made)), made.text


def test_parts_are_short_phrases_and_short_captions() -> None:
    assert [part.text for part in parts_of(DOG, RULER(to_doc(RULER.vocab, DOG)))] == ["a small dog", DOG.text]


def test_recasing_keeps_the_tree() -> None:
    texts = {maybe_recased(DOG, random.Random(seed)).text for seed in range(300)}
    assert texts == {DOG.text, "A SMALL DOG ON GRASS", "a Small Dog on Grass"}
    assert recased(DOG, [word.upper() for word in DOG.words]).heads == DOG.heads


def test_texts_that_differ_in_case_or_marks_never_part() -> None:
    assert text_key("A dog, sitting.") == text_key("a DOG sitting")
    assert is_validation("A dog, sitting.") == is_validation("a DOG sitting")


def test_the_split_is_stable_and_leaves_out_what_is_withheld() -> None:
    many = [Parse("coco", f"a dog {n}", (), (), (), (), (), ()) for n in range(1000)]
    training, validation = split(iter(many), {text_key("a dog 7")})
    assert len(training) + len(validation) == 999
    assert 70 < len(validation) < 130
    assert split(iter(many[::-1]), set())[1][::-1] == [one for one in many if is_validation(one.text)]
