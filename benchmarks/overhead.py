"""Overhead of `ground`: its rate against a bare loop over the model, and processor time per pair by step."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import inputs, tiny
from benchmarks.figures import Figure, ratio
from benchmarks.grounding import ground, make_config, on_cores, read_requests, record_inputs
from benchmarks.steps import measure_steps, outside_of_forward

PART = "What ground adds to its model"


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Measures the rates on two cores and the steps on one."""
    pictures = inputs.photos(photos, 40)
    large = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    small = "scene-grounder", inputs.scenes(1536), 256, work / "overhead/small", 4
    with on_cores(2):
        rates = {
            "tiny, two cores": _measure_rates(
                large, inputs.four_by_three(photos, 12), 4, work / "overhead/tiny", 2, threads=2
            ),
            "small, two cores, one thread": _measure_rates(*small, threads=1),
            "small, two cores, two threads": _measure_rates(*small, threads=2),
        }
        figures = [each.figure(name, "0.95" if "tiny" in name else "0.80") for name, each in rates.items()]
        _, one, two = rates.values()
        figures.append(_share_of_bound(one, two, work / "overhead/small"))
    with on_cores(1):
        return figures + measure_steps(PART, large, inputs.photos(photos, 120), work / "overhead/steps")


@dataclass
class _Rates:
    """Pairs per second of `ground` and of a bare loop over its model, per round. loop_ms: processor time per pair."""

    ground: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    loop_ms: list[float] = field(default_factory=list)

    def figure(self, name: str, goal: str) -> Figure:
        """The row that divides one by the other."""
        detail = f"{statistics.median(self.ground):.3g} and {statistics.median(self.loop):.3g} pairs/s"
        detail += f"; the loop takes {statistics.median(self.loop_ms):.3g} ms of processor time per pair"
        what = f"ground over a bare loop over its model, {name}"
        return Figure(PART, what, ratio(self.ground, self.loop), goal, detail)


def _measure_rates(
    model: str, pictures: Sequence[inputs.Photo], chunk_pairs: int, folder: Path, rounds: int, threads: int
) -> _Rates:
    """Measures `ground` from its second chunk on, and the model alone on the same batches, each with `threads`."""
    tars = inputs.write_tars(pictures, folder / "in")
    detector = {"model": model, "threads": threads, "batch": 4}
    config, folder = make_config(detector, chunk_pairs), folder / str(threads)
    ground(config, tars, folder / "first")
    requests = read_requests(folder / "first", lambda pair: pair.index >= chunk_pairs)
    loaded, batches = record_inputs(detector, requests)
    rates, pairs = _Rates(), len(pictures) - chunk_pairs
    for number in range(rounds):
        for way in ("loop", "ground") if number % 2 else ("ground", "loop"):
            if way == "loop":
                torch.set_num_threads(threads)
                wall, spent = _time_loop(loaded, batches)
                rates.loop.append(pairs / wall)
                rates.loop_ms.append(spent / pairs * 1000)
            else:
                rates.ground.append(ground(config, tars, folder / f"out-{number}"))
    return rates


def _share_of_bound(one: _Rates, two: _Rates, folder: Path) -> Figure:
    """Divides the rate with two threads by that of two cores which do nothing but the work of one thread."""
    inside = statistics.median(one.loop_ms)
    outside = outside_of_forward("scene-grounder", str(folder / "in/*.tar"), folder / "stub")
    bound = 2000 / (inside + outside)
    detail = f"calculated: {inside:.1f} ms of processor time per pair in the forward of one thread, {outside:.1f} ms"
    return Figure(
        PART,
        "ground over the most that two cores can do, small, two threads",
        f"{statistics.median(two.ground) / bound:.2f}",
        "",
        f"{detail} outside of it: {bound:.3g} pairs/s",
    )


def _time_loop(model: Any, batches: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Returns seconds, and seconds of processor time."""
    started, spent = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        for batch in batches:
            model(**batch)
    return time.perf_counter() - started, time.process_time() - spent
