import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.conditions import Condition

ROW = {
    "punsafe": 0.25,
    "similarity": "0.31",
    "width": 640,
    "status": "success",
    "flag": True,
    "text_flag": "False",
    "error": None,
    "nan": float("nan"),
    "tags": ["a"],
    "my score": 3,
    "a.b": 4,
    "id": 9007199254740993,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("punsafe < 0.5", True),
        ("punsafe<.25", False),
        ("punsafe <= 25e-2", True),
        ("width >= 256", True),
        ("width > -1", True),
        ("width != 640", False),
        ("similarity >= 0.28", True),  # a cell of a CSV file
        ("status == 'success'", True),
        ('status != "success"', False),
        ("status in ('failed', 'success')", True),
        ("status not in ('failed', 'success')", False),
        ("width in (640)", True),
        ("flag == true", True),
        ("flag == FALSE", False),
        ("text_flag == false", True),
        ("`my score` == 3", True),
        ("'my score' == 3", True),
        ("`a.b` > 3", True),
        ("id == 9007199254740993", True),
        ("id == 9007199254740992", False),
        ("error == null", True),
        ("nan == null", True),
        ("absent == null", True),
        ("absent != null", False),
        ("status != null", True),
        ("status in ('x', null)", False),
        ("error in ('x', null)", True),
        ("not punsafe < 0.5", False),
        ("not not punsafe < 0.5", True),
        ("punsafe < 0.5 and width < 100", False),
        ("punsafe < 0.5 or width < 100", True),
        ("punsafe > 0.5 and width < 100 or status == 'success'", True),
        ("punsafe > 0.5 and (width < 100 or status == 'success')", False),
        ("absent < 1 or width == 640", True),
        ("absent < 1 and width != 640", False),
    ],
)
def test_a_condition_holds_or_not(text: str, expected: bool) -> None:
    condition = Condition.parse(text)
    assert condition.holds(ROW) is expected
    assert Condition.parse(f"not ({text})").holds(ROW) is not expected


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("absent < 1", "absent"),
        ("absent != 1", "absent"),
        ("error == 'x'", "error"),
        ("nan < 1", "nan"),
        ("tags == 'a'", "tags"),
        ("status < 5", "status"),
        ("flag == 1", "flag"),
        ("width == '640'", "width"),
        ("width == true", "width"),
        ("not absent < 1", "absent"),
        ("absent in (1, 2)", "absent"),
        ("width == 640 and absent < 1", "absent"),
        ("width == 1 or absent < 1", "absent"),
    ],
)
def test_a_missing_value_and_one_of_another_type_leave_it_open(text: str, missing: str) -> None:
    condition = Condition.parse(text)
    assert condition.holds(ROW) is None
    assert condition.missing(ROW) == missing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at character 1, the end: write a condition such as punsafe < 0.5"),
        ("punsafe <", "at character 10, the end: write a number, a text in quotes, true, false or null"),
        ("punsafe", "at character 8, the end: use < <= > >= == != or in after a column"),
        ("punsafe = 0.5", "at character 9, '=': use == to compare"),
        ("a <> 1", "at character 3, '<>': use != for different values"),
        ("a == 1 && b == 2", "at character 8, '&': use and"),
        ("a == 1 || b == 2", "at character 8, '|': use or"),
        ("!a == 1", "at character 1, '!': use != for different values, and not for the opposite"),
        ("status == success", "at character 11, 'success': put a text in quotes: 'success'"),
        ("status == 'success", 'at character 11, "\'": the quote is not closed'),
        ("my score > 3", "at character 4, 'score': use < <= > >= == != or in after a column; put a name that contains"),
        ("a.b > 3", "at character 2, '.b': put a name that contains a dot in backticks"),
        ("0.5 > a", "at character 1, '0.5': the column comes first, as in punsafe < 0.5"),
        ("0 < a < 1", "at character 1, '0': the column comes first"),
        ("a > 0 < 1", "at character 7, '<': write two conditions and join them with and"),
        ("a < 0.5x", "at character 5, '0.5x': write a condition such as"),
        ("x == \uff13", "at character 6, '\uff13': write a number with the digits 0 to 9"),
        ("x == -1\u0663", "at character 6, '-1\u0663': write a number with the digits 0 to 9"),
        ("x < 1e\uff13", "at character 5, '1e\uff13': write a number with the digits 0 to 9"),
        ("x == \u00b2", "at character 6, '\u00b2': put a text in quotes"),
        ("a < 1 b < 2", "at character 7, 'b': join conditions with and or or"),
        ("a < 1 and", "at character 10, the end: write a condition such as"),
        ("(a < 1", "at character 7, the end: close the parenthesis"),
        ("a in 'x'", "at character 6, \"'x'\": write the values in parentheses"),
        ("a in ('x' 'y')", "at character 11, \"'y'\": separate values with commas"),
        ("a is null", "at character 3, 'is': use < <= > >= == != or in after a column; write == null or != null"),
        ("a == None", "at character 6, 'None': write null for a missing value"),
        ("a < 1 AND b < 2", "at character 7, 'AND': join conditions with and or or"),
        ("a < null", "at character 5, 'null': compare it with == or !="),
        ("a not 3", "at character 7, '3': use not in"),
        ("(" * 60 + "a < 1" + ")" * 60, "at character 52, '(': more than 50 levels"),
        ("not " * 5000 + "a < 1", "more than 50 levels"),
    ],
)
def test_a_mistake_is_one_line_with_its_position_and_the_cure(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="at character") as caught:
        Condition.parse(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_names_its_columns_and_shows_itself_on_one_line() -> None:
    condition = Condition.parse("  a < 1\n and (b in (1, 2) or a > 5)")
    assert condition.names == ("a", "b")
    assert condition.text == "a < 1 and (b in (1, 2) or a > 5)"


@given(st.text("ab<>=!()'\"`,.01 andornit&|-\n\x00é\uff13", max_size=30))
def test_any_text_is_a_condition_or_a_mistake(text: str) -> None:
    message = ""
    try:
        assert Condition.parse(text).holds({}) in (True, False, None)
    except ValueError as error:
        message = str(error)
    assert not message or message.startswith("at character ")


@given(
    st.recursive(
        st.tuples(st.sampled_from("xyz"), st.sampled_from(["<", "==", ">"]), st.integers(0, 2)),
        lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner),
        max_leaves=8,
    ),
    st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2)),
)
def test_and_or_and_not_are_those_of_three_values(tree, row) -> None:  # type: ignore[no-untyped-def]
    def text(node) -> str:  # type: ignore[no-untyped-def]
        if node[0] == "not":
            return f"not ({text(node[1])})"
        if node[0] in ("and", "or"):
            return f"({text(node[1])}) {node[0]} ({text(node[2])})"
        return " ".join(map(str, node))

    def answer(node) -> float:  # type: ignore[no-untyped-def]
        """0, 1, or 0.5 for no answer."""
        if node[0] == "not":
            return 1 - answer(node[1])
        if node[0] in ("and", "or"):
            return (min if node[0] == "and" else max)(answer(node[1]), answer(node[2]))
        name, sign, value = node
        if name not in row:
            return 0.5
        return float({"<": row[name] < value, "==": row[name] == value, ">": row[name] > value}[sign])

    assert Condition.parse(text(tree)).holds(row) is {0.0: False, 0.5: None, 1.0: True}[answer(tree)]
