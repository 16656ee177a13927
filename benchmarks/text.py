"""Captions a second of `ExtractPhrases`, against bare `nlp.pipe` with the same components: `measure`."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from benchmarks.figures import Figure, in_turn, ratio
from benchmarks.inputs import bundled_captions
from transforms.extract_phrases import ExtractPhrases, drop_heads, load_parser, with_phrases
from transforms.records import Chunk, Pair
from transforms.settings import PhraseSettings

_CHUNK = 256
_CAPTIONS = 2048
_ROUNDS = 7
_GOAL = "at least 0.95"


def measure(work: Path, captions: Path | None) -> list[Figure]:
    """Of each TSV below `captions` (a header, the caption in the last column), or of the bundled scenes' captions.

    The time is this process's own, on one core; the parser is the embedded one.
    """
    return [figure for name, texts in _texts(captions).items() for figure in _figures(name, texts)]


def _texts(captions: Path | None) -> dict[str, list[str]]:
    if captions is None:
        bundled = bundled_captions()
        return {"bundled scenes": (bundled * (_CAPTIONS // len(bundled) + 1))[:_CAPTIONS]}
    lines = {path.stem: path.read_text("utf-8").split("\n")[1:] for path in sorted(captions.glob("*.tsv"))}
    return {name: [line.rpartition("\t")[2] for line in some[:_CAPTIONS]] for name, some in lines.items()}


def _figures(name: str, texts: list[str]) -> list[Figure]:
    chunks = [Chunk(0, 0, number, _pairs(some)) for number, some in enumerate(_batches(texts))]
    seconds = in_turn(_ways(chunks), _ROUNDS, time.process_time)
    rates = {way: len(texts) / median(took) for way, took in seconds.items()}
    detail = ", ".join(f"{way} {rate:.0f} captions/s" for way, rate in rates.items())
    bare = seconds["nlp.pipe"]
    return [
        Figure("Text", f"`{way}` over bare `nlp.pipe`, {name}", ratio(bare, seconds[way]), goal, detail)
        for way, goal in (("with_phrases", _GOAL), ("ExtractPhrases in a pipeline", ""))
    ]


def _ways(chunks: list[Chunk]) -> dict[str, Callable[[], object]]:
    settings = PhraseSettings()
    nlp, heads = load_parser(settings.model), drop_heads(settings.drop_lists)

    def bare() -> None:
        for chunk in chunks:
            for _ in nlp.pipe([pair.caption for pair in chunk.pairs]):
                pass

    def plain() -> None:
        for chunk in chunks:
            with_phrases(nlp, chunk.pairs, heads)

    def pipeline() -> None:
        with beam.Pipeline(runner=FnApiRunner()) as made:  # loading the parser included
            _ = made | beam.Create(chunks) | ExtractPhrases(settings) | beam.Map(lambda chunk: len(chunk.pairs))

    return {"nlp.pipe": bare, "with_phrases": plain, "ExtractPhrases in a pipeline": pipeline}


def _batches(texts: list[str]) -> list[list[str]]:
    return [texts[at : at + _CHUNK] for at in range(0, len(texts), _CHUNK)]


def _pairs(texts: list[str]) -> tuple[Pair, ...]:
    return tuple(Pair(str(number), "", number, text) for number, text in enumerate(texts))
