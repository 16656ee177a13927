import json
from dataclasses import replace
from typing import Any

import pytest

from transforms.filters import Filters, columns_of, count_words, explain, unknown_columns
from transforms.records import FailureStage, Fault, Pair, Reason
from transforms.settings import FilterSettings


def pair(caption: str = "a dog", **meta: Any) -> Pair:
    return Pair("k", "s", 0, caption, meta=json.dumps(meta), url="http://x", id="7")


def filters(**values: Any) -> Filters:
    return Filters(FilterSettings.model_validate(values))


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("", 0),
        (" \n ", 0),
        ("dog", 1),
        ("a well-known dog - don't run!", 5),
        ("a dog,a cat", 3),
        ("dog & cat / bird", 3),
        ("2 dogs", 2),
        ("\u00a0a\u2003dog\u3000", 2),
        ("-- !!! 🐕", 0),
        ("ein großer Hund", 3),
        ("हिन्दी में कुत्ता", 3),
        ("개가 달린다", 2),
        ("红色的狗", 4),
        ("赤い犬 in Tokyo", 5),
    ],
)
def test_words_are_counted_as_a_person_counts_them(caption: str, words: int) -> None:
    assert count_words(caption) == words


def test_all_filters_are_off_by_default() -> None:
    assert filters().before_image(pair("")) == ""
    assert filters().by_size(1, 10_000) == ""
    assert FilterSettings().fingerprint_values() == {}


def test_words_have_limits_on_both_sides() -> None:
    limited = filters(min_words=2, max_words=3)
    found = [limited.before_image(pair(" ".join(["dog"] * number))) for number in (1, 2, 3, 4)]
    assert found == [Reason.MIN_WORDS, "", "", Reason.MAX_WORDS]


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((200, 600), ""),
        ((600, 200), ""),
        ((199, 400), Reason.MIN_SIDE),
        ((400, 199), Reason.MIN_SIDE),
        ((200, 601), Reason.MAX_ASPECT),
        ((601, 200), Reason.MAX_ASPECT),
        ((100, 900), Reason.MIN_SIDE),
    ],
)
def test_sizes_are_those_of_the_upright_image_in_either_direction(size: tuple[int, int], reason: str) -> None:
    assert filters(min_side=200, max_aspect=3).by_size(*size) == reason


def test_each_condition_has_its_own_reason_and_the_first_one_counts() -> None:
    both = filters(where=["punsafe < 0.5", "status  ==  'success'"])
    assert both.before_image(pair(punsafe=0.1, status="success")) == ""
    assert both.before_image(pair(punsafe=0.9, status="failed")) == "where: punsafe < 0.5"
    assert both.before_image(pair(punsafe=0.1, status="failed")) == "where: status == 'success'"
    assert both.names == ("punsafe", "status")


def test_a_missing_value_is_decided_by_choice_and_named() -> None:
    for meta in ({}, {"punsafe": None}, {"punsafe": "much"}, {"punsafe": float("nan")}):
        assert filters(where="punsafe < 0.5").before_image(pair(**meta)) == "missing_value: punsafe"
        assert filters(where="punsafe < 0.5", missing="keep").before_image(pair(**meta)) == ""
    assert filters(where="punsafe < 0.5", missing="keep").before_image(pair(punsafe=1)) == "where: punsafe < 0.5"


def test_a_long_condition_is_shown_shortened() -> None:
    values = ", ".join(f"'{number}'" for number in range(100))
    reason = filters(where=f"status in ({values})").before_image(pair(status="x"))
    assert reason.startswith("where: status in ('0', '1'")
    assert len(reason) == len("where: ") + 80


def test_conditions_see_the_columns_of_the_source_and_the_fields_of_the_pair() -> None:
    assert columns_of(pair(score=3)) == {"caption": "a dog", "key": "k", "url": "http://x", "id": "7", "score": 3}
    assert columns_of(pair(id=8))["id"] == 8
    assert columns_of(Pair("k", "s", 0, "c", meta="not JSON")) == {"caption": "c", "key": "k"}
    assert filters(where="url == null").before_image(Pair("k", "s", 0, "c")) == ""
    assert filters(where="id == 7").before_image(pair()) == ""


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("max_aspect", "8 x 6 pixels"),
        ("where: punsafe < 0.5 or status == 'x'", "punsafe = 0.9, status = None"),
        ("where: caption == 'x'", ""),
        ("where: status in ('0', '1…", ""),
        ("missing_value: punsafe", ""),
        ("min_words", ""),
        ("near_duplicate", ""),
        ("no_box", ""),
    ],
)
def test_an_example_shows_what_the_filter_saw(reason: str, text: str) -> None:
    assert explain(replace(pair(punsafe=0.9), width=8, height=6), reason) == text


def test_columns_that_no_pair_has_are_known() -> None:
    failed = Pair("k", "s", 0, "").failed(Fault(FailureStage.READ, Reason.BROKEN_ROW))
    assert unknown_columns(["a", "b", "c"], [pair(a=None), failed, pair(b=1)]) == ["c"]
    assert unknown_columns(["a"], [failed]) == []


@pytest.mark.parametrize(
    "values",
    [{"min_side": 0}, {"max_aspect": 0.5}, {"max_aspect": float("inf")}, {"min_words": 0}, {"missing": "x"}],
)
def test_values_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        FilterSettings.model_validate(values)


def test_limits_that_nothing_can_satisfy_are_refused() -> None:
    with pytest.raises(ValueError, match="min_words 5 is larger than max_words 3"):
        FilterSettings(min_words=5, max_words=3)
