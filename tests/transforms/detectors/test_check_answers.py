import re

import numpy as np
import pytest

from tests import broken_plugins
from transforms.culprits import WrongAnswer
from transforms.detectors.base import Found, probe_request
from transforms.detectors.check_answers import check_answers
from transforms.records import Box, Drop

REQUEST = probe_request()


@pytest.mark.parametrize(("problem", "answer"), broken_plugins.ANSWERS.items())
def test_a_wrong_answer_says_what_is_wrong_with_it(problem, answer):
    with pytest.raises(WrongAnswer, match=re.escape(problem)):
        check_answers([answer], [REQUEST], 0.0)


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (None, "the detector returned None, not one answer per request"),
        ({}, "the detector returned a dict, not one answer per request"),
        ([[], []], "the detector returned 2 answers for 1 request"),
    ],
)
def test_other_than_one_answer_per_request_is_said(answers, problem):
    with pytest.raises(WrongAnswer, match=f"^{problem}$"):
        check_answers(answers, [REQUEST], 0.0)


def test_numbers_of_numpy_and_generators_are_answers():
    boxes = (Box(np.int64(0), *np.float32([0, 0, 0.5, 0.5]), score) for score in (0.1, 0.5))
    (found,) = check_answers(iter([boxes]), [REQUEST], 0.2)
    assert [box.score for box in found.boxes] == [0.5]
    (found,) = check_answers([Found(dropped={0: "too_long"})], [REQUEST], 0.0)
    assert found.dropped[0] is Drop.TOO_LONG
