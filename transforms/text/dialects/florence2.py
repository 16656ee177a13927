"""florence2: phrases and bins, the answer to Florence-2's phrase grounding task.

    a dog<loc_100><loc_200><loc_499><loc_749>a field<loc_0><loc_512><loc_999><loc_999>

The caption is in the prompt ("Locate the phrases in the caption: …"), so the text contains only phrases.
transformers' Florence2PostProcessor removes non-ASCII characters from a phrase, so a caption with a non-ASCII phrase is
rejected here. It also drops a phrase that consists of one of the words in `BANNED`, so no text has such a phrase.
"""

from transforms.text.dialects.scales import binned
from transforms.text.dialects.tagged import MARKUP, Tagged
from transforms.text.grounded_caption import CannotCarry, Carries, GroundedCaption, expected_round_trip

NON_ASCII = "non_ascii"

BANNED_PHRASE = "banned_phrase"

BANNED = frozenset(
    (
        *("it", "its", "itself", "this", "that", "these", "those", "one", "oneself", "none", "one another"),
        *("I", "me", "mine", "myself", "you", "your", "yours", "yourself", "yourselves"),
        *("he", "him", "his", "himself", "she", "her", "hers", "herself"),
        *("we", "us", "our", "ours", "ourselves", "they", "them", "their", "theirs", "themselves"),
        *("who", "whom", "whose", "which", "what", "all", "another", "any", "anybody", "anyone", "anything"),
        *("each", "each other", "everybody", "everyone", "everything", "few", "many", "nobody", "several"),
        *("some", "somebody", "someone", "something", "the", "a", "an"),
        *("the image", "image", "images", "a group", "other objects", "lots", "a set"),
    )
)
"""`banned_grounding_tokens` in the processor of the published checkpoints, which compares whole phrases and letter
case. Source: `convert_florence2_original_pytorch_to_hf.py` of transformers."""


class _Florence2(Tagged):
    banned = BANNED

    @property
    def carries(self) -> Carries:
        return Carries.PHRASES

    def encode(self, grounded: GroundedCaption) -> str:
        phrases = expected_round_trip(grounded, self.carries)
        for span in phrases.spans:
            words = phrases.caption[span.start : span.end]
            if words in BANNED:
                raise CannotCarry(BANNED_PHRASE)
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
