"""Boxes and claims for tests of verdicts."""

from hypothesis import strategies as st

from transforms.claims.verdicts import PhraseBoxes
from transforms.records import Claim, ClaimKind

SUBJECT, OBJECT, SECOND = (0, 5), (10, 15), (20, 25)

GRID = 16


def box(x, y, width, height):
    """A box by its left upper corner and its sides."""
    return (x, y, x + width, y + height)


@st.composite
def grid_boxes(draw):
    """A box on a small grid of powers of two: mirrored and scaled boxes are exact, ties and equal edges frequent."""
    x1, y1 = draw(st.integers(0, GRID - 1)), draw(st.integers(0, GRID - 1))
    x2, y2 = draw(st.integers(x1 + 1, GRID)), draw(st.integers(y1 + 1, GRID))
    return (x1 / GRID, y1 / GRID, x2 / GRID, y2 / GRID)


def phrase(*boxes, at_floor=0, **more):
    return PhraseBoxes(boxes, max(at_floor, len(boxes)), **more)


def relation(predicate, *objects, subject=SUBJECT, negated=False):
    flat = tuple(offset for span in objects for offset in span)
    return Claim(ClaimKind.RELATION, 6, 9, *subject, predicate, negated=negated, objects=flat)


def count(predicate, number=0, words=(0, 3), negated=False):
    return Claim(ClaimKind.COUNT, *words, *SUBJECT, predicate, number, negated)


def rank(predicate, number):
    return Claim(ClaimKind.RANK, 0, 3, *SUBJECT, predicate, number)
