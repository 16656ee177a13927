"""A measured figure, how rounds are taken so that a busy machine harms both sides alike, and the table of all."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A line of the table.

    part: of the table. what: is measured, and against what. value: with its unit. goal: what was to be reached; empty
    where nothing was. detail: the numbers that the value comes from.
    """

    part: str
    what: str
    value: str
    goal: str = ""
    detail: str = ""


def interleaved_seconds(
    variants: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each way in each round; all ways take their turn in every round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, run in variants.items():
            started = clock()
            run()
            if number:
                seconds[name].append(clock() - started)
    return seconds


def ratio(slow: Sequence[float], fast: Sequence[float]) -> str:
    """How many times as fast: the median over rounds, each compared within itself, with the least and the most."""
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def machine() -> str:
    """Processor, cores at hand and system, in one line."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return f"{(names or [platform.processor()])[0]}, {len(os.sched_getaffinity(0))} cores, {platform.system()}"


def markdown(figures: Sequence[Figure]) -> str:
    """The table, for a page."""
    rows = ["| | | to reach | from |", "| --- | --- | --- | --- |"]
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
