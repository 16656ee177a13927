"""Captions per second of two spaCy pipelines in one process: `taskset -c 0 python benchmarks/parser_speed.py …`.

The pipelines run alternately. The program prints their median rates and the ratio. The lemmatizers are excluded,
because noun phrases do not need them.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import time
from pathlib import Path
from typing import Annotated

import spacy
import typer
from rich.progress import track
from spacy.language import Language


def main(
    ours: Annotated[Path, typer.Argument(help="Folder of a pipeline.", exists=True)],
    theirs: Annotated[Path, typer.Argument(help="Folder of the pipeline to compare with.", exists=True)],
    captions: Annotated[list[Path], typer.Argument(help="TSVs with a header, caption last.", exists=True)],
    rounds: Annotated[int, typer.Option(help="Number of rounds over all captions.")] = 7,
    limit: Annotated[int, typer.Option(help="Maximum number of captions per file.")] = 1500,
) -> None:
    """Measure both pipelines."""
    texts = [text for path in captions for text in _captions(path)[:limit]]
    pipelines = [spacy.load(path, exclude=["lemmatizer"]) for path in (ours, theirs)]
    for nlp in pipelines:
        _seconds(nlp, texts[:200])
    pairs = [[_seconds(nlp, texts) for nlp in pipelines] for _ in track(range(rounds), "measuring")]
    for path, seconds in zip((ours, theirs), zip(*pairs, strict=True), strict=True):
        print(f"{path}: {len(texts) / statistics.median(seconds):.0f} captions per second")
    ratios = [theirs_took / ours_took for ours_took, theirs_took in pairs]
    print(f"ratio: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


def _captions(path: Path) -> list[str]:
    return [line.rpartition("\t")[2] for line in path.read_text("utf-8").splitlines()[1:]]


def _seconds(nlp: Language, texts: list[str]) -> float:
    # Processor time, so that other programs on the machine do not count.
    started = time.process_time()
    for _ in nlp.pipe(texts):
        pass
    return time.process_time() - started


if __name__ == "__main__":
    typer.run(main)
