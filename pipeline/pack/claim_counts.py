"""The claims of written pairs, counted by kind, predicate, number and verdict.

A shard counts its own samples. The counts of shards add up to those of the pack, however pairs are split into shards.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from transforms.claims.verdicts import Checked, Verdict
from transforms.records import Claim, ClaimKind
from transforms.selection.contradictions import REASONS
from transforms.wording import counted

MANY = 21
"""All larger numbers are counted with this one: few captions state one, and each would be a row of its own."""

WARN_ABOVE = 0.1
"""The share of pairs, of those that would be written otherwise, that contradicted claims may reject without a
warning."""


@dataclass(frozen=True)
class ClaimCount:
    """Claims of a kind by verdict. number: of a count, how many things it states, and `MANY` for all larger numbers; 0
    for a relation or a rank."""

    kind: str
    predicate: str
    number: int
    supported: int
    contradicted: int
    undecided: int

    @property
    def total(self) -> int:
        """The number of these claims."""
        return self.supported + self.contradicted + self.undecided

    @property
    def stated(self) -> str:
        """The stated number as text; empty for a relation or a rank."""
        return f"more than {MANY - 1}" if self.number == MANY else str(self.number or "")


Verdicts = Counter[tuple[str, str, int, str]]
"""Claims by kind, predicate, number and verdict."""


def add_claims(verdicts: Verdicts, claims: Iterable[Claim], checked: Sequence[Checked]) -> None:
    """Counts the claims of a pair in place. checked: one for each claim."""
    for claim, one in zip(claims, checked, strict=True):
        number = min(claim.number, MANY) if claim.kind is ClaimKind.COUNT else 0
        verdicts[claim.kind, claim.predicate, number, one.verdict] += 1


def claim_counts(verdicts: Verdicts) -> tuple[ClaimCount, ...]:
    """The counts in the order of kind, predicate and number."""
    keys = sorted({(kind, predicate, number) for kind, predicate, number, _ in verdicts})
    return tuple(
        ClaimCount(str(kind), predicate, number, *(verdicts[kind, predicate, number, verdict] for verdict in Verdict))
        for kind, predicate, number in keys
    )


def add_up(parts: Iterable[Iterable[ClaimCount]]) -> tuple[ClaimCount, ...]:
    """The sum of the counts of shards."""
    total = Verdicts()
    for part in parts:
        for one in part:
            for verdict in Verdict:
                total[one.kind, one.predicate, one.number, verdict] += getattr(one, verdict)
    return claim_counts(total)


def claims_line(counts: Iterable[ClaimCount]) -> str:
    """What a run says about its claims; empty if it has none."""
    by_kind = Counter[str]()
    total = Counter[str]()
    for one in counts:
        by_kind[one.kind] += one.contradicted
        for verdict in Verdict:
            total[verdict] += getattr(one, verdict)
    if not total.total():
        return ""
    kinds = ", ".join(counted(by_kind[kind], kind) for kind in ClaimKind if by_kind[kind])
    contradicted = f"{total[Verdict.CONTRADICTED]:,} contradicted{f' ({kinds})' if kinds else ''}"
    return f"{counted(total.total(), 'claim')} checked, {contradicted}, {total[Verdict.UNDECIDED]:,} undecided"


def rejected_line(rejected: Mapping[str, int], written: int) -> str:
    """A warning if contradicted claims reject more than `WARN_ABOVE` of the pairs; otherwise empty.

    rejected: pairs by reason. written: pairs.
    """
    dropped = sum(rejected.get(reason, 0) for reason in REASONS.values())
    pairs = written + dropped
    if dropped <= WARN_ABOVE * pairs:
        return ""
    return (
        f"contradicted claims reject {dropped:,} of {counted(pairs, 'pair')} that would be written otherwise "
        f"({dropped / pairs:.0%}); the boxes of many of them may be wrong: look at some with gritmill view"
    )
