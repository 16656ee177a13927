"""`gritmill eval --relations`, reading: what is read off the parse of captions, against what they are known to state.

Nothing is looked at but words. A statement is read if a claim has its predicate, number and negation, and its noun
chunks end where those of the statement end: whether an article belongs to a phrase does not matter.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gritmill.evaluation.metrics import share
from gritmill.evaluation.sets.truth import Statement
from transforms.records import Claim, ClaimKind

FRAMES = (
    ("In the photo, ", " while a man watches."),
    ("", ", and a woman in a red coat is talking to a child."),
    ("It looks like ", ", but nobody in the room has noticed it yet."),
)
"""Longer sentences: what stands before and after a statement without its full stop."""

Key = tuple[object, ...]


@dataclass
class ReadingTally:
    """Counts over captions: statements, claims that were read, and those of them that are statements.

    kinds, predicates: by those names. categories: by the kinds of the statements; a claim that is no statement has
    none.
    """

    kinds: defaultdict[ClaimKind, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    predicates: defaultdict[tuple[ClaimKind, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    categories: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(
        self, statements: Iterable[Statement], claims: Iterable[Claim], part: tuple[int, int] | None = None
    ) -> None:
        """Adds a caption. part: start and end of the text that the statements are about; their spans are relative to
        its start. A claim about nothing in it is neither right nor wrong."""
        start, end = part or (0, 0)
        read = {key_of(claim, start): claim for claim in claims if part is None or _touches(claim, start, end)}
        wanted = {key_of(one.claim): one for one in statements if not one.optional}
        optional = {key_of(one.claim) for one in statements if one.optional}
        unsure = {_noun(one.claim) for one in statements if one.optional and one.claim.kind is ClaimKind.COUNT}
        for key, one in wanted.items():
            self._count(one.claim, stated=1, right=int(key in read))
            for category in one.kinds:
                self.categories[category].update(stated=1, right=int(key in read))
        for key, claim in read.items():
            if key in wanted or not (key in optional or _noun(claim, start) in unsure):
                self._count(claim, read=1)

    def to_json(self) -> dict[str, Any]:
        """Counts and rates by kind of claim, by predicate, and by category. Kinds of which nothing is stated are
        left out. A rate is None if its total is 0."""
        stated = sorted((kind for kind, counts in self.kinds.items() if counts["stated"]), reverse=True)
        return {
            "kinds": {
                f"{kind}s": {**_figures(self.kinds[kind]), "predicates": self._by_predicate(kind)} for kind in stated
            },
            "categories": {
                name: {"stated": one["stated"], "right": one["right"], "recall": share(one["right"], one["stated"])}
                for name, one in sorted(self.categories.items())
            },
        }

    def _by_predicate(self, kind: ClaimKind) -> dict[str, Any]:
        return {name: _figures(counts) for (one, name), counts in sorted(self.predicates.items()) if one == kind}

    def _count(self, claim: Claim, **numbers: int) -> None:
        self.kinds[claim.kind].update(numbers)
        self.predicates[claim.kind, claim.predicate].update(numbers)


def framed(statement: str, frame: tuple[str, str]) -> tuple[str, tuple[int, int]]:
    """A sentence inside a longer one, and where it is there. The characters keep their order and number."""
    before, after = frame
    text = statement.rstrip().removesuffix(".")
    inner = text[:1].lower() + text[1:] if before else text
    return before + inner + after, (len(before), len(before) + len(inner))


def _figures(counts: Counter[str]) -> dict[str, Any]:
    stated, read, right = (counts[name] for name in ("stated", "read", "right"))
    rates = {"precision": share(right, read), "recall": share(right, stated)}
    return {"stated": stated, "read": read, "right": right, **rates}


def key_of(claim: Claim, start: int = 0) -> Key:
    """What must be equal for a claim to be a statement. start: of the text that its spans become relative to."""
    objects = sorted(end - start for end in claim.objects[1::2])
    what = (claim.kind, claim.predicate, claim.number, claim.negated, claim.is_bare_plural)
    return (*what, claim.subject_end - start, *objects)


def _noun(claim: Claim, start: int = 0) -> Key:
    return (claim.kind, claim.subject_end - start) if claim.kind is ClaimKind.COUNT else ()


def _touches(claim: Claim, start: int, end: int) -> bool:
    """Whether one of its noun chunks is in a part of the caption."""
    ends = (claim.subject_end, *claim.objects[1::2])
    return any(start < one <= end for one in ends)
