"""The truth sheet of a run in words: what is known about the truth of its data without true boxes.

The numbers are in the manifest, and `gritmill validate` computes them again; this module only divides them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from gritmill.evaluation.number_f1 import AT_LEAST_ONE, BETWEEN, ENOUGH_COUNTS, EXACTLY_ONE, NumberCurve
from pipeline.pack.claim_counts import ClaimCount
from pipeline.pack.truth_sheet import TruthSheet
from transforms.claims.verdicts import Verdict
from transforms.records import ClaimKind
from transforms.wording import counted

_OTHER_VERSION = "not known: the run reads no claims and has no decoys, or an earlier version of gritmill packed it"


def claim_rows(claims: Sequence[ClaimCount]) -> Iterator[tuple[str, int, int, int]]:
    """For each kind of claims that the data has: its name, and how many are supported, contradicted, undecided."""
    total = Counter({(one.kind, verdict): 0 for one in claims for verdict in Verdict})
    for one in claims:
        for verdict in Verdict:
            total[one.kind, verdict] += getattr(one, verdict)
    for kind in ClaimKind:
        if (kind, Verdict.SUPPORTED) in total:
            supported, contradicted, undecided = (total[kind, verdict] for verdict in Verdict)
            yield str(kind), supported, contradicted, undecided


def number_f1(sheet: TruthSheet) -> dict[str, float] | None:
    """Number-F1 at the threshold of the run by reading, 0..1; None if no caption states a number.

    As in `gritmill.evaluation.number_f1`, but of phrases whose number words state ("a dog", not "the dog") in written
    pairs, at one threshold: so the estimated share of absent phrases is the highest one that is possible.
    """
    if not sheet.counted_phrases:
        return None
    columns = (
        sheet.phrase_boxes,
        sheet.agreed,
        sheet.extra,
        sheet.phrases_found,
        sheet.decoy_boxes,
        sheet.decoys_found,
    )
    boxes, agreed, extra, found, decoy_boxes, decoys_found = (np.array([float(number)]) for number in columns)
    totals = (float(sheet.stated), float(sheet.counted_phrases), float(sheet.exact_phrases))
    curve = NumberCurve(
        np.zeros(1), boxes, agreed, extra, found, *totals, decoy_boxes, decoys_found, float(sheet.decoys)
    )
    return {reading: float(curve.f1(reading)[0]) for reading in (EXACTLY_ONE, BETWEEN, AT_LEAST_ONE)}


def lines(sheet: TruthSheet | None, boxes: int, written: int) -> Iterator[tuple[str, str]]:
    """Names and texts of what a sheet says. boxes, written: of the run."""
    if sheet is None:
        yield from ((name, _OTHER_VERSION) for name in ("number-F1", "decoys", "group boxes"))
        return
    yield "number-F1", _number_line(sheet)
    yield "decoys", _decoy_line(sheet, written)
    groups = f"{sheet.group_boxes:,} of {counted(boxes, 'box')}{_share(sheet.group_boxes, boxes)}"
    yield "group boxes", f"{groups} cover two or more smaller boxes of their phrase"


def _number_line(sheet: TruthSheet) -> str:
    found = number_f1(sheet)
    if found is None:
        return "not known: no caption states a number"
    low, high = min(found.values()), max(found.values())
    readings = ", ".join(f"{found[name]:.3f} {words}" for name, words in _READINGS.items())
    counts = f"{counted(sheet.counted_phrases, 'phrase')} with a number in words, {sheet.exact_phrases:,} of them exact"
    indicative = f"; only indicative: fewer than {ENOUGH_COUNTS} exact ones" * (sheet.exact_phrases < ENOUGH_COUNTS)
    decoys = "" if sheet.decoys else "; no decoys, so boxes of phrases that are not in the image count as right"
    return f"{low:.3f} to {high:.3f} ({readings}), from {counts}{indicative}{decoys}"


_READINGS = {
    EXACTLY_ONE: 'if "a man" is exactly one',
    BETWEEN: "if as many further boxes are wrong as beyond exact numbers",
    AT_LEAST_ONE: "if it is at least one",
}


def _decoy_line(sheet: TruthSheet, written: int) -> str:
    if not sheet.decoys:
        return "not known: none were asked for (`decoys.number`)"
    found = f"{sheet.decoys_found:,} of {sheet.decoys:,}{_share(sheet.decoys_found, sheet.decoys)}"
    absent = f"{sheet.absent:,}{_share(sheet.absent, sheet.decoys)}"
    pairs = f"; asked for {sheet.decoy_pairs:,} of {counted(written, 'pair')}"
    return (
        f"{found} have a box, {sheet.decoy_boxes:,} in all; the detector has no candidate of {absent}, which are the "
        f"`absent` of the records{pairs}"
    )


def _share(part: int, total: int) -> str:
    return f" ({part / total:.1%})" if total else ""
