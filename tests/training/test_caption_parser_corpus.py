"""The training data of the caption-parser: the split of the silver parses, new captions, letter cases."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import spacy
from spacy.pipeline._parser_internals.nonproj import contains_cycle, is_nonproj_tree
from spacy.tokens import DocBin

from tests.shared import PARSER, needs_shared
from training.caption_parser import corpus, rounds
from training.caption_parser.casing import maybe_recased, recased
from training.caption_parser.mean import mean_of
from training.caption_parser.recombined import Teacher, caption, parts_of
from training.caption_parser.silver import Parse, is_validation, split, text_key, to_doc
from training.caption_parser.word_classes import WordClassRuler

RULER = WordClassRuler()


def parse(source: str, rows: str) -> Parse:
    """Returns a parse from lines of word, tag, label, head. A word that ends with "_" has no space after it."""
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


CAT = parse("laion", "Cat NN ROOT 0\nin IN prep 0\na DT det 3\nbox NN pobj 1")


def test_new_captions_have_phrases_of_others_in_the_place_of_their_own() -> None:
    parts = parts_of([DOG, replace(DOG, source="ref"), SHIRT], "ref")
    assert (parts.spans, parts.phrases) == ((((0, 11), (15, 20)),), ("a small dog", "grass"))
    captions = {caption(parts, Random(seed)) for seed in range(100)}
    assert captions == {f"{one} on {other}" for one in parts.phrases for other in parts.phrases}


def test_some_alt_texts_are_the_start_of_one_and_the_end_of_another() -> None:
    parts = parts_of([CAT, SHIRT, DOG], "laion")
    captions = [caption(parts, Random(seed)) for seed in range(500)]
    spliced = {"Cat in a Black", "Grizzly in a box", "Cat in a box box"}
    assert spliced <= set(captions)
    assert all(set(text.split()) <= {*CAT.words, *SHIRT.words} for text in captions)


@needs_shared
def test_the_teacher_parses_new_captions_into_trees() -> None:
    texts = ["a dog", "Grizzly Shirt - Black", "two cats on the mat. a dog"]
    parses = Teacher(PARSER).parses([*texts, ""], "laion")
    assert [one.text for one in parses] == texts
    for one in parses:
        assert to_doc(RULER.vocab, one).text == one.text
        assert contains_cycle(list(one.heads)) is None
        assert not is_nonproj_tree(list(one.heads))


class Echo:
    """A teacher that returns every word as its own sentence."""

    def parses(self, texts: list[str], source: str) -> list[Parse]:
        return [self._parse(tuple(text.split()), source) for text in texts]

    def _parse(self, words: tuple[str, ...], source: str) -> Parse:
        n = len(words)
        spaces = (*(True,) * (n - 1), False)
        return Parse(source, " ".join(words), words, spaces, ("NN",) * n, ("ROOT",) * n, tuple(range(n)), (True,) * n)


def test_a_round_has_all_silver_parses_and_new_ones_by_seed_and_number(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(corpus, "RECOMBINED", 5)
    monkeypatch.setattr(corpus, "maybe_recased", lambda one, _: one)
    ref = replace(DOG, source="ref")
    silver = corpus.Silver((DOG, ref, SHIRT), (), tuple(parts_of([ref, SHIRT], source) for source in ("ref", "laion")))

    def written(seed: int, number: int) -> list[str]:
        path = tmp_path / f"{seed}-{number}.spacy"
        corpus.write_round(silver, Echo(), seed, number, path)  # type: ignore[arg-type]
        return [doc.text for doc in DocBin().from_disk(path).get_docs(RULER.vocab)]

    texts = written(0, 0)
    assert texts[:4] == [DOG.text, DOG.text, SHIRT.text, DOG.text]  # the referring expression twice
    assert len(texts) == 4 + 10
    assert written(0, 0) == texts
    assert written(0, 1) != texts != written(1, 0)


def test_the_tagger_learns_alone_first_and_rates_fall_over_the_rounds_of_a_kind() -> None:
    settings = [rounds._of_round(number) for number in range(rounds.ROUNDS)]
    frozen = [one["training.frozen_components"] for one in settings]
    assert frozen == [[], ["tok2vec", "parser"], ["tok2vec", "parser"], [], [], [], []]  # the first is set later
    rates = [one["training.optimizer.learn_rate.initial_rate"] for one in settings]
    assert rates == pytest.approx([0.005, 0.01 / 3, 0.005 / 3, 0.00015, 0.0001125, 0.000075, 0.0000375])
    ends = [one["training.optimizer.learn_rate.total_steps"] for one in settings]
    assert ends == [1050, 700, 350, 1400, 1050, 700, 350]


def test_the_mean_of_two_pipelines_lies_half_way(tmp_path: Path) -> None:
    for name, value in (("one", 1.0), ("other", 4.0)):
        nlp = spacy.blank("en")
        for pipe in ("tok2vec", "tagger", "parser"):
            nlp.add_pipe(pipe)
        nlp.get_pipe("tagger").add_label("NN")  # type: ignore[attr-defined]
        nlp.get_pipe("parser").add_label("dep")  # type: ignore[attr-defined]
        nlp.initialize()
        for node in nlp.get_pipe("tok2vec").model.walk():  # type: ignore[attr-defined]
            for parameter in node.param_names:
                if node.has_param(parameter):
                    node.set_param(parameter, node.get_param(parameter) * 0 + value)
        nlp.to_disk(tmp_path / name)
    mixed = mean_of(tmp_path / "one", tmp_path / "other")
    values = [
        node.get_param(parameter)
        for node in mixed.get_pipe("tok2vec").model.walk()  # type: ignore[attr-defined]
        for parameter in node.param_names
        if node.has_param(parameter)
    ]
    assert values
    assert all((value == 2.5).all() for value in values)


def test_rounds_of_another_training_are_refused(tmp_path: Path) -> None:
    silver = tmp_path / "train.jsonl.gz"
    silver.write_bytes(b"one")
    path = tmp_path / "work" / "training.txt"
    rounds._check_same(path, silver, Path("teacher"))
    rounds._check_same(path, silver, Path("teacher"))
    silver.write_bytes(b"two")
    with pytest.raises(ValueError, match="of another training"):
        rounds._check_same(path, silver, Path("teacher"))


def test_recasing_keeps_the_tree() -> None:
    texts = {maybe_recased(DOG, Random(seed)).text for seed in range(300)}
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
