"""florence2: phrases and bins, the answer to Florence-2's phrase grounding task.

    a dog<loc_100><loc_200><loc_499><loc_749>a field<loc_0><loc_512><loc_999><loc_999>

The caption is in the prompt ("Locate the phrases in the caption: …"), so the text contains only phrases.
transformers' Florence2PostProcessor removes non-ASCII characters from a phrase, so a caption with a non-ASCII phrase is
rejected here.
"""

from transforms.text.dialects.scales import binned
from transforms.text.dialects.tagged import MARKUP, Tagged
from transforms.text.grounded_caption import CannotCarry, Carries, GroundedCaption, expected_round_trip

NON_ASCII = "non_ascii"


class _Florence2(Tagged):
    @property
    def carries(self) -> Carries:
        return Carries.PHRASES

    def encode(self, grounded: GroundedCaption) -> str:
        phrases = expected_round_trip(grounded, self.carries)
        for span in phrases.spans:
            words = phrases.caption[span.start : span.end]
            if not words.isascii():
                raise CannotCarry(NON_ASCII)
            # The reader strips blanks and ends a phrase at a line break.
            if not words or "<" in words or "\n" in words or words != words.strip():
                raise CannotCarry(MARKUP)
        return self.write(phrases)

    def decode(self, text: str, width: int = 1, height: int = 1) -> GroundedCaption:
        if left := self.entity_pattern.sub("", text):
            raise ValueError(f"florence2: malformed: {left[:60]!r}")
        return super().decode(text, width, height)


FLORENCE2 = _Florence2(
    "florence2", binned(1000), entity="{phrase}{boxes}", box="<loc_{}><loc_{}><loc_{}><loc_{}>", words="[^<]+"
)
