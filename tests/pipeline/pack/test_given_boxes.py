import pytest

from pipeline.pack.given_boxes import GivenBoxes, add_up, boxes_by, given_line
from pipeline.threshold import Threshold, on_given_boxes
from transforms.settings import SelectionSettings

SOME, NONE = GivenBoxes(3, 1200), GivenBoxes()


def test_shards_add_up_unless_one_is_not_known():
    assert add_up([SOME, NONE, GivenBoxes(1, 2)]) == GivenBoxes(4, 1202)
    assert add_up([NONE, NONE]) == NONE
    assert add_up([SOME, None]) is add_up([None]) is add_up([]) is None


def test_what_a_run_says_about_them():
    assert given_line(SOME, 4, 1300) == (
        "1,200 of 1,300 boxes come from the source, in 3 of 4 pairs: of these, no detector was asked, so what has no "
        "box may be there"
    )
    assert given_line(SOME, 3, 1200) == (
        "all boxes come from the source; no detector was asked, so what has no box may be there"
    )
    assert given_line(NONE, 4, 7) == given_line(None, 4, 7) == given_line(NONE, 0, 0) == ""
    found = [boxes_by(given, 3, "some/model") for given in (SOME, NONE, None)]
    assert found == ["the source", "some/model", "some/model"]
    assert boxes_by(SOME, 4, "some/model") == "some/model and the source"


MEASURED = Threshold(0.3, True, "1000 scenes")
FLOOR = Threshold(0.01, False, "the detector's default; ground kept no box below 0.05, its detector.floor")


@pytest.mark.parametrize(
    ("before", "score", "all_given", "mixed"),
    [
        (
            MEASURED,
            None,
            "the detector's default, not measured on boxes of the source",
            "the detector's default, measured on 1000 scenes; not measured on the boxes of the source",
        ),
        (FLOOR, None, "the detector's default, not measured on boxes of the source", FLOOR.origin),
        (Threshold(0.2, False, "as set in the configuration"), 0.2, *["as set in the configuration"] * 2),
    ],
)
def test_no_threshold_was_measured_on_boxes_of_the_source(before, score, all_given, mixed):
    selection = SelectionSettings(score=score)
    found = on_given_boxes(before, True, selection)
    assert (found.score, found.measured, found.origin) == (before.score, False, all_given)
    found = on_given_boxes(before, False, selection)
    assert (found.score, found.measured, found.origin) == (before.score, before.measured, mixed)
