"""Start-up time: calls that print the help, commands that find all work done, and `run` for one pair in a new folder.

Each call is a new process.
"""

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Figure, interleaved_seconds
from transforms import bundled

ROUNDS = 7
_PROGRAM = str(Path(sys.executable).with_name("gritmill"))


def measure(work: Path, _: Path | None = None) -> list[Figure]:
    """Measures the time of the help, the additional time of `ground`, `run` and `pack`, and `run --limit 1`."""
    scenes = ("--input", str(bundled.folder("examples") / "scenes"))
    out = ("--output", str(work / "start"), "--quiet")
    _call("run", "demo", *scenes, *out)()
    commands = {
        "--help": _call("--help"),
        "ground": _call("ground", "demo", *scenes, *out),
        "run": _call("run", "demo", *scenes, *out),
        "pack": _call("pack", "demo", *out),
    }
    processor = interleaved_seconds({"--help": commands["--help"]}, ROUNDS, _processor)["--help"]
    seconds = interleaved_seconds(commands, ROUNDS)
    goals = {"ground": "within 1 s of the help", "run": "within 1 s of the help", "pack": ""}
    return [
        Figure("Start", "`gritmill --help`, processor time", _seconds(processor), "under 0.3 s", _spread(processor)),
        *(_beyond_the_help(name, seconds, goal) for name, goal in goals.items()),
        *_first_pair(scenes, work / "start-first"),
    ]


def _first_pair(scenes: Sequence[str], work: Path) -> list[Figure]:
    """`run` for one pair in a new folder: processor time, and time until its first line."""
    numbers, lines = itertools.count(), []

    def run() -> None:
        started = time.perf_counter()
        words = ("run", "demo", *scenes, "--limit", "1", "--output", str(work / str(next(numbers))))
        with subprocess.Popen(
            [_PROGRAM, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr
            for number, _ in enumerate(process.stderr):
                if not number:
                    lines.append(time.perf_counter() - started)
        if process.returncode:
            raise SystemExit(f"benchmarks: gritmill run ended with status {process.returncode}")

    processor = interleaved_seconds({"run": run}, ROUNDS, _processor)["run"]
    what = "`gritmill run --limit 1` in a new folder"
    return [
        Figure("Start", f"{what}, processor time", _seconds(processor), "under 6 s", _spread(processor)),
        Figure("Start", f"{what}, time until its first line", _seconds(lines[1:]), "under 1 s", _spread(lines[1:])),
    ]


def _beyond_the_help(name: str, seconds: Mapping[str, list[float]], goal: str) -> Figure:
    differences = [mine - help_ for mine, help_ in zip(seconds[name], seconds["--help"], strict=True)]
    medians = f"{_seconds(seconds[name])} against {_seconds(seconds['--help'])}"
    what = f"`gritmill {name}` with nothing left to do, beyond the help"
    return Figure("Start", what, _seconds(differences), goal, f"{medians}; {_spread(differences)}")


def _call(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run([_PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)


def _processor() -> float:
    """Returns the processor seconds of finished child processes, user and system."""
    times = os.times()
    return times.children_user + times.children_system


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} s"


def _spread(values: list[float]) -> str:
    return f"{len(values)} rounds, {min(values):.2f} to {max(values):.2f} s"
