"""What a Grounding DINO gives for one prompt -> candidate boxes of its phrases.

Scores belong to spans: a phrase's score for a query pools the sigmoid of the logits over the phrase's own tokens (mean
by default, as GLIP and mmdetection do). The processor's post-processing is not used: it decodes every token above a
threshold and merges neighbouring labels.
"""

import numpy as np

from transforms.detectors.grounding_dino.prompts import Prompt
from transforms.detectors.grounding_dino.settings import GroundingDinoSettings
from transforms.isolation.bisect import NotFiniteError
from transforms.records import Box


def read_boxes(
    prompt: Prompt, logits: np.ndarray, predicted: np.ndarray, settings: GroundingDinoSettings
) -> tuple[list[Box], int]:
    """Candidate boxes of the prompt's phrases, and how many `settings.candidates` cut off.

    Args:
      logits: float32 [queries, tokens]. predicted: float32 [queries, 4], normalised centre, width, height.

    Raises:
      NotFiniteError: the model's output is none.
    """
    # The class's own boxes are sigmoids; anything far outside of 0..1 is garbage, as bfloat16 on a CPU gave.
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
    """float32 [queries] in 0..1 from the logits [queries, tokens] of one phrase: mean or max of their sigmoids."""
    probabilities = 1 / (1 + np.exp(-logits.astype(np.float32)))
    pooled: np.ndarray = probabilities.mean(axis=1) if pooling == "mean" else probabilities.max(axis=1)
    return pooled.astype(np.float32)


def top_candidates(
    phrase: int, scores: np.ndarray, corners: np.ndarray, floor: float, maximum: int
) -> tuple[list[Box], int]:
    """The best boxes of one phrase above the floor, at most `maximum`, best first, ties in query order; and how many
    more there are. Boxes without an area do not count."""
    has_area = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    (found,) = np.nonzero(has_area & (scores > floor))
    order = found[np.argsort(-scores[found], kind="stable")]
    best = order[:maximum]
    rows = np.column_stack((corners[best], scores[best])).tolist()
    return [Box(phrase, *row) for row in rows], max(len(order) - maximum, 0)


def _corners(boxes: np.ndarray) -> np.ndarray:
    """float32 [..., 4]: normalised centre, width, height -> corners, clipped to the picture."""
    centre, size = boxes[..., :2], boxes[..., 2:] / np.float32(2)
    return np.clip(np.concatenate((centre - size, centre + size), axis=-1), 0, 1)
