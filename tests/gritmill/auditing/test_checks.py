"""The checks, on any numbers: none raises, and each box has at most one fault of geometry."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gritmill.auditing import check_words
from gritmill.auditing.checked_row import CheckedRow
from gritmill.auditing.checks import CHECKS, UNITS
from gritmill.auditing.formats import read_grit, read_odvg
from gritmill.auditing.grounded_row import numbers_in, whole
from transforms.annotations.columns import BadCell

GEOMETRY = ("malformed_box", "not_finite", "other_unit", "swapped_corners", "no_area", "outside")
number = st.one_of(st.floats(), st.floats(0, 1), st.integers(-5, 40), st.integers(), st.none(), st.text(max_size=2))
rows = st.lists(st.one_of(st.lists(number, max_size=8), st.lists(number, min_size=7, max_size=7), number), max_size=6)
captions = st.text(max_size=30)


def found(row):
    checked = CheckedRow(row)
    return {check.name: len(list(check.find(checked))) for check in CHECKS}, {
        name: count(checked) for name, count in UNITS.items()
    }


@settings(max_examples=50)
@given(captions, rows, rows)
def test_any_row_of_grit_can_be_checked(caption, chunks, expressions):
    row = read_grit({"caption": caption, "noun_chunks": chunks, "ref_exps": expressions}, "a:1")
    numbers, of = found(row)
    assert (
        sum(numbers[name] for name in GEOMETRY) + of["sound_boxes"] - numbers["outside"] == of["boxes"] == len(chunks)
    )
    for check in CHECKS:
        assert numbers[check.name] <= of[check.of], check.name


@settings(max_examples=50)
@given(captions, st.lists(st.tuples(rows, rows), max_size=4), number, number)
def test_any_line_of_odvg_can_be_checked(caption, regions, width, height):
    regions = [{"bbox": box, "tokens_positive": spans, "phrase": caption[:4]} for box, spans in regions]
    row = {"width": width, "height": height, "grounding": {"caption": caption, "regions": regions}}
    numbers, of = found(read_odvg(row, "a:1"))
    for check in CHECKS:
        assert numbers[check.name] <= of[check.of], check.name


corner = st.integers(0, 100).map(lambda value: value / 100)


@given(st.lists(st.tuples(corner, corner, corner, corner), min_size=1, max_size=5), st.sampled_from([0.5, 2.0]))
def test_pixels_are_as_good_as_fractions(boxes, shape):
    """The same boxes have the same faults in both units."""
    width, height = 1000, int(1000 * shape)
    chunks = [[0, 5, *corners, 0.5] for corners in boxes]
    regions = [
        {"bbox": [x1 * width, y1 * height, x2 * width, y2 * height], "tokens_positive": [[0, 5]]}
        for x1, y1, x2, y2 in boxes
    ]
    grit = read_grit({"caption": "a dog", "noun_chunks": chunks}, "a:1")
    odvg = read_odvg({"width": width, "height": height, "grounding": {"caption": "a dog", "regions": regions}}, "a:1")
    if max(map(max, boxes)) * min(width, height) > 1:  # else they look like fractions
        names = (*GEOMETRY, "whole_image", "group_box")
        assert [found(grit)[0][name] for name in names] == [found(odvg)[0][name] for name in names]


@pytest.mark.parametrize(
    ("corners", "name"),
    [
        ((0, 0, 1, 1), "whole_image"),
        ((0, 0, 1.0000001, 0.5), None),  # float32 of 1, and rounding
        ((0, 0, 1.00001, 0.5), "outside"),
        ((-1e-7, 0, 0.5, 0.5), None),
        ((1.2, 0.1, 1.5, 0.5), "outside"),
        ((0.1, 0.1, 1.99, 0.5), "outside"),
        ((0.1, 0.1, 2.0, 0.5), "other_unit"),
        ((100, 200, 50, 300), "other_unit"),
        ((0.5, 0.5, 0.5, 0.5), "no_area"),
        ((0.5, 0.5, 0.4, 0.5), "swapped_corners"),
        ((0.1, 0.1, math.inf, 0.5), "not_finite"),
        ((0.1, 0.1, 10**400, 0.5), "not_finite"),
        ((0.1, 0.1, True, 0.5), "malformed_box"),
        ((0.1, 0.1, "0.3", 0.5), "malformed_box"),
    ],
)
def test_a_box_has_the_first_fault_that_fits(corners, name):
    row = read_grit({"caption": "a dog", "noun_chunks": [[0, 5, *corners, 0.5]]}, "a:1")
    numbers, _ = found(row)
    assert [one for one in (*GEOMETRY, "whole_image") if numbers[one]] == ([name] if name else [])


def test_the_same_box_on_two_phrases_is_a_fault_only_if_they_name_two_things():
    def shared(caption, *words):
        chunks = [[caption.index(w), caption.index(w) + len(w), 0.1, 0.1, 0.5, 0.5, 0.5] for w in words]
        return found(read_grit({"caption": caption, "noun_chunks": chunks}, "a:1"))[0]["shared_box"]

    assert shared("a dog and a cat", "a dog", "a cat") == 1
    assert shared("a dog, a cat, a bird", "a dog", "a cat", "a bird") == 2
    assert shared("a dog sleeps; the dogs dream", "a dog", "the dogs") == 0
    assert shared("a dog in a field", "a dog in a field", "a dog") == 0


def test_thousands_of_boxes_are_compared(monkeypatch):
    monkeypatch.setattr("gritmill.auditing.checked_row._BLOCK", 7)
    chunks = [[0, 5, 0.02 * (n % 40), 0.1, 0.02 * (n % 40) + 0.01, 0.2, 0.5] for n in range(100)]
    numbers, _ = found(read_grit({"caption": "a dog", "noun_chunks": chunks}, "a:1"))
    assert numbers["duplicate_box"] == 60


@pytest.mark.parametrize(
    ("caption", "span", "kind"),
    [
        ("a couple of dogs", "a couple", "measure"),
        ("A WHOLE BUNCH of flowers", "A WHOLE BUNCH", "measure"),
        ("a pair  of shoes", "a pair", "measure"),
        ("a couple of dogs", "a couple of dogs", ""),
        ("a couple on a bench", "a couple", ""),
        ("a parking lot of cars", "a parking lot", ""),
        ("a cup of tea", "a cup", ""),
        ("the left of a table", "the left", "place"),
        ("a dog in the background", "the background", "place"),
        ("the top of a hill", "the top", "place"),
        ("a white top", "a white top", ""),
        ("a picture of a dog", "a picture", "place"),
        ("a framed picture on a wall", "a framed picture", ""),
        ("a dog in spring", "spring", "abstract"),
        ("peace", "peace", "abstract"),
        ("a dog and its ball", "its", "abstract"),
        ("a man with love for dogs", "a man with love", ""),
    ],
)
def test_words_of_a_span(caption, span, kind):
    at = caption.index(span), caption.index(span) + len(span)
    finds = {"measure": check_words.measures, "place": check_words.is_place, "abstract": check_words.is_abstract}
    assert [name for name, find in finds.items() if find(caption, at)] == ([kind] if kind else [])


@given(captions, st.integers(0, 30), st.integers(1, 30))
def test_any_span_has_words(caption, start, length):
    span = start, start + length
    if span[1] <= len(caption):
        for find in (check_words.cuts, check_words.measures, check_words.is_place, check_words.is_abstract):
            find(caption, span)
        assert check_words.is_text_of(caption, span, f" {caption[slice(*span)].casefold()}\n")


def test_numbers_are_what_they_are():
    assert numbers_in([1, 2.5], 2) == (1.0, 2.5)
    for value in ([1], [1, None], [1, "2"], [True, 1], None, "12", {"a": 1, "b": 2}):
        assert numbers_in(value, 2) is None
    assert whole((19.0, 32.0)) == (19, 32)
    for span in (None, (0.5, 2.0), (math.nan, 2.0), (0.0, math.inf)):
        assert whole(span) is None


def test_a_list_may_be_json_in_a_text_and_one_may_be_missing():
    row = read_grit({"caption": "a dog", "ref_exps": "[[0, 5, 0.1, 0.1, 0.5, 0.5, 0.9]]", "noun_chunks": None}, "a:1")
    assert [box.place for box in row.boxes] == ["ref_exps[0]"]
    with pytest.raises(BadCell):
        read_grit({"caption": "a dog", "noun_chunks": "no list"}, "a:1")


@pytest.mark.parametrize(
    ("right", "name"), [(0.94, None), (0.951, "whole_image"), (0.46, "duplicate_box"), (0.44, None)]
)
def test_shares_of_boxes_have_the_limits_that_are_documented(right, name):
    """Beside a box that is 0.5 wide, IoU is above 0.9 from 0.45 on; a box of the whole image covers at least 0.95."""
    others = [[0, 5, 0, 0, 0.5, 1, 0.5]] if right < 0.5 else []
    row = read_grit({"caption": "a dog", "noun_chunks": [*others, [0, 5, 0, 0, right, 1, 0.5]]}, "a:1")
    numbers, _ = found(row)
    assert [one for one in ("whole_image", "duplicate_box") if numbers[one]] == ([name] if name else [])


@pytest.mark.parametrize(("most", "faults"), [(1, 1), (1.5, 0)])
def test_boxes_in_pixels_are_fractions_only_if_no_number_is_above_one(most, faults):
    regions = [{"bbox": [0, 0, 1, most], "tokens_positive": [[0, 5]]}]
    row = read_odvg({"width": 100, "height": 100, "grounding": {"caption": "a dog", "regions": regions}}, "a:1")
    assert found(row)[0]["other_unit"] == faults
