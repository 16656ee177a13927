import numpy as np
import pytest

from transforms.detectors.grounding_dino.boxes import span_scores, top_candidates


def test_span_scores_pool_sigmoids():
    logits = np.array([[0.0, 2.0], [-3.0, 1.0], [5.0, 5.0]], dtype=np.float32)
    probabilities = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(span_scores(logits, "mean"), probabilities.mean(1), atol=1e-6)
    np.testing.assert_allclose(span_scores(logits, "max"), probabilities.max(1), atol=1e-6)


@pytest.mark.filterwarnings("ignore:overflow")
def test_span_scores_of_extreme_logits_are_0_and_1():
    assert span_scores(np.array([[-1e4], [1e4]], dtype=np.float32), "mean").tolist() == [0.0, 1.0]


def test_candidates_are_best_first_with_ties_in_query_order_and_no_flat_boxes():
    scores = np.array([0.5, 0.9, 0.5, 0.3, 0.8], dtype=np.float32)
    corners = np.array(
        [[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0.2, 0.2, 1, 1], [0, 0, 1, 1], [0.3, 0, 0.3, 1]], dtype=np.float32
    )
    found, more = top_candidates(7, scores, corners, 0.3, 9)
    assert more == 0
    assert top_candidates(7, scores, corners, 0.3, 2) == (found[:2], 1)
    assert [round(box.score, 3) for box in found] == [0.9, 0.5, 0.5]
    assert [box.x1 for box in found] == [0, 0, pytest.approx(0.2)]
    assert {box.phrase for box in found} == {7}
