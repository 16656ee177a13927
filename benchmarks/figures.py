"""Measured figures, their table, and interleaved rounds, so that a busy machine slows all variants equally."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A row of the table.

    part: the part of the table. what: what is measured and what it is compared with. value: with its unit. goal: the
    target, empty if there is none. detail: the numbers that the value is computed from.
    """

    part: str
    what: str
    value: str
    goal: str = ""
    detail: str = ""


def interleaved_seconds(
    variants: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
    before: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Returns the seconds of each variant per round. Every round runs all variants. A first round does not count.

    before: called before each variant. Its time does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, run in variants.items():
            before()
            started = clock()
            run()
            if number:
                seconds[name].append(clock() - started)
    return seconds


def with_processor_time(run: Callable[[], object], busy: list[float]) -> Callable[[], None]:
    """Returns `run` as a function that also adds its processor seconds to `busy`, those of a first round included."""

    def timed() -> None:
        started = processor_seconds()
        run()
        busy.append(processor_seconds() - started)

    return timed


def processor_seconds() -> float:
    """Returns the processor seconds of this process and its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def ratio(slow: Sequence[float], fast: Sequence[float]) -> str:
    """Returns the median of the ratios of each round, with the minimum and the maximum."""
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def machine() -> str:
    """Returns processor, number of available cores and operating system, in one line."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return f"{(names or [platform.processor()])[0]}, {len(os.sched_getaffinity(0))} cores, {platform.system()}"


def markdown(figures: Sequence[Figure]) -> str:
    """Returns the table in Markdown."""
    rows = ["| | | target | details |", "| --- | --- | --- | --- |"]
    part = ""
    for figure in figures:
        if figure.part != part:
            rows.append(f"| **{figure.part}** | | | |")
            part = figure.part
        rows.append(f"| {figure.what} | {figure.value} | {figure.goal} | {figure.detail} |")
    return "\n".join(rows)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
