"""The totals and counts of `eval` and `calibrate` on the screen."""

from gritmill.evaluation.tables import show_boxes, show_calibration

FIGURES = {"boxes": 1, "precision": 1.0, "recall": 0.5, "phrases_with_right_box": 0.5, "absent_with_box": None}


def test_the_totals_of_a_calibration_are_its_first_row_and_one_image_is_singular(capsys):
    kinds = ("animals", "all")
    show_calibration(
        {
            "threshold": 0.5,
            "at_threshold": dict.fromkeys(kinds, FIGURES),
            "counts": {kind: {"phrases": 2} for kind in kinds},
            "pictures": {"measured": 1, "pictures": 1, "unusable": {}, "examples": {}, "failed": 1},
            "curves": {},
        }
    )
    *_, first, second, images, failed = capsys.readouterr().out.splitlines()
    assert (first.split()[0], second.split()[0]) == ("all", "animals")
    assert images == "1 of 1 image measured"
    assert failed == "  the detector failed on 1 caption; their phrases count as not found"


def test_several_images_are_plural(capsys):
    pictures = {"measured": 2, "pictures": 3, "unusable": {}, "examples": {}, "failed": 0}
    show_boxes({"figures": None, "pictures": pictures, "phrases": dict.fromkeys(FIGURES | _LEFT_OUT, 0)})
    assert capsys.readouterr().out == "2 of 3 images measured\n"


_LEFT_OUT = dict.fromkeys(("without_picture", "without_boxes", "absent"))
