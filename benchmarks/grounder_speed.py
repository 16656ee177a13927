"""Scenes per second of gritmill's detector and of the stock model with the same inputs, on one core.

python benchmarks/grounder_speed.py MODEL FOLDER_OF_TARS
"""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.table import Table

from pipeline.screen import data_console
from training.scene_grounder.tars import Example, read_tars
from transforms.detectors.base import Request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.settings import DetectorSettings

_ROUNDS = 5


def main(
    model: Path,
    scenes: Annotated[Path, typer.Argument(help="Folder of tars.")],
    number: Annotated[int, typer.Option(help="Scenes per round.")] = 60,
    batch: int = 4,
) -> None:
    """Print medians over five rounds that alternate between the two."""
    torch.set_num_threads(1)  # for the bare loop
    detector = GroundingDino.load(DetectorSettings(model=str(model), device="cpu", threads=1, batch=batch))
    examples = list(read_tars(scenes))[:number]
    requests = [_request(example) for example in examples]
    variants: dict[str, Callable[[Sequence[Request]], object]] = {"gritmill": detector.detect, "bare": _bare(detector)}
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for round_number in range(_ROUNDS + 1):
        for name, run in variants.items():
            started = time.perf_counter()
            run(requests)
            if round_number:  # the first one warms up
                rates[name].append(len(requests) / (time.perf_counter() - started))
    table = Table("", "scenes/s", "least", "most", title=f"{len(requests)} scenes, batch {batch}, one thread")
    for name, some in rates.items():
        table.add_row(name, *(f"{value:.1f}" for value in (statistics.median(some), min(some), max(some))))
    data_console().print(table)


def _request(example: Example) -> Request:
    texts = (*(truth.text for truth in example.truths), *example.absent)
    return Request(example.data, example.width, example.height, texts)


def _bare(detector: GroundingDino) -> Callable[[Sequence[Request]], object]:
    """Returns a function that runs one forward per scene, with one joint prompt."""
    tokenizer, rule = detector.tokenizer, detector.resize_rule

    def forward(requests: Sequence[Request]) -> None:
        for request in requests:
            prompt = tokenizer(" . ".join(request.phrases).lower() + " .", return_tensors="pt")
            pixels = rule.to_pixels(request.image, rule.target_size(request.width, request.height))
            with torch.inference_mode(), detector._buffer() as buffer:
                detector.model(pixel_values=buffer.pixel_values([pixels]), **prompt)

    return forward


if __name__ == "__main__":
    typer.run(main)
