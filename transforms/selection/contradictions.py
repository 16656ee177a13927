"""Pairs whose boxes contradict what their caption says: which claims reject a pair, and with which reason."""

from collections.abc import Iterable, Sequence

from transforms.claims.check_claims import is_refutable
from transforms.claims.verdicts import Checked, Verdict
from transforms.records import Claim, ClaimKind, Reason
from transforms.settings import SelectionSettings

REASONS = {
    ClaimKind.RELATION: Reason.CONTRADICTED_RELATION,
    ClaimKind.RANK: Reason.CONTRADICTED_RANK,
    ClaimKind.COUNT: Reason.CONTRADICTED_COUNT,
}


def rejecting_kinds(settings: SelectionSettings) -> frozenset[ClaimKind]:
    """The kinds of claims that reject a pair if its boxes contradict one of them."""
    rules = {kind: settings.count_claims if kind is ClaimKind.COUNT else settings.claims for kind in ClaimKind}
    return frozenset(kind for kind, rule in rules.items() if rule == "drop_contradicted")


def rejecting_claims(claims: Iterable[Claim], settings: SelectionSettings) -> tuple[Claim, ...]:
    """Those of the claims of a pair that can reject it, in their order."""
    kinds = rejecting_kinds(settings)
    return tuple(claim for claim in claims if claim.kind in kinds and is_refutable(claim)) if kinds else ()


def contradiction(claims: Iterable[Claim], verdicts: Sequence[Checked], settings: SelectionSettings) -> Reason | None:
    """The reason of the first claim that rejects the pair, in the order of the words; None if none does.

    verdicts: one for each claim.
    """
    kinds = rejecting_kinds(settings)
    for claim, checked in zip(claims, verdicts, strict=True):
        if checked.verdict is Verdict.CONTRADICTED and claim.kind in kinds:
            return REASONS[claim.kind]
    return None
