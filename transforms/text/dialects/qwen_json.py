"""qwen2.5-vl and qwen3-vl: a list of labelled boxes in JSON (QwenLM/Qwen2.5-VL, QwenLM/Qwen3-VL).

    ```json
    [
    \t{"bbox_2d": [139, 768, 315, 954], "label": "a cat"}
    ]
    ```

qwen2.5-vl counts whole pixels of the picture as the model sees it, both sides a multiple of 28; `resized` says how
large that is, and whoever feeds the text to a model must let it resize so. "qwen2.5-vl:N" allows at most N pixels, as
the processor's `max_pixels` does. qwen3-vl counts thousandths. Every box has a label of its own; the caption is not
carried.
"""

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from transforms.text.dialects import scales
from transforms.text.grounded_caption import Carries, Corners, GroundedCaption, expected_round_trip, from_phrases

FACTOR = 28
MIN_PIXELS, MAX_PIXELS = 56 * 56, 14 * 14 * 4 * 1280
"""The defaults of transformers' smart_resize."""


@dataclass(frozen=True)
class _QwenJson(ABC):
    name: str
    carries: ClassVar[Carries] = Carries.LABELS
    by_caption: ClassVar[bool] = True

    def encode(self, grounded: GroundedCaption) -> str:
        """A line a box."""
        labels = expected_round_trip(grounded, self.carries)
        lines = [
            json.dumps(
                {
                    "bbox_2d": self._numbers(span.boxes[0], grounded.width, grounded.height),
                    "label": labels.caption[span.start : span.end],
                },
                ensure_ascii=False,
            )
            for span in labels.spans
        ]
        return "```json\n[\n" + ",\n".join(f"\t{line}" for line in lines) + "\n]\n```"

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        """The labelled boxes."""
        if not (text.startswith("```json") and text.endswith("```")):
            raise ValueError(f"{self.name}: no fenced JSON: {text[:60]!r}")
        try:
            rows = [(str(row["label"]), row["bbox_2d"]) for row in json.loads(text[7:-3])]
            return from_phrases(
                ((label, (self._box(tuple(box), width, height),)) for label, box in rows), width, height
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self.name}: malformed: {error!r}") from error

    @abstractmethod
    def error(self, width: int, height: int) -> tuple[float, float]:
        """See `Dialect`."""

    @abstractmethod
    def _numbers(self, box: Corners, width: int, height: int) -> tuple[int, ...]: ...

    @abstractmethod
    def _box(self, values: tuple[float, ...], width: int, height: int) -> Corners: ...


@dataclass(frozen=True)
class Qwen25VL(_QwenJson):
    """Whole pixels of the resized picture. max_pixels: at most so many."""

    max_pixels: int = MAX_PIXELS
    rounding: ClassVar[str] = "round(x * resized width), at most the last pixel"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """A pixel of the resized picture, at the far edges; half of one elsewhere."""
        wide, high = resized(width, height, self.max_pixels)
        return 1 / wide, 1 / high

    def _numbers(self, box: Corners, width: int, height: int) -> tuple[int, ...]:
        wide, high = resized(width, height, self.max_pixels)
        last = wide - 1, high - 1, wide - 1, high - 1
        return tuple(min(pixel, limit) for pixel, limit in zip(scales.pixels(box, wide, high), last, strict=True))

    def _box(self, values: tuple[float, ...], width: int, height: int) -> Corners:
        return scales.from_pixels(values, *resized(width, height, self.max_pixels))


@dataclass(frozen=True)
class Qwen3VL(_QwenJson):
    """Thousandths."""

    rounding: ClassVar[str] = "round(c * 1000)"

    def error(self, width: int, height: int) -> tuple[float, float]:
        """Half a thousandth."""
        return 0.0005, 0.0005

    def _numbers(self, box: Corners, width: int, height: int) -> tuple[int, ...]:
        return scales.rounded(box, 1000)

    def _box(self, values: tuple[float, ...], width: int, height: int) -> Corners:
        return scales.to_fractions(values, 1000)


def resized(width: int, height: int, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of a picture as Qwen2.5-VL's processor resizes it: multiples of 28, at most so many pixels."""
    high, wide = (round(side / FACTOR) * FACTOR for side in (height, width))
    if high * wide > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        high, wide = (max(FACTOR, math.floor(side / shrink / FACTOR) * FACTOR) for side in (height, width))
    elif high * wide < MIN_PIXELS:
        grow = math.sqrt(MIN_PIXELS / (height * width))
        high, wide = (math.ceil(side * grow / FACTOR) * FACTOR for side in (height, width))
    return wide, high
