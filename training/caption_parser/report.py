"""The validation report: tables on the screen, and the same figures as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import spacy
from rich.table import Table

from pipeline.screen import data_console
from pipeline.stages.phrases import Phrases
from training.caption_parser import hand_marks
from training.caption_parser.figures import Figures, figures
from training.caption_parser.silver import read_silver, split, to_doc
from training.caption_parser.spans import Counts, Spans, bare_spans, total
from training.caption_parser.word_classes import WordClassRuler
from transforms.phrases.phrase_extractor import PhraseExtractor
from transforms.settings import PhraseSettings


@dataclass(frozen=True)
class HandFigures:
    """F1, precision and recall of gritmill's phrases against the hand marks, 0..1.

    `f1_loose` ignores a number at the end of a phrase. `f1_bare` is the F1 of spaCy's noun chunks before gritmill cuts
    them. `lead` is `f1` minus the `f1_bare` of the last model; `lead_low` and `lead_high` are its 95 % interval.
    """

    captions: int
    f1: float
    precision: float
    recall: float
    f1_loose: float
    f1_bare: float
    lead: float
    lead_low: float
    lead_high: float


def write_report(silver: Path, captions: Path, models: Sequence[Path], marks: str, report: Path | None) -> None:
    """Prints the tables for all models and writes the figures to `report`.

    Raises:
      ValueError: the caption file is not the one that was marked.
      OSError: a file or a model is missing.
    """
    console = data_console()
    pipelines = {str(path): spacy.load(path, exclude=["lemmatizer"]) for path in models}
    as_used = [Phrases(PhraseSettings(model=str(path))).load() for path in models]
    by_hand = _by_hand(as_used, hand_marks.read_marks(hand_marks.MARKS / f"{marks}.jsonl", captions))
    ruler = WordClassRuler()
    _, validation = split(read_silver(silver), hand_marks.withheld_keys(hand_marks.MARKS))
    references = [(parse, ruler(to_doc(ruler.vocab, parse))) for parse in validation]
    found: dict[str, Any] = {}
    for (name, nlp), hand in zip(pipelines.items(), by_hand, strict=True):
        with console.status(name):
            silver_figures = figures(nlp, references)
        console.print(_silver_table(name, silver_figures))
        found[name] = {
            "silver": {source: asdict(row) for source, row in silver_figures.items()},
            "hand": {marks: asdict(hand)},
        }
    console.print(_hand_table(marks, list(pipelines), by_hand))
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def _by_hand(parsers: Sequence[PhraseExtractor], annotated: Sequence[hand_marks.AnnotatedCaption]) -> list[HandFigures]:
    found = [hand_marks.find_spans(parser, annotated) for parser in parsers]
    bare = [_scores(annotated, hand_marks.find_spans(parser, annotated, bare_spans)) for parser in parsers]
    loose = [[hand_marks.score_without_numbers(m, f) for m, f in zip(annotated, spans, strict=True)] for spans in found]
    ours = [_scores(annotated, spans) for spans in found]
    return [_hand(*row, bare[-1]) for row in zip(ours, loose, bare, strict=True)]


def _scores(annotated: Sequence[hand_marks.AnnotatedCaption], found: Sequence[Spans]) -> list[Counts]:
    return [hand_marks.score(item, spans) for item, spans in zip(annotated, found, strict=True)]


def _hand(
    ours: Sequence[Counts], loose: Sequence[Counts], bare: Sequence[Counts], theirs: Sequence[Counts]
) -> HandFigures:
    counts = total(ours)
    low, high = hand_marks.difference_interval(ours, theirs)
    return HandFigures(
        len(ours),
        counts.f1,
        counts.right / max(counts.predicted, 1),
        counts.right / max(counts.expected, 1),
        total(loose).f1,
        total(bare).f1,
        counts.f1 - total(theirs).f1,
        low,
        high,
    )


def _silver_table(name: str, by_source: dict[str, Figures]) -> Table:
    table = Table("source", *(field.replace("_", " ") for field in Figures.__dataclass_fields__), title=name)
    for source, row in by_source.items():
        captions, *shares = asdict(row).values()
        table.add_row(source, str(captions), *(f"{share:.4f}" for share in shares))
    return table


def _hand_table(marks: str, names: Sequence[str], rows: Sequence[HandFigures]) -> Table:
    table = Table("pipeline", *HandFigures.__dataclass_fields__, title=f"captions marked by hand: {marks}")
    for name, row in zip(names, rows, strict=True):
        captions, *shares = asdict(row).values()
        table.add_row(name, str(captions), *(f"{share:.4f}" for share in shares))
    return table
