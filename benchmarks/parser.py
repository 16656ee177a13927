"""The embedded caption parser beside spaCy's official pipeline: noun phrases that were marked by hand, and speed.

Both run as `ground` runs its parser, with the same rules. The official pipeline is only measured: nothing depends on
it. Each file of marks is read with the TSV of `captions` that has the captions whose checksums it contains.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import spacy.util

from benchmarks import inputs
from benchmarks.figures import Figure, interleaved_seconds, ratio
from benchmarks.grounding import on_cores
from pipeline.stages.phrases import Phrases
from training.caption_parser.hand_marks import MARKS, AnnotatedCaption, find_spans, read_marks, score
from training.caption_parser.spans import Counts, total
from transforms.phrases.noun_phrases import find_phrases
from transforms.phrases.phrase_extractor import PhraseExtractor
from transforms.settings import PhraseSettings

PART = "Caption parser"
OFFICIAL = "en_core_web_sm"
_FILES = ("coco", "web", "test", "dev")
_TOGETHER = ("coco", "web")
_CAPTIONS = 1500  # of each TSV
_ROUNDS = 7


def measure(
    work: Path, photos: Path | None, captions: Path | None = None, official: Path | None = None
) -> list[Figure]:
    """Measures on the captions of TSVs, else on those of the photos or of the bundled scenes, which have no marks.

    captions: a folder with TSVs with a header, the caption last. official: the folder of spaCy's pipeline; None: the
    package, if it is installed.
    """
    rival = str(official) if official else OFFICIAL if spacy.util.is_package(OFFICIAL) else None
    models = {"embedded": PhraseSettings().model} | ({"official": rival} if rival else {})
    parsers = {name: Phrases(PhraseSettings(model=model)).load() for name, model in models.items()}
    tables = sorted(captions.glob("*.tsv")) if captions else []
    figures = [] if rival else [Figure(PART, "official pipeline", "skipped", "", f"no package {OFFICIAL}, no --parser")]
    figures += _quality(parsers, tables)
    with on_cores(1):
        return figures + _speed(parsers, _texts(tables, photos))


def _quality(parsers: Mapping[str, PhraseExtractor], tables: Sequence[Path]) -> list[Figure]:
    figures = []
    counts: dict[str, list[Counts]] = {}
    for name in _FILES:
        marked = _marked(name, tables)
        if marked is None:
            figures.append(Figure(PART, f"noun phrases, {name}", "skipped", "", "no TSV in --captions has them"))
            continue
        counts[name] = [
            total(score(item, spans) for item, spans in zip(marked, find_spans(parser, marked), strict=True))
            for parser in parsers.values()
        ]
        figures.append(_f1(f"{name} ({len(marked)} captions)", "", parsers, counts[name]))
    if counts.keys() >= {*_TOGETHER}:
        both = [total(some) for some in zip(*(counts[name] for name in _TOGETHER), strict=True)]
        figures.append(_f1(" and ".join(_TOGETHER), "at least 0.88", parsers, both))
    return figures


def _marked(name: str, tables: Sequence[Path]) -> list[AnnotatedCaption] | None:
    for table in tables:
        try:
            return read_marks(MARKS / f"{name}.jsonl", table)
        except ValueError:  # the marks are of another table
            continue
    return None


def _f1(what: str, goal: str, names: Mapping[str, object], counts: Sequence[Counts]) -> Figure:
    values = [f"{name} {some.f1:.3f}" for name, some in zip(names, counts, strict=True)]
    return Figure(PART, f"F1 of noun phrases marked by hand, {what}", ", ".join(values), goal)


def _texts(tables: Sequence[Path], photos: Path | None) -> list[str]:
    if tables:
        return [line.rpartition("\t")[2] for table in tables for line in _lines(table)[1 : _CAPTIONS + 1]]
    pictures = inputs.scenes(100) if photos is None else inputs.photos(photos, 120)
    return [caption for picture in pictures for caption in picture.captions]


def _lines(table: Path) -> list[str]:
    return [line for line in table.read_text("utf-8").split("\n") if line]


def _speed(parsers: Mapping[str, PhraseExtractor], texts: list[str]) -> list[Figure]:
    variants: dict[str, Callable[[], object]] = {}
    for name, parser in parsers.items():
        variants[f"{name}, parsing"] = partial(_parse, parser, texts)
        variants[f"{name}, parsing and phrases"] = partial(_find, parser, texts)
    # Processor time, so that other programs on the machine do not count.
    seconds = interleaved_seconds(variants, _ROUNDS, time.process_time)
    figures = []
    for step in ("parsing", "parsing and phrases"):
        took = {name: seconds[f"{name}, {step}"] for name in parsers}
        rates = ", ".join(f"{name} {len(texts) / median(some):.0f}" for name, some in took.items())
        detail = f"captions/s of processor time: {rates}; {len(texts):,} captions"
        value = f"{ratio(took['official'], took['embedded'])} times" if "official" in took else "skipped"
        figures.append(Figure(PART, f"speed over that of the official pipeline, {step}", value, "at least 1.3", detail))
    return figures


def _parse(parser: PhraseExtractor, texts: list[str]) -> None:
    for _ in parser.docs(texts):
        pass


def _find(parser: PhraseExtractor, texts: list[str]) -> None:
    for doc in parser.docs(texts):
        find_phrases(doc, parser.rules)
