"""qwen2.5-vl and qwen3-vl: a list of labelled boxes in JSON (QwenLM/Qwen2.5-VL, QwenLM/Qwen3-VL).

    ```json
    [
    \t{"bbox_2d": [139, 768, 315, 954], "label": "a cat"}
    ]
    ```

qwen2.5-vl counts whole pixels of the image after the model's processor has resized it; both sides are a multiple of
28. `resized` computes that size. To train with the text, let the processor resize images to the same size.
"qwen2.5-vl:N" allows at most N pixels, like the processor's `max_pixels`. qwen3-vl counts thousandths. Every box has
its own label. The text does not contain the caption.
"""

import json
import math
from functools import partial
from typing import ClassVar

from transforms.text.dialects.scales import Steps, rounded
from transforms.text.dialects.tagged import Scaled
from transforms.text.grounded_caption import Carries, GroundedCaption, expected_round_trip, from_phrases

FACTOR = 28
MIN_PIXELS, MAX_PIXELS = 56 * 56, 14 * 14 * 4 * 1280
"""The defaults of transformers' smart_resize."""


class _QwenJson(Scaled):
    carries: ClassVar[Carries] = Carries.LABELS
    by_caption: ClassVar[bool] = True

    def encode(self, grounded: GroundedCaption) -> str:
        labels = expected_round_trip(grounded, self.carries)
        rows = (
            {
                "bbox_2d": self.scale.encode(span.boxes[0], grounded.width, grounded.height),
                "label": labels.caption[span.start : span.end],
            }
            for span in labels.spans
        )
        return "```json\n[\n" + ",\n".join(f"\t{json.dumps(row, ensure_ascii=False)}" for row in rows) + "\n]\n```"

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        if not (text.startswith("```json") and text.endswith("```")):
            raise ValueError(f"{self.name}: not fenced JSON: {text[:60]!r}")
        try:
            rows = [(str(row["label"]), row["bbox_2d"]) for row in json.loads(text[7:-3])]
            return from_phrases(
                ((label, (self.scale.decode(box, width, height),)) for label, box in rows), width, height
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self.name}: malformed: {error!r}") from error


QWEN3_VL = _QwenJson("qwen3-vl", rounded(1000))


def qwen25_vl(name: str, max_pixels: int) -> _QwenJson:
    """Whole pixels of the resized image, which has at most `max_pixels`."""
    rounding = "round(x * resized width), at most the last pixel"
    return _QwenJson(name, Steps(partial(resized, max_pixels=max_pixels), rounding, margin=1, moves=1.0))


def resized(width: int, height: int, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height after Qwen2.5-VL's processor has resized an image: multiples of 28, at most `max_pixels`."""
    high, wide = (round(side / FACTOR) * FACTOR for side in (height, width))
    if high * wide > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        high, wide = (max(FACTOR, math.floor(side / shrink / FACTOR) * FACTOR) for side in (height, width))
    elif high * wide < MIN_PIXELS:
        grow = math.sqrt(MIN_PIXELS / (height * width))
        high, wide = (math.ceil(side * grow / FACTOR) * FACTOR for side in (height, width))
    return wide, high
