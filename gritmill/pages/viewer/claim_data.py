"""The claims of a pair with their verdicts at each stop of the slider, for the page.

Python decides each verdict; the page looks it up. Only changes between stops are written.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from transforms.claims.verdicts import Checked, Verdict
from transforms.records import Claim, Grounding, Pair
from transforms.selection.judge import Policy
from transforms.selection.threshold_sweep import sweep_verdicts

_Value = TypeVar("_Value")

_VERDICTS = list(Verdict)


def claims_json(pair: Pair, ranked: Sequence[Grounding], policy: Policy, scores: Sequence[float]) -> list[list[Any]]:
    """The claims of a pair in the order of the words; none if no stop keeps a box.

    A claim: kind, start and end of its words and of its subject, predicate, number, whether it is negated (1 or 0),
    starts and ends of its objects, names of the measured numbers, changes. A change: stop, index of the verdict in
    `Verdict`, measured numbers in the order of the names, null for one that was not measured.

    Args:
      ranked: as from `rank_candidates`. scores: the stops, ascending.
    """
    steps = list(sweep_verdicts(pair, ranked, policy, scores))
    if not steps:
        return []
    return [
        _claim(claim, changes((stop, verdicts[number]) for stop, verdicts in steps))
        for number, claim in enumerate(pair.claims)
    ]


def _claim(claim: Claim, found: Sequence[tuple[int, Checked]]) -> list[Any]:
    names = list(dict.fromkeys(name for _, checked in found for name in checked.measured))
    return [
        str(claim.kind),
        *(claim.words_start, claim.words_end, *claim.subject),
        claim.predicate,
        claim.number,
        int(claim.negated),
        list(claim.objects),
        names,
        [[stop, _VERDICTS.index(one.verdict), *map(one.measured.get, names)] for stop, one in found],
    ]


def changes(steps: Iterable[tuple[int, _Value]]) -> list[tuple[int, _Value]]:
    """The first of all adjacent steps that have the same value. A step: the highest stop at which it has the value, and
    the value. The highest step is first."""
    return [next(same) for _, same in groupby(steps, itemgetter(1))]
