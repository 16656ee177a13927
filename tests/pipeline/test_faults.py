from hypothesis import given
from hypothesis import strategies as st

from pipeline.faults import first_line, printable


def test_what_a_terminal_would_obey_is_shown_as_its_code() -> None:
    assert printable("a\x1b[2Jb\r\nc\u202ed\x00") == "a\\x1b[2Jb\\r\\nc\\u202ed\\x00"
    assert printable("ein Café – 犬 😀 [bold]") == "ein Café – 犬 😀 [bold]"


@given(st.text())
def test_any_text_becomes_one_printable_line(text: str) -> None:
    assert printable(text).isprintable()


def test_the_first_line_of_an_error_or_its_class() -> None:
    assert first_line(ValueError(" one\ntwo")) == "one"
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"
