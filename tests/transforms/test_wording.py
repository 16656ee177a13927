import pytest

from transforms.wording import closest, counted, listed, suggestion, type_of


@pytest.mark.parametrize(
    ("value", "text"),
    [([1, "a"], "1, a"), ((), "none"), (None, "none"), ("a", "a"), ([["a"], None], "a, none"), (0.5, "0.5")],
)
def test_a_list_has_neither_brackets_nor_quotes(value, text):
    assert listed(value) == text


def test_a_type_is_named_as_a_sentence_needs_it():
    assert [type_of(value) for value in (None, 3, "a", str)] == ["None", "an int", "a str", "the class str"]


def test_one_is_singular():
    assert [counted(n, "pair") for n in (0, 1, 2)] == ["0 pairs", "1 pair", "2 pairs"]
    assert [counted(n, "box") for n in (1, 2000)] == ["1 box", "2,000 boxes"]
    assert counted(2, "process") == "2 processes"


@pytest.mark.parametrize(
    ("word", "close"), [("qwen2.5vl", "qwen2.5-vl"), ("COCO", "coco"), ("Yollo", "yolo"), ("klingon", "")]
)
def test_the_most_similar_name_is_suggested_whatever_its_case(word, close):
    known = ("coco", "yolo", "qwen2-vl", "qwen2.5-vl")
    assert closest(word, known) == close
    assert suggestion(word, known) == (f"did you mean {close}?" if close else f"use one of {', '.join(known)}")
