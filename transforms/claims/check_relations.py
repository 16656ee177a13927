"""Relations: two boxes, or a box and the picture. What each predicate demands, and whether boxes can prove it.

The frame is the viewer's. A rule measures boxes and decides on the rounded numbers. It contradicts only with a wide
margin: a caption is taken at its word where boxes leave room for it. All numbers but those of `PICTURE` are ratios of
lengths of the boxes, so they do not change with the scale.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, permutations, product
from math import sqrt

from transforms.claims import geometry
from transforms.claims.geometry import ratio, rounded
from transforms.claims.verdicts import UNDECIDED, Checked, Corners, Measured, Verdict

CLEAR = 0.5
"""From this offset on, a box is clearly on one side of another one: half of the offset at which the two just meet."""

APART = 0.2
"""Boxes with a larger gap, as a fraction of the mean of their sizes, do not touch. Detected edges are this inexact."""

NEAR = 1.5
"""A thing that is farther away than this many sizes of the larger one is not next to it. `near` allows twice that."""

PERSPECTIVE = 10
"""If the areas differ by more, the things are at different distances from the camera: boxes cannot say how near."""

INSIDE = 0.2
"""A thing of which less is within a box is not inside. Partial covering is normal."""

IN = 0.05
"""`in` demands less, and of the smaller box: "a man in a hat", "flowers in a vase"."""

MOST = 20
"""So many boxes of a phrase are tried for `between`, which compares three boxes at a time."""

WITHIN = 0.8
"""A thing of which more is within another one's box is not far from it. Less is perspective: one before the other."""

BEYOND = 0.25
"""What is between two things is not beyond the centre of one by more than this fraction of their distance."""

SIDE = 0.4
"""A thing whose centre is within this fraction of the picture from a side is on it, and not on the opposite one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a predicate demands of the box of a subject and those of its objects.

    measure: the numbers. decide: the verdict, from the numbers alone.
    provable: whether boxes can support the predicate. If not, they can only contradict it, and say nothing on "not on".
    around: "subject" or "object" if all boxes of that side are taken as one: "a man surrounded by sheep".
    """

    measure: Callable[..., Measured]
    decide: Callable[[Measured], Verdict]
    provable: bool = False
    around: str = ""


def _sides(s: Corners, o: Corners, axis: int) -> Measured:
    """dx or dy: how far the object is to the right of the subject, or below it. spans: whether one contains the other
    on that axis: a small box at the end of a long one is not beside it, and a dog under a table is inside its box."""
    name = "dx" if axis == 0 else "dy"
    return {name: geometry.offset(s, o, axis), "spans": int(geometry.spans(s, o, axis))}


def _stacked(s: Corners, o: Corners) -> Measured:
    """overlap_x: the common part of both extents on the x axis, as a fraction of the smaller; negative: the space."""
    return {**_sides(s, o, 1), "overlap_x": _overlap_x(s, o)}


def _overlap_x(s: Corners, o: Corners) -> float:
    narrow = min(s[2] - s[0], o[2] - o[0])
    return ratio(min(-geometry.distance(s, o, 0), narrow), narrow)


def _contact(s: Corners, o: Corners) -> Measured:
    """gap: as a fraction of the mean size of both."""
    return {"gap": ratio(2 * geometry.gap(s, o), geometry.size(s) + geometry.size(o))}


def _below(s: Corners, o: Corners) -> float:
    return ratio((s[1] + s[3]) / 2 - o[3], s[3] - s[1])


def _hanging(s: Corners, o: Corners) -> Measured:
    """below: how far the subject's centre is below the object's lower edge, in heights of the subject. overlap_x: see
    `_stacked`."""
    return {**_contact(s, o), "below": _below(s, o), "overlap_x": _overlap_x(s, o)}


def _resting(s: Corners, o: Corners) -> Measured:
    """below: as in `_hanging`. held: the share of the object that is in the subject's box."""
    held = ratio(geometry.shared(s, o), geometry.area(o))
    return {**_contact(s, o), "below": _below(s, o), "held": held}


def _share(s: Corners, o: Corners, of: str) -> Measured:
    """share: the common area over that of the subject, the object, or the smaller one."""
    areas = {"subject": geometry.area(s), "object": geometry.area(o)}
    return {"share": ratio(geometry.shared(s, o), areas.get(of, min(areas.values())))}


def _closeness(s: Corners, o: Corners) -> Measured:
    """gap: as a fraction of the larger size. areas: the larger area over the smaller one."""
    small, large = sorted((geometry.area(s), geometry.area(o)))
    larger = max(geometry.size(s), geometry.size(o))
    return {"gap": ratio(geometry.gap(s, o), larger), "areas": ratio(large, small)}


def _centring(s: Corners, o: Corners) -> Measured:
    """dx: distance of the centres on the x axis, in half widths of the object, which is all of its boxes."""
    return {**_contact(s, o), "dx": ratio(s[0] + s[2] - o[0] - o[2], o[2] - o[0])}


def _betweenness(s: Corners, a: Corners, b: Corners) -> Measured:
    """along: where the subject's centre is on the line from centre to centre: 0..1 between them. aside: its distance
    from that line over the distance of the centres. apart: that distance over the mean size of both."""
    (sx, sy), (ax, ay), (bx, by) = (((c[0] + c[2]) / 2, (c[1] + c[3]) / 2) for c in (s, a, b))
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    along = ratio((sx - ax) * dx + (sy - ay) * dy, length)
    aside = ratio(abs((sx - ax) * dy - (sy - ay) * dx), length)
    return {"along": along, "aside": aside, "apart": ratio(2 * sqrt(length), geometry.size(a) + geometry.size(b))}


def _beyond(m: Measured, name: str, sign: int) -> Verdict:
    if m["spans"] or abs(m[name]) < CLEAR:
        return Verdict.UNDECIDED
    return Verdict.SUPPORTED if sign * m[name] > 0 else Verdict.CONTRADICTED


def _vertical(m: Measured, sign: int) -> Verdict:
    """`over` and `under` also need a common part on the x axis. Without it, nothing is decided: shade is wide."""
    verdict = _beyond(m, "dy", sign)
    return Verdict.UNDECIDED if verdict is Verdict.SUPPORTED and m["overlap_x"] <= 0 else verdict


def _refuted_if(refuted: bool) -> Verdict:
    return Verdict.CONTRADICTED if refuted else Verdict.UNDECIDED


def _is_between(m: Measured) -> Verdict:
    if m["apart"] < CLEAR:
        return Verdict.UNDECIDED
    if not -BEYOND <= m["along"] <= 1 + BEYOND:
        return Verdict.CONTRADICTED
    clear = BEYOND / 2 <= m["along"] <= 1 - BEYOND / 2 and m["aside"] <= CLEAR
    return Verdict.SUPPORTED if clear else Verdict.UNDECIDED


def _centre(box: Corners) -> Measured:
    """x, y: the centre, as fractions of the picture's sides."""
    return {"x": rounded((box[0] + box[2]) / 2), "y": rounded((box[1] + box[3]) / 2)}


def _borders(box: Corners) -> Measured:
    """border: the space to the nearest side of the picture, as a fraction of that side's direction."""
    return {"border": rounded(min(box[0], box[1], 1 - box[2], 1 - box[3]))}


def _extents(box: Corners) -> Measured:
    return dict(zip(("x1", "y1", "x2", "y2"), map(rounded, box), strict=True))


def _on_side(m: Measured, name: str, low: bool) -> Verdict:
    value = m[name] if low else 1 - m[name]
    if value <= SIDE:
        return Verdict.SUPPORTED
    return Verdict.CONTRADICTED if value >= 1 - SIDE else Verdict.UNDECIDED


def _in_the_middle(m: Measured) -> Verdict:
    """Contradicted if the box does not reach the middle third, on one of the axes."""
    if min(m["x2"], m["y2"]) < 1 / 3 or max(m["x1"], m["y1"]) > 2 / 3:
        return Verdict.CONTRADICTED
    inside = all(1 / 3 <= (m[a] + m[b]) / 2 <= 2 / 3 for a, b in (("x1", "x2"), ("y1", "y2")))
    return Verdict.SUPPORTED if inside else Verdict.UNDECIDED


def _at_the_edge(m: Measured) -> Verdict:
    if m["border"] <= 0.02:  # boxes end some pixels before the edge
        return Verdict.SUPPORTED
    return Verdict.CONTRADICTED if m["border"] >= 0.25 else Verdict.UNDECIDED  # 0.5 is a point in the centre


_ON_TOP_OF = Rule(_resting, lambda m: _refuted_if(m["gap"] > APART or (m["below"] > 0 and m["held"] < INSIDE)))
# What is right below may hang: a chandelier on the ceiling, keys on a hook.
_ON = Rule(_hanging, lambda m: _refuted_if(m["gap"] > APART or (m["below"] > 0 and m["overlap_x"] <= 0)))
_ABOVE = Rule(partial(_sides, axis=1), partial(_beyond, name="dy", sign=1), provable=True)
_BELOW = Rule(partial(_sides, axis=1), partial(_beyond, name="dy", sign=-1), provable=True)
_NEXT_TO = Rule(_closeness, lambda m: _refuted_if(m["areas"] <= PERSPECTIVE and m["gap"] > NEAR))
_TOUCHING = Rule(_contact, lambda m: _refuted_if(m["gap"] > APART))

BETWEEN = "between"

RELATIONS: dict[str, Rule] = {
    "left_of": Rule(partial(_sides, axis=0), partial(_beyond, name="dx", sign=1), provable=True),
    "right_of": Rule(partial(_sides, axis=0), partial(_beyond, name="dx", sign=-1), provable=True),
    "above": _ABOVE,
    "below": _BELOW,
    "over": Rule(_stacked, partial(_vertical, sign=1), provable=True),
    "under": Rule(_stacked, partial(_vertical, sign=-1), provable=True),
    "on": _ON,
    "on_top_of": _ON_TOP_OF,
    "in": Rule(partial(_share, of="smaller"), lambda m: _refuted_if(m["share"] < IN)),
    "inside": Rule(partial(_share, of="subject"), lambda m: _refuted_if(m["share"] < INSIDE)),
    "contains": Rule(partial(_share, of="object"), lambda m: _refuted_if(m["share"] < INSIDE)),
    # Grass in front of a giraffe, a fence around a house: what surrounds a thing covers little of its box.
    "surrounding": Rule(_contact, lambda m: _refuted_if(m["gap"] > APART), around="subject"),
    "enclosed_by": Rule(_contact, lambda m: _refuted_if(m["gap"] > APART), around="object"),
    "next_to": _NEXT_TO,
    "by": _NEXT_TO,
    "near": Rule(_closeness, lambda m: _refuted_if(m["areas"] <= PERSPECTIVE and m["gap"] > 2 * NEAR)),
    "far_from": Rule(partial(_share, of="smaller"), lambda m: _refuted_if(m["share"] > WITHIN)),
    "touching": _TOUCHING,
    "against": _TOUCHING,
    "attached_to": _TOUCHING,
    # All boxes as one: "in the middle of two trucks", "of a crowd".
    "middle_of": Rule(_centring, lambda m: _refuted_if(m["gap"] > APART or abs(m["dx"]) > 1), around="object"),
    BETWEEN: Rule(_betweenness, _is_between, provable=True),
}
"""The rules for a subject and objects, by the names of `predicates.yaml`. What is missing here is undecided: behind,
in_front_of, away_from (who walks away may be near), facing, left_side_of (it may be the thing's own left), larger_than
(in the world), and whatever else needs depth, the front of a thing, or more than boxes."""

PICTURE: dict[str, Rule] = {
    "picture_left": Rule(_centre, partial(_on_side, name="x", low=True), provable=True),
    "picture_right": Rule(_centre, partial(_on_side, name="x", low=False), provable=True),
    "picture_top": Rule(_centre, partial(_on_side, name="y", low=True), provable=True),
    "picture_bottom": Rule(_centre, partial(_on_side, name="y", low=False), provable=True),
    "picture_middle": Rule(_extents, _in_the_middle, provable=True),
    "picture_edge": Rule(_borders, _at_the_edge, provable=True),
}
"""The rules for a subject and the picture. background and foreground are undecided."""

_VerdictOf = Callable[[Rule, Iterable[tuple[Corners, ...]]], Checked]

_ORDER = (Verdict.CONTRADICTED, Verdict.UNDECIDED, Verdict.SUPPORTED)


def check_relation(
    predicate: str,
    subject: tuple[Corners, ...],
    objects: Sequence[tuple[Corners, ...]],
    each_other: bool = False,
    every: bool = False,
) -> Checked:
    """The verdict on a relation: that of the boxes that fit it best. Undecided if a phrase has no box.

    Of several objects ("near a cup and a plate"), each must fit, except for `between`. That takes at most `MOST` boxes
    of a phrase, best score first, and is not contradicted if there are more.

    Args:
      subject: boxes of the subject, best score first; in picture widths on both axes, see `geometry.square`.
      objects: the same for each object. each_other: whether subject and object are one phrase, whose boxes are
        compared with one another. every: supported only if all boxes fit, for "not": of two cats, the other may be
        meant.
    """
    rule = RELATIONS.get(predicate)
    if rule is None or not subject or not objects or not all(objects):
        return UNDECIDED
    verdict_of = _all if every else _best
    if predicate == BETWEEN:
        return _check_between(rule, subject, objects, verdict_of)
    if each_other:
        return verdict_of(rule, permutations(subject, 2))
    if rule.around == "object":
        return verdict_of(rule, product(subject, [geometry.hull(tuple(box for boxes in objects for box in boxes))]))
    subject = (geometry.hull(subject),) if rule.around else subject
    checked = [verdict_of(rule, product(subject, boxes)) for boxes in objects]
    return min(checked, key=lambda one: _ORDER.index(one.verdict))


def check_place(predicate: str, subject: tuple[Corners, ...], every: bool = False) -> Checked:
    """The verdict on a place in the picture. subject: in fractions of the picture's sides, best score first. every: as
    in `check_relation`."""
    rule = PICTURE.get(predicate)
    return (_all if every else _best)(rule, ((box,) for box in subject)) if rule else UNDECIDED


def _check_between(
    rule: Rule, subject: tuple[Corners, ...], objects: Sequence[tuple[Corners, ...]], verdict_of: _VerdictOf
) -> Checked:
    if len(objects) > 2:
        return UNDECIDED
    few = [boxes[:MOST] for boxes in objects]
    pairs = combinations(few[0], 2) if len(few) == 1 else product(*few)
    checked = verdict_of(rule, ((s, *pair) for pair in pairs for s in subject[:MOST]))
    untried = max(map(len, (subject, *objects))) > MOST
    if untried and (checked.verdict is Verdict.CONTRADICTED or verdict_of is _all):
        return Checked(Verdict.UNDECIDED, checked.measured)
    return checked


def _best(rule: Rule, pairs: Iterable[tuple[Corners, ...]]) -> Checked:
    """The first pair with the best verdict. The search ends where nothing can be better. Undecided without pairs."""
    best, ceiling = None, Verdict.SUPPORTED if rule.provable else Verdict.UNDECIDED
    for boxes in pairs:
        measured = rule.measure(*boxes)
        verdict = rule.decide(measured)
        if best is None or _ORDER.index(verdict) > _ORDER.index(best.verdict):
            best = Checked(verdict, measured)
        if verdict is ceiling:
            break
    return best or UNDECIDED


def _all(rule: Rule, pairs: Iterable[tuple[Corners, ...]]) -> Checked:
    """The verdict that all pairs have; otherwise undecided, with the numbers of the first pair that fits worst."""
    worst, verdicts = None, set[Verdict]()
    for boxes in pairs:
        measured = rule.measure(*boxes)
        verdict = rule.decide(measured)
        verdicts.add(verdict)
        if worst is None or _ORDER.index(verdict) < _ORDER.index(worst.verdict):
            worst = Checked(verdict, measured)
    if worst is None or len(verdicts) == 1:
        return worst or UNDECIDED
    return Checked(Verdict.UNDECIDED, worst.measured)
