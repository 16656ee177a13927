"""Captions per second of the stage `phrases`, compared with bare `nlp.pipe` with the same components."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from benchmarks.figures import Figure, interleaved_seconds, ratio
from benchmarks.grounding import on_cores
from benchmarks.inputs import photos as pictures_of
from benchmarks.inputs import scenes
from pipeline.stages.phrases import Phrases
from pipeline.stages.run_stage import RunStage, StageHandler
from pipeline.stages.runner import StageRunner
from pipeline.tables.detections import open_detections
from transforms.phrases.parser import load_parser
from transforms.records import Chunk, Pair
from transforms.settings import PhraseSettings

_CHUNK = 256
_CAPTIONS = 2048
_ROUNDS = 7
_GOAL = "at least 0.95"


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Measures on the captions of the photos or of the bundled scenes: processor time of this process, on one core."""
    pictures = scenes(100) if photos is None else pictures_of(photos, 120)
    texts = [caption for picture in pictures for caption in picture.captions]
    texts = (texts * (_CAPTIONS // len(texts) + 1))[:_CAPTIONS]
    with on_cores(1):
        return _figures("captions of scenes" if photos is None else "captions of photos", texts)


def _figures(name: str, texts: list[str]) -> list[Figure]:
    chunks = [Chunk(0, 0, number, _pairs(some)) for number, some in enumerate(_batches(texts))]
    seconds = interleaved_seconds(_variants(chunks), _ROUNDS, time.process_time)
    rates = {variant: len(texts) / median(took) for variant, took in seconds.items()}
    detail = ", ".join(f"{variant} {rate:.0f} captions/s" for variant, rate in rates.items())
    bare = seconds["nlp.pipe"]
    return [
        Figure("Text", f"`{variant}` over bare `nlp.pipe`, {name}", ratio(bare, seconds[variant]), goal, detail)
        for variant, goal in (("stage", _GOAL), ("stage in a pipeline", ""))
    ]


def _variants(chunks: list[Chunk]) -> dict[str, Callable[[], object]]:
    stage = Phrases(PhraseSettings())
    nlp, runner = load_parser(stage.settings.model), StageRunner(stage)
    runner.process([Pair("", "", 0, "a dog")])  # loads the parser

    def bare() -> None:
        for chunk in chunks:
            for _ in nlp.pipe([pair.caption for pair in chunk.pairs]):
                pass

    def plain() -> None:
        for chunk in chunks:
            runner.process(chunk.pairs)

    def pipeline() -> None:
        with beam.Pipeline(runner=FnApiRunner()) as beam_pipeline:  # includes loading the parser
            _ = (
                beam_pipeline
                | beam.Create(chunks)
                | RunStage(StageHandler(stage, open_detections("")))
                | beam.Map(lambda chunk: len(chunk.pairs))
            )

    return {"nlp.pipe": bare, "stage": plain, "stage in a pipeline": pipeline}


def _batches(texts: list[str]) -> list[list[str]]:
    return [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]


def _pairs(texts: list[str]) -> tuple[Pair, ...]:
    return tuple(Pair(str(number), "", number, text) for number, text in enumerate(texts))
