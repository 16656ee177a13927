"""A run's detections and decoys -> its number-F1 by threshold, without true boxes."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gritmill.evaluation import number_f1
from gritmill.evaluation.curves import threshold_grid
from gritmill.evaluation.number_f1 import ENOUGH_COUNTS, READINGS, Boxes, Counted, NumberCurve
from gritmill.evaluation.stated_numbers import Stated, stated_numbers
from pipeline import files
from pipeline.configuration import Configuration
from pipeline.faults import CallError
from pipeline.ids import ChunkId
from pipeline.layout import DECOYS, DETECTIONS
from pipeline.pack.driver import find_detections
from pipeline.plan.plan import Plan, read_plan
from pipeline.stages.configured import open_tables
from pipeline.stages.decoys import Decoys
from pipeline.tables.detections import open_detections
from pipeline.tables.pair_rows import from_table
from pipeline.tables.range_summary import ChunkEntry
from pipeline.tables.table import Table
from pipeline.threshold import active_threshold
from transforms.annotations.annotate import has_given_boxes
from transforms.records import Box, Pair, Phrase
from transforms.selection.select_boxes import dropped_phrases, select
from transforms.settings import DecoySettings, SelectionSettings
from transforms.wording import counted

MOST_PAIRS = 20_000
"""Pairs that are read if no limit is given: then the interval of the threshold is far narrower than the difference of
the two readings."""

_REPORT_EVERY = 10
"""The report has every tenth threshold of the curve: the hundredths."""


@dataclass
class Tally:
    """What was read. pairs: rows. used: pairs with a counted phrase. exact, singular: counted phrases. uncounted:
    phrases without a number. given: pairs whose boxes the source brings. outdated: chunks whose decoys belong to
    earlier detections."""

    pairs: int = 0
    used: int = 0
    exact: int = 0
    singular: int = 0
    uncounted: int = 0
    given: int = 0
    outdated: int = 0


@dataclass
class _Collection:
    """Grows pair by pair. numbers: stated number, whether it is exact, image; of each phrase. boxes: score, owner.
    pictures: the number of each image, by its digest. picture: that of the last pair."""

    selection: SelectionSettings
    floor: float
    tally: Tally = field(default_factory=Tally)
    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    boxes: "array[float]" = field(default_factory=lambda: array("d"))
    decoys: "array[int]" = field(default_factory=lambda: array("q"))
    decoy_boxes: "array[float]" = field(default_factory=lambda: array("d"))
    pictures: dict[str, int] = field(default_factory=dict)
    picture: int = -1

    def add(self, pair: Pair, decoys: Any) -> None:
        """Adds a pair. decoys: its row of the table of decoys; None if it has none."""
        # Several captions of one image need not follow each other. Without a digest, each pair has an image of its own.
        key = pair.image.digest or f"pair {len(self.pictures)}"
        self.picture = self.pictures.setdefault(key, len(self.pictures))
        stated = stated_numbers(pair)
        for phrase in dropped_phrases(pair, self.selection):
            stated.pop(phrase, None)
        self._add_phrases(pair, stated)
        if decoys and decoys["phrases"]:
            self._add_decoys(pair, decoys)

    def _add_phrases(self, pair: Pair, stated: dict[int, Stated]) -> None:
        first = len(self.numbers) // 3
        number_of = {phrase: first + position for position, phrase in enumerate(stated)}
        for one in stated.values():
            self.numbers.extend((one.number, one.exact, self.picture))
        for grounding in select(pair, self.selection, self.floor):
            if (owner := number_of.get(grounding.box.phrase)) is not None:
                self.boxes.extend((grounding.box.score, owner))
        exact = sum(one.exact for one in stated.values())
        self.tally.exact += exact
        self.tally.singular += len(stated) - exact
        self.tally.uncounted += len(pair.phrases) - len(stated)
        self.tally.used += bool(stated)

    def _add_decoys(self, pair: Pair, row: Any) -> None:
        """Decoys compete with the phrases of the caption, as an absent phrase would: suppression across phrases removes
        most of the boxes that they have on things of other phrases."""
        first = len(self.decoys)
        for grounding in select(_with_decoys(pair, row), self.selection, self.floor):
            number = grounding.box.phrase - len(pair.phrases)
            if number >= 0:
                self.decoy_boxes.extend((grounding.box.score, first + number))
        self.decoys.extend([self.picture] * len(row["phrases"]))

    def arrays(self) -> Counted:
        number, exact, picture = np.array(self.numbers, int).reshape(-1, 3).T
        boxes, decoy_boxes = (np.array(rows, float).reshape(-1, 2).T for rows in (self.boxes, self.decoy_boxes))
        return Counted(
            number,
            exact.astype(bool),
            picture,
            Boxes(boxes[0], boxes[1].astype(int)),
            np.array(self.decoys, int),
            Boxes(decoy_boxes[0], decoy_boxes[1].astype(int)),
            len(self.pictures),
        )


def _with_decoys(pair: Pair, row: Any) -> Pair:
    """The pair with its decoys as further phrases, at the end of the caption."""
    caption, phrases = pair.caption, list(pair.phrases)
    for decoy in row["phrases"]:
        start = len(caption) + 1
        caption += f" {decoy['text']}"
        end, head = len(caption), start + max(decoy["text"].rfind(decoy["head"]), 0)
        phrases.append(Phrase(start, end, head, head + len(decoy["head"]), start, end))
    boxes = [Box(**{**box, "phrase": box["phrase"] + len(pair.phrases)}) for box in row["boxes"]]
    return replace(pair, caption=caption, phrases=tuple(phrases), boxes=(*pair.boxes, *boxes))


def calibrate_run(run: str, configuration: Configuration, limit: int | None, seed: int) -> dict[str, Any]:
    """The content of `calibration.json`, from a finished or partial run. configuration: its selection is used.

    limit: of the pairs; None: `MOST_PAIRS`. If there are more, chunks are left out evenly.

    Raises:
      CallError: the folder has no detections. EnvironmentFault: a file has changed since it was committed.
    """
    folder = find_detections(run)
    plan = read_plan(folder)
    if plan is None:
        files.need_folder(files.canonical(run), f"--without-truth: {run}")
        raise CallError(f"--without-truth: {run}: no detections; name the folder of a run")
    configuration = plan.configuration.packed_with(configuration)
    floor = plan.configuration.detector.floor
    collected = _Collection(configuration.selection, floor)
    partial = _collect(collected, folder, plan, limit or MOST_PAIRS)
    return {
        "run": run,
        "partial": partial,
        "configuration": configuration.model_dump(mode="json", include={"detector", "selection", "phrases"}),
        "models": plan.model_identities,
        "pairs": {"read": collected.tally.pairs, "used": collected.tally.used, "images": len(collected.pictures)},
        **_build_result(collected, plan, configuration, seed),
    }


def _collect(collected: _Collection, folder: str, plan: Plan, limit: int) -> bool:
    """Adds the pairs of the run. Returns whether ranges are not finished."""
    detections = open_detections(folder)
    decoys = open_tables([Decoys(DecoySettings(), plan.configuration.detector)], folder)[DECOYS]
    listing, decoy_listing = detections.listing(), decoys.listing()
    chunks = [
        (range_id.chunk(entry.chunk), entry)
        for range_id in plan.range_ids()
        for entry in detections.entries(range_id, range_id in listing.finished)
    ]
    given = plan.configuration.source.annotations
    for chunk, entry in _spread(chunks, limit):
        rows = _decoy_rows(decoys, chunk, entry, collected.tally) if chunk in decoy_listing.chunks else None
        for number, pair in enumerate(from_table(detections.read(chunk, entry.digest))):
            collected.tally.pairs += 1
            if has_given_boxes(pair, given):
                collected.tally.given += 1
            elif not pair.error and pair.phrases:
                collected.add(pair, rows[number] if rows else None)
    return any(range_id not in listing.finished for range_id in plan.range_ids())


def _spread(chunks: Sequence[tuple[ChunkId, ChunkEntry]], limit: int) -> Iterator[tuple[ChunkId, ChunkEntry]]:
    """The chunks, or some of them in even steps that have about `limit` rows. At least one."""
    rows = sum(entry.rows for _, entry in chunks)
    number = max(1, len(chunks) * limit // rows) if rows > limit else len(chunks)
    return (chunks[position * len(chunks) // number] for position in range(number if chunks else 0))


def _decoy_rows(decoys: Table, chunk: ChunkId, entry: ChunkEntry, tally: Tally) -> list[Any] | None:
    """The rows of decoys of a chunk; None if they belong to earlier detections."""
    file = decoys.open(chunk)
    if file.parents != {DETECTIONS: entry.digest}:
        tally.outdated += 1
        return None
    return file.rows().to_pylist()


def _build_result(collected: _Collection, plan: Plan, configuration: Configuration, seed: int) -> dict[str, Any]:
    """The result from the key `threshold` on."""
    tally, arrays = collected.tally, collected.arrays()
    notes = list(_notes(tally, arrays, plan))
    counts = {"exact": tally.exact, "singular": tally.singular, "without_number": tally.uncounted}
    head = {"phrases": counts, "decoys": len(arrays.decoy_picture), "indicative": tally.exact < ENOUGH_COUNTS}
    if not len(arrays.number):
        return {**head, "threshold": None, "notes": notes, "curves": {}}
    floor = plan.configuration.detector.floor
    in_force = active_threshold(configuration.selection, plan.threshold, floor)
    thresholds = np.union1d(threshold_grid(floor), [in_force.score])
    curve = arrays.curve(thresholds)
    found = number_f1.intervals(arrays, thresholds, seed)
    readings = {reading: _reading(curve, reading, found[reading]) for reading in READINGS}
    first = readings[number_f1.BETWEEN]
    return {
        **head,
        "threshold": first["threshold"],
        "range": sorted(readings[one]["threshold"] for one in (number_f1.EXACTLY_ONE, number_f1.AT_LEAST_ONE)),
        "readings": readings,
        "absent_share": curve.absent_share if curve.decoys else None,
        "decoys_there": curve.decoys_there if curve.decoys else None,
        "decoy_rate": curve.figures_at(first["threshold"])["decoys_with_box"],
        "in_force": {
            "threshold": in_force.score,
            "source": in_force.origin,
            "figures": curve.figures_at(in_force.score),
        },
        "bootstrap": {"seed": seed, "resamples": number_f1.RESAMPLES},
        "paste": {
            "set": f"--set selection.score={first['threshold']:g}",
            "yaml": f"selection:\n  score: {first['threshold']:g}\n",
        },
        "notes": notes,
        "curves": {"all": _points(curve)},
    }


def _reading(curve: NumberCurve, reading: str, interval: dict[str, Any]) -> dict[str, Any]:
    at = curve.best(reading)
    threshold = float(curve.thresholds[at])
    figures = curve.figures_at(threshold)
    return {"threshold": threshold, "f1": figures[reading], "interval": interval, "figures": figures}


def _points(curve: NumberCurve) -> list[dict[str, Any]]:
    """The figures at each hundredth that the score of at least one box reaches."""
    reached = curve.thresholds[curve.boxes > 0].tolist()
    return [curve.figures_at(t) for t in reached if round(t * 1000) % _REPORT_EVERY == 0]


def _notes(tally: Tally, arrays: Counted, plan: Plan) -> Iterator[str]:
    """What is missing, one line each."""
    if not plan.configuration.phrases.claims:
        yield (
            "these detections have no counts (phrases.claims): only nouns in the singular are used; "
            "run gritmill ground into a new folder to read them"
        )
    if tally.exact < ENOUGH_COUNTS:
        yield f"indicative: {counted(tally.exact, 'exact count')}, fewer than {ENOUGH_COUNTS}"
    if tally.outdated:
        again = "run gritmill ground with decoys.number again"
        yield f"the decoys of {counted(tally.outdated, 'chunk')} belong to earlier detections and are left out; {again}"
    if not len(arrays.decoy_picture):
        yield (
            "no decoys: boxes of phrases that are not in the image count as right, so the threshold may be too low; "
            "run gritmill ground again with --set decoys.number=4"
        )
    if tally.given:
        yield f"left out: {counted(tally.given, 'pair')} whose boxes come from the source"
