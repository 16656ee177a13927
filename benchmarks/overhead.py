"""Overhead of `ground`: its rate against a bare loop over the model, and processor time per pair by step."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import inputs, tiny
from benchmarks.figures import Figure
from benchmarks.grounding import ground, make_config, on_cores, read_requests, record_inputs
from benchmarks.steps import measure_steps
from transforms.detectors.base import Request

PART = "What ground adds to its model"


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Measures the rates on two cores and the steps on one."""
    pictures = inputs.photos(photos, 40)
    large = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    with on_cores(2):
        figures = [
            _compare_with_loop("tiny", large, inputs.four_by_three(photos, 12), 4, 0.95, work, rounds=2),
            _compare_with_loop("small", "scene-grounder", inputs.scenes(1536), 256, 0.80, work, rounds=6),
        ]
    with on_cores(1):
        return figures + measure_steps(PART, large, inputs.photos(photos, 120), work / "overhead/steps")


def _compare_with_loop(
    name: str, model: str, pictures: Sequence[inputs.Photo], chunk_pairs: int, goal: float, work: Path, rounds: int
) -> Figure:
    """Divides the rate of `ground` from its second chunk on by that of the model alone on the same batches."""
    folder = work / "overhead" / name
    tars = inputs.write_tars(pictures, folder / "in")
    config = make_config({"model": model, "threads": 2, "batch": 4}, chunk_pairs)
    ground(config, tars, folder / "first")
    model_loaded, batches = record_inputs(
        {"model": model, "threads": 2, "batch": 4}, _later_requests(folder / "first", chunk_pairs)
    )
    rates, loops = [], []
    for number in range(rounds):
        for way in ("loop", "ground") if number % 2 else ("ground", "loop"):
            if way == "loop":
                loops.append(len(pictures[chunk_pairs:]) / _time_loop(model_loaded, batches))
            else:
                rates.append(ground(config, tars, folder / f"out-{number}"))
    ratios = [rate / loop for rate, loop in zip(rates, loops, strict=True)]
    value = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    detail = f"{statistics.median(rates):.3g} and {statistics.median(loops):.3g} pairs/s"
    return Figure(PART, f"ground over a bare loop over its model, {name}, two cores", value, f"{goal:.2f}", detail)


def _later_requests(output: Path, chunk_pairs: int) -> list[Request]:
    """Returns the detector's requests of all chunks except the first."""
    return read_requests(output, lambda pair: pair.index >= chunk_pairs)


def _time_loop(model: Any, batches: Sequence[dict[str, Any]]) -> float:
    started = time.perf_counter()
    with torch.inference_mode():
        for batch in batches:
            model(**batch)
    return time.perf_counter() - started
