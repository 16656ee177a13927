"""The output of Grounding DINO for one prompt -> candidate boxes of the prompt's phrases.

Scores belong to spans: the score of a phrase for a query pools the sigmoids of the logits over the phrase's own tokens
(the mean by default, as in GLIP and mmdetection). The processor's post-processing is not used, because it decodes every
token above a threshold and merges neighbouring labels.
"""

import numpy as np

from transforms.detectors.grounding_dino.prompts import Prompt
from transforms.detectors.grounding_dino.settings import GroundingDinoSettings
from transforms.isolation.bisect import NotFiniteError
from transforms.records import Box


def read_boxes(
    prompt: Prompt, logits: np.ndarray, predicted: np.ndarray, settings: GroundingDinoSettings
) -> tuple[list[Box], int]:
    """Candidate boxes of the prompt's phrases, and the number of boxes that the limit `settings.candidates` removed.

    Args:
      logits: float32 [queries, tokens]. predicted: float32 [queries, 4], normalised centre, width, height.

    Raises:
      NotFiniteError: a logit or a box is not finite, or a value of a box is above 2 or below -2.
    """
    # The class returns sigmoids. Values far outside 0..1 are wrong; bfloat16 on a CPU gave such values.
    finite = np.isfinite(predicted).all() and (np.abs(predicted) <= 2).all()
    if not (finite and np.isfinite(logits[:, : len(prompt.ids)]).all()):
        raise NotFiniteError("logits or boxes are not finite")
    corners = _corners(predicted)
    boxes: list[Box] = []
    cut = 0
    for phrase, (first, last) in zip(prompt.phrases, prompt.spans, strict=True):
        scores = span_scores(logits[:, first:last], settings.span_score)
        found, cut_off = top_candidates(phrase, scores, corners, settings.floor, settings.candidates)
        boxes += found
        cut += cut_off
    return boxes, cut


def span_scores(logits: np.ndarray, pooling: str) -> np.ndarray:
    """Scores of one phrase, float32 [queries] in 0..1: mean or max of the sigmoids of its logits [queries, tokens]."""
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float32)))
    pooled: np.ndarray = probabilities.mean(axis=1) if pooling == "mean" else probabilities.max(axis=1)
    return pooled.astype(np.float32)


def top_candidates(
    phrase: int, scores: np.ndarray, corners: np.ndarray, floor: float, maximum: int
) -> tuple[list[Box], int]:
    """The best boxes of one phrase with scores above the floor, and the number of boxes beyond `maximum`.

    Best first; equal scores in query order. Boxes without an area are ignored.
    """
    has_area = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    (found,) = np.nonzero(has_area & (scores > floor))
    order = found[np.argsort(-scores[found], kind="stable")]
    best = order[:maximum]
    rows = np.column_stack((corners[best], scores[best])).tolist()
    return [Box(phrase, *row) for row in rows], max(len(order) - maximum, 0)


def _corners(boxes: np.ndarray) -> np.ndarray:
    """float32 [..., 4]: normalised centre, width, height -> corners, clipped to the image."""
    centre, size = boxes[..., :2], boxes[..., 2:] / np.float32(2)
    return np.clip(np.concatenate((centre - size, centre + size), axis=-1), 0, 1)
