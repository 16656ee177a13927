"""report.html: how a run went, on one page that loads nothing from elsewhere."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files as package_files
from itertools import pairwise
from typing import Any

from jinja2 import Environment, StrictUndefined

from gritmill.pages.thumbnails import Thumbnail, make_thumbnails
from pipeline import files
from pipeline.files.publish import publish_bytes
from pipeline.ids import ChunkId, RangeId
from pipeline.pack.ledger import outcomes
from pipeline.pack.manifest import policy_of
from pipeline.pack.report import PAGE_NAME, threshold_line
from pipeline.pack.statistics import STATISTICS_NAME
from pipeline.plan.plan import Plan
from pipeline.tables import chunk_files, detections
from pipeline.tables.pair_rows import from_table
from transforms.records import Pair
from transforms.selection.judge import Policy
from transforms.selection.threshold_sweep import rank_candidates

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's, for every eye
_HEADS = 20
_TABLE_THRESHOLDS = tuple(i / 20 for i in range(21))


def write_page(
    output: str, folder: str, plan: Plan, manifest: dict[str, Any], report: dict[str, Any], warning: str = ""
) -> None:
    """Writes the page of a finished run.

    Args:
      output: the run's folder. folder: that of its detections. report: what `write_report` returned.
      warning: a warning about the boxes, shown near the top; empty for none.
    """
    statistics = files.read_json(files.join(output, STATISTICS_NAME))
    policy = policy_of(manifest)
    text = _template().render(
        name=files.name(output),
        manifest=manifest,
        report=report,
        warning=warning,
        outcomes=list(outcomes(report["ledger"])),
        threshold=threshold_line(report["threshold"]),
        charts=list(_make_charts(report["histograms"])),
        heads=report["histograms"]["heads"][:_HEADS],
        threshold_table=_threshold_table(statistics["thresholds"], policy.threshold),
        sides=[
            (title, list(_make_cards(statistics["nearest"][side], folder, plan, policy)))
            for title, side in (("Barely kept", "kept"), ("Barely missed", "missed"))
        ],
    )
    publish_bytes(files.join(output, PAGE_NAME), text.encode())


def _template() -> Any:
    # The page shows captions and names from anywhere: whatever is put in is escaped.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((package_files(__package__) / "report.html.jinja").read_text("utf-8"))


@dataclass(frozen=True)
class Bar:
    """A bar of a chart: position and width as fractions of the chart's, height as a fraction of the highest bar's;
    label: its tooltip."""

    x: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Bars, with the labels `first` and `last` at the ends of the axis."""

    title: str
    bars: tuple[Bar, ...]
    first: str
    last: str


def _make_charts(histograms: dict[str, Any]) -> Iterator[Chart]:
    for key, title in (("score", "Boxes by score"), ("box_area", "Boxes by share of the picture")):
        edges, counts = histograms[key]["edges"], histograms[key]["counts"]
        labels = [f"{low:g} to {high:g}: {count:,}" for (low, high), count in zip(pairwise(edges), counts, strict=True)]
        yield _make_chart(title, counts, labels, f"{edges[0]:g}", f"{edges[-1]:g}")
    for key, title in (("boxes_per_pair", "Pairs by number of boxes"), ("phrase_words", "Phrases by number of words")):
        by_value = dict(zip(histograms[key]["values"], histograms[key]["counts"], strict=True))
        last = max(by_value, default=0)
        counts = [by_value.get(value, 0) for value in range(1, last + 1)]
        labels = [f"{value}: {count:,}" for value, count in enumerate(counts, 1)]
        yield _make_chart(title, counts, labels, "1", str(max(last, 1)))


def _make_chart(title: str, counts: Sequence[int], labels: Sequence[str], first: str, last: str) -> Chart:
    highest, width = max(counts, default=0) or 1, 1 / max(len(counts), 1)
    bars = (
        Bar(i * width, width, count / highest, label)
        for i, (count, label) in enumerate(zip(counts, labels, strict=True))
    )
    return Chart(title, tuple(bars), first, last)


def _threshold_table(sweep: dict[str, list[Any]], score: float) -> dict[str, Any]:
    """A line for each count by threshold, as points of an SVG 100 wide and 40 high, and a few rows in numbers."""
    scores = sweep["score"]
    names = ("pairs", "phrases", "boxes")
    low, span = scores[0], (scores[-1] - scores[0]) or 1
    lines = {
        name: " ".join(
            f"{100 * (x - low) / span:.1f},{40 - 40 * value / (max(sweep[name]) or 1):.1f}"
            for x, value in zip(scores, sweep[name], strict=True)
        )
        for name in names
    }
    rows = [
        (x, *values)
        for x, *values in zip(scores, *(sweep[name] for name in names), strict=True)
        if x in _TABLE_THRESHOLDS
    ]
    return {
        "lines": lines,
        "rows": rows,
        "threshold_x": min(max(100 * (score - low) / span, 0), 100),
        "low": low,
        "high": scores[-1],
    }


@dataclass(frozen=True)
class Card:
    """A pair whose best score is close to the threshold.

    boxes: colour, phrase, score, and x, y, width, height in percent of the picture.
    """

    key: str
    source: str
    caption: str
    score: float
    picture: str
    missing: str
    boxes: tuple[tuple[str, str, float, tuple[float, ...]], ...]


def _make_cards(nearest: list[dict[str, Any]], folder: str, plan: Plan, policy: Policy) -> Iterator[Card]:
    """In order of distance; each shows the boxes that the lower of its own score and the threshold would keep."""
    pairs = [_read_pair(folder, entry["where"]) for entry in nearest]
    order = sorted(range(len(pairs)), key=lambda index: (pairs[index].source, pairs[index].index))
    pictures = dict(zip(order, make_thumbnails([pairs[index] for index in order], plan), strict=True))
    for index, (entry, pair) in enumerate(zip(nearest, pairs, strict=True)):
        yield _make_card(
            pair, entry["score"], replace(policy, threshold=min(policy.threshold, entry["score"])), pictures[index]
        )


def _make_card(pair: Pair, best: float, policy: Policy, picture: Thumbnail) -> Card:
    phrases: dict[str, str] = {}
    boxes = []
    for grounding in rank_candidates(pair, policy):
        if grounding.box.score >= policy.threshold:
            text = pair.caption[grounding.phrase.expression_start : grounding.phrase.expression_end]
            colour = phrases.setdefault(text, _COLOURS[len(phrases) % len(_COLOURS)])
            x1, y1, x2, y2 = (100 * corner for corner in grounding.box.corners)
            boxes.append((colour, text, grounding.box.score, (x1, y1, x2 - x1, y2 - y1)))
    encoded = base64.b64encode(picture.jpeg).decode()
    missing = f"{picture.missing.stage}: {picture.missing.reason}" if picture.missing else ""
    return Card(pair.key, files.name(pair.source), pair.caption, best, encoded, missing, tuple(boxes))


def _read_pair(folder: str, row_position: Sequence[int]) -> Pair:
    source, number, chunk, row = row_position
    chunk_id, range_id = ChunkId(source, number, chunk), RangeId(source, number)
    recorded = detections.read_range_summary(folder, range_id)["chunks"] if detections.is_done(folder, range_id) else []
    digest = next((entry["digest"] for entry in recorded if entry["chunk"] == chunk), None)
    (pair,) = from_table(chunk_files.read_table(folder, chunk_id, digest).slice(row, 1))
    return pair
