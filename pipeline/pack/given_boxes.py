"""How many boxes come from the source, and what a run says about them. No detector was asked for their phrases.

A shard counts its own samples. The sums of shards are those of the pack, however pairs are split into shards.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from transforms.wording import counted


@dataclass(frozen=True)
class GivenBoxes:
    """Written pairs that come with boxes, and their boxes in the data."""

    pairs: int = 0
    boxes: int = 0

    def are_all(self, written: int) -> bool:
        """Whether every written pair comes with boxes. written: pairs."""
        return 0 < written == self.pairs


def add_up(parts: Iterable[GivenBoxes | None]) -> GivenBoxes | None:
    """The sum over shards; None if it is not known of one, or if there are none."""
    found = list(parts)
    known = [part for part in found if part]
    if not found or len(known) < len(found):
        return None
    return GivenBoxes(sum(part.pairs for part in known), sum(part.boxes for part in known))


def given_line(given: GivenBoxes | None, written: int, boxes: int) -> str:
    """What a run says about boxes of the source; empty if it has none, or if it is not known. written: pairs. boxes: of
    all written pairs."""
    if not given or not given.pairs:
        return ""
    open_end = "so what has no box may be there"
    if given.are_all(written):
        return f"all boxes come from the source; no detector was asked, {open_end}"
    return (
        f"{given.boxes:,} of {counted(boxes, 'box')} come from the source, in {given.pairs:,} of "
        f"{counted(written, 'pair')}: of these, no detector was asked, {open_end}"
    )


def boxes_by(given: GivenBoxes | None, written: int, detector: str) -> str:
    """Who made the boxes. given: None if nothing is known of boxes of the source. detector: the name of its model."""
    if not given or not given.pairs:
        return detector
    return "the source" if given.are_all(written) else f"{detector} and the source"
