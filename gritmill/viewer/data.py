"""What the page is told, as one JavaScript file: a page that is opened from disk may not fetch anything."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from gritmill.viewer.sample import Picked
from pipeline.count import failures
from pipeline.faults import EnvironmentFault
from transforms.judge_pair import CannotWrite, Policy, texts
from transforms.records import Fault, Pair
from transforms.select_boxes import select
from transforms.settings import SelectionSettings

GRID = [round(0.05 + step / 100, 2) for step in range(96)]
"""Thresholds of the slider where the run has written no table: 0.05, 0.06, ... 1."""

_SETTINGS = ("nms_iou", "min_side", "min_area", "max_area", "boxes_per_phrase", "boxes_per_pair")


def script(value: Any) -> bytes:
    """A script that leaves a JSON value in `window.GRITMILL`: ASCII without `<`, `>` and `&`, as text of a text.

    JSON is parsed at run time, so that no key can mean more than a key.
    """
    text = json.dumps(json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"window.GRITMILL = JSON.parse({text});\n".encode("ascii")


def sample(picked: Picked, policy: Policy, picture: str, missing: Fault | None) -> dict[str, Any]:
    """A pair for the page. picture: its thumbnail's name; where there is none, `missing` says why.

    Offsets are characters of the caption. Corners and scores are 32-bit numbers, each written so that JavaScript's
    `Math.fround` gives back the very bits.
    """
    pair = picked.pair
    outcome, stage, reason = picked.way
    fault = picked.outcome if isinstance(picked.outcome, Fault) else None
    return {
        "key": pair.key,
        "source": pair.source,
        "caption": pair.caption,
        "width": pair.width,
        "height": pair.height,
        "picture": picture,
        "missing": _told(missing),
        "outcome": [outcome, stage, reason, fault.detail if fault else ""],
        "phrases": [
            [p.start, p.end, p.head_start, p.head_end, p.expression_start, p.expression_end] for p in pair.phrases
        ],
        "dropped": [[d.start, d.end, str(d.reason)] for d in pair.dropped],
        "boxes": [[box.phrase, *map(_short, (*box.corners, box.score))] for box in pair.boxes],
        "refused": _refused(pair, policy),
    }


def _told(fault: Fault | None) -> str:
    return f"{fault.stage}: {fault.reason}" + (f" ({fault.detail})" if fault.detail else "") if fault else ""


def _short(value: float) -> float:
    """The number of fewest digits that is the same 32-bit number."""
    exact = np.float32(value)
    short = float(str(exact))
    return short if np.float32(short) == exact else value


def _refused(pair: Pair, policy: Policy) -> list[list[Any]]:
    """[number of kept boxes, reason] for each such number at which the pair is rejected because of its text.

    Boxes of a higher threshold are the first ones, by rank, of a lower threshold's, since suppression and caps look at
    better boxes alone: their number says which they are.
    """
    if pair.error or not pair.boxes:
        return []
    found = []
    kept = select(pair, policy.selection, 0.0)
    for score in sorted({grounding.box.score for grounding in kept}):
        groundings = [grounding for grounding in kept if grounding.box.score >= score]
        try:
            texts(pair, groundings, policy.text)
        except CannotWrite as error:
            found.append([len(groundings), str(error)])
    return found


def run(manifest: dict[str, Any], report: dict[str, Any], name: str) -> dict[str, Any]:
    """The run as a whole: ledger, threshold, settings, histograms if its report has them."""
    ledger = manifest["ledger"]
    outcomes = [["kept", "", ledger["written"]]]
    outcomes += [["rejected", reason, pairs] for reason, pairs in ledger["rejected"].items()]
    for stage, reasons in ledger["failed"].items():
        outcomes += [["failed", f"{stage}: {reason}", pairs] for reason, pairs in reasons.items()]
    return {
        "name": name,
        "read": ledger["read"],
        "written": ledger["written"],
        "failed": failures(ledger),
        "outcomes": outcomes,
        "threshold": manifest["threshold"],
        "floor": manifest["configuration"]["detector"]["floor"],
        "detector": manifest["configuration"]["detector"]["model"],
        "selection": settings(manifest["configuration"]["selection"]),
        "histograms": report.get("histograms"),
    }


def settings(selection: dict[str, Any]) -> dict[str, Any]:
    """What the page's own selection goes by, besides the threshold."""
    values = SelectionSettings.model_validate(selection).model_dump(mode="json")
    return {key: values[key] for key in _SETTINGS}


def stops(table: dict[str, Any] | None, manifest: dict[str, Any], boxes: int) -> dict[str, Any]:
    """The slider's thresholds with the whole run's pairs, phrases and boxes at each; null where nobody has counted.

    The run's own threshold is among them: what it wrote, if the table lacks it.

    Raises:
      EnvironmentFault: the table is not one.
    """
    own = manifest["threshold"]["score"]
    rows: list[tuple[float, Any, Any, Any]] = [(score, None, None, None) for score in GRID]
    if table is not None:
        rows = _rows(table)
    if all(row[0] != own for row in rows):
        rows.append((own, manifest["ledger"]["written"], None, boxes))
    rows.sort(key=lambda row: row[0])
    names = ("score", "pairs", "phrases", "boxes")
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    return {**columns, "own": columns["score"].index(own), "counted": table is not None}


def _rows(table: dict[str, Any]) -> list[tuple[float, Any, Any, Any]]:
    columns: Sequence[Sequence[Any]] = [table.get(name, ()) for name in ("score", "pairs", "phrases", "boxes")]
    if not columns[0] or len({len(column) for column in columns}) != 1:
        raise EnvironmentFault("thresholds.json: its lists are not of one length, though gritmill wrote it")
    if any(first >= second for first, second in pairwise(columns[0])):
        raise EnvironmentFault("thresholds.json: its scores do not rise, though gritmill wrote it")
    return list(zip(*columns, strict=True))
