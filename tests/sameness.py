"""The rule of CONTRIBUTING for results that may differ in bytes: boxes match one to one per phrase within 1e-4."""

TOLERANCE = 1e-4


def same(pair, other, floor, candidates):
    """Whether two rows of one pair are the same: equal spans, and boxes that match within the tolerance.

    A box may lack a partner only if its score is within the tolerance of the floor, or of the last score if the
    maximum number of candidates is reached.
    """
    if (pair.caption, pair.phrases, pair.dropped, pair.error) != (
        *(other.caption, other.phrases, other.dropped, other.error),
    ):
        return False
    return all(_same_phrase(_boxes(pair, n), _boxes(other, n), floor, candidates) for n in range(len(pair.phrases)))


def _boxes(pair, phrase):
    return [box for box in pair.boxes if box.phrase == phrase]


def _same_phrase(boxes, others, floor, candidates):
    left = list(others)
    for box in boxes:
        partner = next((other for other in left if _near(box, other)), None)
        if partner is not None:
            left.remove(partner)
        elif not _at_the_edge(box, boxes, floor, candidates):
            return False
    return all(_at_the_edge(box, others, floor, candidates) for box in left)


def _near(a, b):
    return all(abs(x - y) <= TOLERANCE for x, y in zip((*a.corners, a.score), (*b.corners, b.score), strict=True))


def _at_the_edge(box, boxes, floor, candidates):
    last = min(b.score for b in boxes) if len(boxes) == candidates else floor
    return abs(box.score - floor) <= TOLERANCE or abs(box.score - last) <= TOLERANCE
