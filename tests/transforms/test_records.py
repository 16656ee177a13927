import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.records import Box, Chunk, FailureStage, Fault, Pair, Phrase, Reason


@given(st.text(st.characters(), max_size=300))
def test_a_faults_detail_is_one_short_line_that_can_be_written(text):
    fault = Fault.from_error(FailureStage.IMAGE, Reason.UNDECODABLE, ValueError(text))
    assert len(fault.detail) <= 200
    assert len(fault.detail.splitlines()) == 1
    fault.detail.encode()


def test_a_fault_names_the_exception_or_quotes_the_text():
    assert (
        Fault.from_error(FailureStage.BOXES, Reason.EXCEPTION, RuntimeError("boom\nmore")).detail
        == "RuntimeError: boom"
    )
    assert Fault.from_error(FailureStage.BOXES, Reason.EXCEPTION, "  boom\nmore").detail == "boom"
    assert Fault.from_error(FailureStage.BOXES, Reason.EXCEPTION, "").detail == ""


def test_a_lone_surrogate_does_not_get_into_a_fault():
    Fault.from_error(FailureStage.READ, Reason.ENCODING, "a \ud800 b").detail.encode()


def test_the_first_fault_stands_and_takes_the_boxes_away():
    first, second = Fault(FailureStage.READ, Reason.BROKEN_ROW), Fault(FailureStage.BOXES, Reason.EXCEPTION)
    failed = Pair("k", "s", 0, "c", boxes=(Box(0, 0, 0, 1, 1, 1),), boxes_cut=3).failed(first)
    assert (failed.error, failed.boxes, failed.boxes_cut) == (first, (), 0)
    assert failed.failed(second) is failed


def test_a_phrases_text_is_a_slice_of_the_original_caption():
    assert Pair("k", "s", 0, "see a dog\nrun").text(Phrase(4, 9, 6, 9, 4, 13)) == "a dog"


def test_seconds_add_up_and_do_not_count_for_equality():
    chunk = Chunk(0, 0, 0, seconds={"read": 1.0})
    assert chunk.timed("read", 0.5) == {"read": 1.5}
    assert chunk.timed("boxes", 2.0) == {"read": 1.0, "boxes": 2.0}
    assert chunk == Chunk(0, 0, 0)


@pytest.mark.parametrize("enum", [FailureStage, Reason])
def test_codes_are_lower_case_words(enum):
    assert all(code.replace("_", "").isalpha() and code == code.lower() for code in enum)
