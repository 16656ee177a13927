from hypothesis import given
from hypothesis import strategies as st

from pipeline.faults import first_line, printable, short_repr


def test_what_a_terminal_would_obey_is_shown_as_its_code() -> None:
    assert printable("a\x1b[2Jb\r\nc\u202ed\x00") == "a\\x1b[2Jb\\r\\nc\\u202ed\\x00"
    assert printable("ein Café – 犬 😀 [bold]") == "ein Café – 犬 😀 [bold]"


@given(st.text())
def test_any_text_becomes_one_printable_line(text: str) -> None:
    assert printable(text).isprintable()


def test_the_first_line_of_an_error_or_its_class() -> None:
    assert first_line(ValueError(" one\ntwo")) == "one"
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_a_long_line_keeps_its_start_and_its_end() -> None:
    line = printable("culprit: " + "\x1b" * 10**6 + "; cure")
    assert line.startswith("culprit: \\x1b")
    assert line.endswith("\\x1b; cure")
    assert " … 999015 characters … " in line
    assert len(line) < 5000
    assert printable("x" * 1000) == "x" * 1000


def test_a_value_is_shown_in_a_hundred_characters() -> None:
    for value in (10**5000, ["x" * 10**6] * 10**6, {"a": {"b": {"c": {"d": 1}}}}, b"x" * 10**6):
        assert 1 < len(short_repr(value)) <= 100


def test_a_usual_value_is_shown_in_full() -> None:
    for value in ("scene-grounder", 0.25, ["kosmos2", "qwen"], None):
        assert short_repr(value) == repr(value)
