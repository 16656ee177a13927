"""Counts of verdicts on statements that are taken to be true, and on the same statements swapped; their table."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gritmill.evaluation.verdict_figures import OPPOSITE
from transforms.claims.check_claims import check_claims
from transforms.claims.verdicts import Boxes, Verdict
from transforms.records import Claim

EXAMPLES = 20


@dataclass
class Row:
    """One set of statements. true, swapped: verdicts by predicate. examples: contradicted statements, some of them."""

    title: str
    true: defaultdict[str, Counter[Verdict]] = field(default_factory=lambda: defaultdict(Counter))
    swapped: Counter[Verdict] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, claim: Claim, boxes: Boxes, size: tuple[int, int], text: str) -> None:
        """Checks a statement, and its opposite if it has one. size: of the picture, in pixels. text: shown if the
        statement is contradicted."""
        (checked,) = check_claims([claim], boxes, *size, text)
        self.true[claim.predicate][checked.verdict] += 1
        if checked.verdict is Verdict.CONTRADICTED and len(self.examples) < EXAMPLES:
            self.examples.append(f"{claim.predicate} {claim.number or ''}: {text} {checked.measured}")
        if claim.predicate in OPPOSITE:
            (checked,) = check_claims([replace(claim, predicate=OPPOSITE[claim.predicate])], boxes, *size, text)
            self.swapped[checked.verdict] += 1


def markdown(rows: Iterable[Row], by_predicate: bool = False) -> str:
    """The table of docs/claims.md. by_predicate: with a line for each predicate."""
    lines = [
        "| statements | number | supported | contradicted | swapped: contradicted |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        every = sum(row.true.values(), Counter[Verdict]())
        swapped = f"{share(row.swapped)} of {row.swapped.total():,}" if row.swapped else ""
        lines.append(f"| {row.title} {_verdicts(every)} {swapped} |")
        names: Mapping[str, Counter[Verdict]] = row.true if by_predicate else {}
        lines += [f"| - {name} {_verdicts(counts)} |" for name, counts in sorted(names.items())]
    return "\n".join(lines)


def share(counts: Counter[Verdict]) -> str:
    """The share of contradicted statements."""
    return f"{counts[Verdict.CONTRADICTED] / counts.total():.1%}"


def _verdicts(counts: Counter[Verdict]) -> str:
    total = counts.total()
    if not total:
        return "| 0 | | |"
    contradicted = f"{counts[Verdict.CONTRADICTED]} ({share(counts)})"
    return f"| {total:,} | {counts[Verdict.SUPPORTED] / total:.1%} | {contradicted} |"
