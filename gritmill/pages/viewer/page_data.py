"""The data of the page, as a JavaScript file, because a page that is opened from disk cannot fetch data."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from gritmill.pages.viewer.claim_data import changes, claims_json
from gritmill.pages.viewer.pick_pairs import Picked
from pipeline.pack.manifest import Manifest
from pipeline.pack.statistics import ByThreshold, Histograms
from transforms.records import Fault, Grounding, Pair
from transforms.selection.judge import Policy
from transforms.selection.select_boxes import dropped_groups, dropped_phrases
from transforms.selection.threshold_sweep import rank_candidates, sweep

_SETTINGS = {"nms_iou", "min_side", "min_area", "max_area", "boxes_per_phrase", "boxes_per_pair"}


def to_script(value: Any) -> bytes:
    """A script that sets `window.GRITMILL` to a JSON value. It is ASCII, without `<`, `>` and `&`.

    The value is in a string literal that the script parses as JSON: in an object literal, a key such as `__proto__`
    would have a special meaning.
    """
    text = json.dumps(json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"window.GRITMILL = JSON.parse({text});\n".encode("ascii")


def sample_json(
    picked: Picked, policy: Policy, scores: Sequence[float], picture: str, missing: Fault | None
) -> dict[str, Any]:
    """A pair for the page.

    scores: the stops of the slider. picture: name of the thumbnail; "" if there is none, then `missing` is the reason.

    Offsets are characters of the caption. Corners and scores are 32-bit numbers, written so that JavaScript's
    `Math.fround` restores exactly the same bits.
    """
    pair = picked.pair
    outcome, stage, reason = picked.outcome_key
    fault = picked.outcome if isinstance(picked.outcome, Fault) else None
    ranked = [] if pair.error else rank_candidates(pair, policy)
    return {
        "key": pair.key,
        "source": pair.source,
        "caption": pair.caption,
        "width": pair.width,
        "height": pair.height,
        "picture": picture,
        "missing": _fault_text(missing),
        "outcome": [outcome, stage, reason, fault.detail if fault else ""],
        "phrases": [
            [p.start, p.end, p.head_start, p.head_end, p.expression_start, p.expression_end] for p in pair.phrases
        ],
        "dropped": [[d.start, d.end, str(d.reason)] for d in pair.dropped],
        "boxes": [[box.phrase, *map(shortest_float, (*box.corners, box.score))] for box in pair.boxes],
        "ambiguous": sorted(dropped_phrases(pair, policy.selection_of(pair))),
        "groups": sorted(dropped_groups(pair, policy.selection_of(pair))),
        "refused": _rejections(pair, ranked, policy, scores),
        "claims": claims_json(pair, ranked, policy, scores),
    }


def _fault_text(fault: Fault | None) -> str:
    return f"{fault.stage}: {fault.reason}" + (f" ({fault.detail})" if fault.detail else "") if fault else ""


def shortest_float(value: float) -> float:
    """The number with the fewest digits that rounds to the same 32-bit number."""
    exact = np.float32(value)
    short = float(str(exact))
    return short if np.float32(short) == exact else value


def _rejections(
    pair: Pair, ranked: Sequence[Grounding], policy: Policy, scores: Sequence[float]
) -> list[tuple[int, str]]:
    """(stop, reason) where the reason changes for which the pair is rejected though it has boxes; empty if it is kept.

    A reason holds from its stop down to the next one. It may change though the boxes do not: see `PairChecker.limits`.
    """
    found = changes((step.level, step.rejection) for step in sweep(pair, ranked, policy, scores))
    return found if any(reason for _, reason in found) else []


def run_json(manifest: Manifest, histograms: Histograms, name: str) -> dict[str, Any]:
    """The whole run: ledger, threshold, settings, histograms."""
    ledger, settings = manifest.ledger, manifest.settings
    return {
        "name": name,
        "read": ledger.read,
        "written": ledger.written,
        "outcomes": [
            [{"written": "kept"}.get(outcome, outcome), reason, pairs] for outcome, reason, pairs in ledger.outcomes()
        ],
        "threshold": manifest.threshold.line,
        "warnings": manifest.warnings,
        "floor": None if manifest.are_all_given else settings.detector.floor,
        "boxes_by": manifest.boxes_by,
        "selection": settings.selection.model_dump(mode="json", include=_SETTINGS),
        "histograms": asdict(histograms),
        "claims": [
            [f"{one.predicate} {one.stated}".strip(), one.supported, one.contradicted, one.undecided]
            for one in manifest.claims
        ],
    }


def stops_json(sweep: ByThreshold, run_threshold: float) -> dict[str, Any]:
    """The stops of the slider with the run's pairs, phrases and boxes at each. own: index of the run's threshold."""
    return {**asdict(sweep), "own": sweep.score.index(max(run_threshold, sweep.score[0]))}
