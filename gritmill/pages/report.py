"""report.html: the results of a run on a single page that loads nothing else."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from gritmill.pages.render import render
from gritmill.pages.thumbnails import Thumbnail, make_thumbnails
from pipeline import files, layout
from pipeline.files.publish import publish_bytes
from pipeline.ids import RangeId
from pipeline.pack.manifest import Manifest
from pipeline.pack.report import Report
from pipeline.pack.statistics import ByThreshold, Histograms, NearThreshold, read_statistics
from pipeline.plan.plan import Plan
from pipeline.tables.detections import open_detections
from pipeline.tables.pair_rows import from_table
from transforms.records import Pair
from transforms.selection.judge import Policy
from transforms.selection.select_boxes import SAME_BOX_IOU, ious
from transforms.selection.threshold_sweep import rank_candidates
from transforms.text.grounded_caption import Corners

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito: safe for colour-blind
_HEADS = 20
_TABLE_THRESHOLDS = tuple(i / 20 for i in range(21))


def write_page(
    output: str,
    folder: str,
    plan: Plan,
    manifest: Manifest,
    report: Report,
    truth: Sequence[tuple[str, str]] = (),
) -> None:
    """Writes the page of a finished run.

    Args:
      output: the run folder. folder: the folder of its detections. report: the result of `write_report`.
      truth: names and texts of the truth sheet.
    """
    statistics = read_statistics(output)
    nearest = statistics.nearest
    policy = manifest.policy
    text = render(
        "report.html.jinja",
        name=files.name(output),
        manifest=manifest,
        models={name: manifest.configuration[name]["model"] for name in ("phrases", "detector")},
        report=report,
        warnings=() if report.are_all_given else plan.warnings,  # an older manifest has none
        outcomes=list(report.ledger.outcomes()),
        threshold=report.threshold.line,
        truth=truth,
        charts=list(_charts(report.histograms)),
        heads=report.histograms.heads[:_HEADS],
        thresholds=_thresholds(statistics.thresholds, policy.threshold),
        sides=[
            ("Barely kept", len(nearest.kept), list(_make_cards(nearest.kept, folder, plan, policy))),
            ("Barely missed", len(nearest.missed), list(_make_cards(nearest.missed, folder, plan, policy))),
        ],
    )
    publish_bytes(files.join(output, layout.REPORT_PAGE), text.encode())


def _charts(histograms: Histograms) -> Iterator[dict[str, Any]]:
    """Per chart: title, bars as (count, tooltip), and the labels at both ends of the axis."""
    binned = ((histograms.score, "Scores of kept boxes"), (histograms.box_area, "Box area as a share of the image"))
    for bins, title in binned:
        labels = [f"{low:g} to {high:g}" for low, high in pairwise(bins.edges)]
        bars = [(n, f"{label}: {n:,}") for label, n in zip(labels, bins.counts, strict=True)]
        yield {"title": title, "bars": bars, "first": f"{bins.edges[0]:g}", "last": f"{bins.edges[-1]:g}"}
    by_value = (
        (histograms.boxes_per_pair, "Boxes per pair"),
        (histograms.phrase_words, "Words per phrase"),
    )
    for values, title in by_value:
        counted = dict(zip(values.values, values.counts, strict=True))
        last = max(counted, default=0)
        bars = [(counted.get(value, 0), f"{value}: {counted.get(value, 0):,}") for value in range(1, last + 1)]
        yield {"title": title, "bars": bars, "first": "1", "last": str(max(last, 1))}


def _thresholds(sweep: ByThreshold, score: float) -> dict[str, Any]:
    """The pairs, phrases and boxes that each threshold keeps.

    shares: relative to the lowest threshold. line: position of the active threshold in percent of the axis. rows: the
    counts at multiples of 0.05.
    """
    low, high = sweep.score[0], sweep.score[-1]
    span = (high - low) or 1
    rows = list(zip(sweep.score, sweep.pairs, sweep.phrases, sweep.boxes, strict=True))
    highest = [max(counts) or 1 for counts in (sweep.pairs, sweep.phrases, sweep.boxes)]
    return {
        "shares": [
            {"score": (x - low) / span}
            | {name: n / top for name, n, top in zip(("pairs", "phrases", "boxes"), counts, highest, strict=True)}
            for x, *counts in rows
        ],
        "rows": [row for row in rows if row[0] in _TABLE_THRESHOLDS],
        "line": min(max(100 * (score - low) / span, 0), 100),
        "low": low,
        "high": high,
    }


def _make_cards(nearest: Sequence[NearThreshold], folder: str, plan: Plan, policy: Policy) -> Iterator[dict[str, Any]]:
    """The cards in order of distance; pairs with the same image are on one card. Each shows the boxes kept at the lower
    of the pair's score and the threshold."""
    images: dict[str, list[tuple[Pair, Policy]]] = {}
    for number, entry in enumerate(nearest):
        pair = _read_pair(folder, entry.where)
        shown = replace(policy, threshold=min(policy.threshold, entry.score))
        images.setdefault(pair.image.digest or f"none {number}", []).append((pair, shown))
    firsts = sorted((pairs[0][0] for pairs in images.values()), key=lambda pair: (pair.source, pair.index))
    thumbnails = zip(firsts, make_thumbnails(firsts, plan), strict=True)
    pictures = {(pair.source, pair.index): picture for pair, picture in thumbnails}
    for pairs in images.values():
        first = pairs[0][0]
        yield _make_card(pairs, pictures[first.source, first.index])


def _make_card(pairs: Sequence[tuple[Pair, Policy]], picture: Thumbnail) -> dict[str, Any]:
    """The pairs of an image with their boxes.

    A box is (colour, phrase, score, (x, y, width, height) in percent of the image). A box that a caption shares with an
    earlier one, with the same phrase and nearly the same place, is drawn once.
    """
    colours: dict[str, str] = {}
    captions, drawn = [], list[tuple[str, Corners]]()
    boxes = []
    for pair, policy in pairs:
        own, earlier = [], list(drawn)
        for grounding in rank_candidates(pair, policy):
            if grounding.box.score >= policy.threshold:
                text = pair.caption[grounding.phrase.expression_start : grounding.phrase.expression_end]
                colour = colours.setdefault(text, _COLOURS[len(colours) % len(_COLOURS)])
                x1, y1, x2, y2 = (100 * corner for corner in grounding.box.corners)
                box = (colour, text, grounding.box.score, (x1, y1, x2 - x1, y2 - y1))
                own.append(box)
                same = [corners for phrase, corners in earlier if phrase == text]
                if not same or ious([grounding.box.corners], same).max() < SAME_BOX_IOU:
                    drawn.append((text, grounding.box.corners))
                    boxes.append(box)
        source = files.name(pair.source.rstrip("/"))
        captions.append({"key": pair.key, "source": source, "caption": pair.caption, "boxes": own})
    return {
        **{"captions": captions, "boxes": boxes, "picture": base64.b64encode(picture.jpeg).decode()},
        "missing": f"{picture.missing.stage}: {picture.missing.reason}" if picture.missing else "",
    }


def _read_pair(folder: str, row_position: Sequence[int]) -> Pair:
    source, number, chunk, row = row_position
    table, range_id = open_detections(folder), RangeId(source, number)
    entries = table.entries(range_id, table.is_finished(range_id))
    digest = next((entry.digest for entry in entries if entry.chunk == chunk), None)
    (pair,) = from_table(table.read(range_id.chunk(chunk), digest).slice(row, 1))
    return pair
