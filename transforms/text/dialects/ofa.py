"""ofa: location tokens before a label, as in OFA's detection (OFA-Sys/OFA, data/pretrain_data/unify_dataset.py).

    <bin_100> <bin_200> <bin_500> <bin_749> a dog <bin_0> <bin_400> <bin_999> <bin_999> a field

The prompt is "what are the objects in the image?". The order is x1, y1, x2, y2. A corner is round(c * 999), which OFA's
evaluation reads back in the same way. The answer to its grounding task ('which region does the text " a dog "
describe?') is the four tokens alone. Every box has its own label. The text does not contain the caption.
"""

import re
from typing import ClassVar

from transforms.text.dialects.scales import rounded
from transforms.text.dialects.tagged import MARKUP, Scaled, outline
from transforms.text.grounded_caption import CannotCarry, Carries, GroundedCaption, expected_round_trip, from_phrases

_BOX = "<bin_{}> <bin_{}> <bin_{}> <bin_{}>"
_LABEL = re.compile(r"(?:^| )" + r"<bin_(\d{1,3})> " * 4 + r"(.+?)(?= <bin_|\Z)", re.DOTALL)


class _Ofa(Scaled):
    carries: ClassVar[Carries] = Carries.LABELS

    def encode(self, grounded: GroundedCaption) -> str:
        labels = expected_round_trip(grounded, self.carries)
        text = " ".join(
            f"{_BOX.format(*self.scale.encode(span.boxes[0], 1, 1))} {labels.caption[span.start : span.end]}"
            for span in labels.spans
        )
        if "<bin_" in labels.caption or outline(self.decode(text)) != outline(labels):
            raise CannotCarry(MARKUP)
        return text

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        found, done = [], 0
        while label := _LABEL.match(text, done):
            numbers = [int(number) for number in label.groups()[:4]]
            found.append((label[5], (self.scale.decode(numbers, 1, 1),)))
            done = label.end()
        if done != len(text):
            raise ValueError(f"ofa: malformed: {text[done : done + 60]!r}")
        return from_phrases(found, width, height)


OFA = _Ofa("ofa", rounded(999))
