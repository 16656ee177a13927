"""Ranks: the second from the left, the largest. The box of a phrase among the other boxes of its noun.

Sizes are those in the picture, not in the world.
"""

from collections.abc import Callable

from transforms.claims import geometry
from transforms.claims.verdicts import UNDECIDED, Checked, Corners, Verdict

STEP = 0.25
"""From this offset of the centres on, one of two things comes before the other. People in a row overlap."""

RATIO = 1.1
"""From this ratio on, one of two things is larger than the other."""


def _before(axis: int, sign: int) -> Callable[[Corners, Corners], bool]:
    """Whether the first box clearly comes before the second one, on an axis and in a direction."""
    return lambda a, b: sign * geometry.offset(a, b, axis) >= STEP


def _ratio(measure: Callable[[Corners], float], largest: bool) -> Callable[[Corners, Corners], bool]:
    def before(a: Corners, b: Corners) -> bool:
        large, small = (a, b) if largest else (b, a)
        return geometry.ratio(measure(large), measure(small)) >= RATIO

    return before


def _width(box: Corners) -> float:
    return box[2] - box[0]


def _height(box: Corners) -> float:
    return box[3] - box[1]


RANKS: dict[str, Callable[[Corners, Corners], bool]] = {
    "from_left": _before(0, 1),
    "from_right": _before(0, -1),
    "from_top": _before(1, 1),
    "from_bottom": _before(1, -1),
    "largest": _ratio(geometry.area, True),
    "smallest": _ratio(geometry.area, False),
    "tallest": _ratio(_height, True),
    "shortest": _ratio(_height, False),
    "widest": _ratio(_width, True),
}
"""For each predicate, whether the first of two boxes clearly has a lower rank than the second one."""

SIZES = frozenset({"largest", "smallest", "tallest", "shortest", "widest"})
"""Ranks that are never contradicted: the tallest man may sit, or stand far away."""


def check_rank(predicate: str, number: int, subject: tuple[Corners, ...], others: tuple[Corners, ...]) -> Checked:
    """The verdict on a rank. Undecided if there is nothing to compare with.

    It is contradicted if for each box of the subject, `number` or more boxes clearly come before, and it is none of
    `SIZES`. It is never contradicted because too few do: the detector may have missed them. It is supported only if the
    subject has one box.

    measured, of the box that fits best: `before` and `unclear`, the number of boxes that clearly come before it, and of
    those that may; `rivals`, the number of all others.

    Args:
      number: the rank, from 1. subject: boxes of the phrase. others: boxes of other phrases with the same noun. All in
        picture widths on both axes, and without group boxes.
    """
    comes_before = RANKS.get(predicate)
    if comes_before is None or number < 1 or not subject or len(subject) + len(others) < 2:
        return UNDECIDED
    found = []
    for at, box in enumerate(subject):
        rivals = (*subject[:at], *subject[at + 1 :], *others)
        before = sum(comes_before(rival, box) for rival in rivals)
        unclear = len(rivals) - before - sum(comes_before(box, rival) for rival in rivals)
        distance = max(before + 1 - number, number - before - unclear - 1, 0)
        found.append((distance, at, {"before": before, "unclear": unclear, "rivals": len(rivals)}))
    _, _, measured = min(found, key=lambda one: one[:2])
    if predicate not in SIZES and all(numbers["before"] >= number for _, _, numbers in found):
        return Checked(Verdict.CONTRADICTED, dict(measured))
    clear = len(subject) == 1 and measured["unclear"] == 0 and measured["before"] == number - 1
    return Checked(Verdict.SUPPORTED if clear else Verdict.UNDECIDED, dict(measured))
