"""The forward and `ground` on a GPU, in eight minutes, without a network: `python -m benchmarks gpu --keep gpu.json`.

The forward needs torch and transformers only, and the clone. What needs more says so in the table: the detector needs
pydantic, xxhash and Pillow; `ground` needs gritmill's dependencies; the script also webdataset.

Each part runs in a process of its own, which is ended when its time is over: a compiler that hangs or a CUDA error that
breaks the process costs one part. Without a GPU, the same program runs in a small form on the CPU.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.figures import Figure

BUDGET = 480.0
"""Seconds of all parts."""

_GRACE = 20.0
"""A part that has not ended so many seconds after its time is ended."""


@dataclass(frozen=True)
class Part:
    """A part: the function that measures it, its model, and its seconds, with the start of its process."""

    function: str
    model: str
    seconds: float


PARTS = (
    Part("eager", "tiny", 75.0),
    Part("detect", "tiny", 60.0),
    Part("ground", "tiny", 75.0),
    Part("script", "tiny", 25.0),
    Part("eager", "base", 65.0),
    Part("graphs", "tiny", 40.0),
    Part("compiled", "tiny", 80.0),
)
"""What matters most comes first. Together with `_GRACE` for the last part, they fit into `BUDGET`."""

SMALL_PARTS = tuple(Part(name, "small", 80.0) for name in ("eager", "detect", "ground", "script", "graphs"))
"""Without a GPU."""


def measure(work: Path, _: Path | None = None) -> Iterator[Figure]:
    """Yields each figure when it is measured."""
    started = time.monotonic()
    ends = started + BUDGET
    work.mkdir(parents=True, exist_ok=True)
    on_gpu = False
    for figure in _run(Part("machine", "", 60.0), work, started + 60.0):
        on_gpu = on_gpu or figure.value == "GPU"
        yield figure
    parts = PARTS if on_gpu else SMALL_PARTS
    due = time.monotonic()
    for part in parts:
        due += part.seconds  # a part that ends early leaves its time to the next ones
        if time.monotonic() > ends - _GRACE:
            yield Figure(_title(part), "all", "not measured", "", f"the {BUDGET:.0f} s of the program were over")
            continue
        yield from _run(part, work, min(due, ends - _GRACE))


def _run(part: Part, work: Path, ends: float) -> Iterator[Figure]:
    """Runs a part in a process of its own. A row says if it failed or was ended."""
    command = [sys.executable, "-m", "benchmarks.gpu", part.function, part.model, str(ends), str(work)]
    yield from run_process(command, _title(part), ends + _GRACE - time.monotonic())


def run_process(command: Sequence[str], title: str, seconds: float) -> Iterator[Figure]:
    """Yields the figures that a process prints, one JSON object a line. After `seconds`, it is ended with all processes
    that it has started."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            env={**os.environ, **offline},
            start_new_session=True,
        )
        ended = threading.Event()

        def end() -> None:
            ended.set()
            _kill(process)

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            assert process.stdout
            for line in process.stdout:
                if line.startswith('{"part": '):  # libraries may print other lines
                    figure = Figure(**json.loads(line))
                    title = figure.part
                    yield figure
            process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
        errors.seek(0)
        last = ([line.strip() for line in errors if line.strip()] or [f"exit status {process.returncode}"])[-1]
        if ended.is_set():
            yield Figure(title, "the rest", "not measured", "", f"ended after {seconds:.0f} s")
        elif process.returncode:
            yield Figure(title, "the rest", "failed", "", last.replace("|", "/")[:300])


def _kill(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _title(part: Part) -> str:
    return " ".join(filter(None, (part.function, part.model)))


def _machine() -> Figure:
    """The machine. Its value is `GPU` or `no GPU`."""
    import torch
    import transformers

    found = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if found else "no GPU: the small form, on the CPU"
    versions = f"torch {torch.__version__}, CUDA {torch.version.cuda}, transformers {transformers.__version__}"
    detail = f"{name}; {versions}; {len(os.sched_getaffinity(0))} cores"
    return Figure("Program for a GPU", "machine", "GPU" if found else "no GPU", "", detail)


def _figures(function: str, model: str, ends: float, work: Path) -> Iterator[Figure]:
    """The figures of a part, in this process. A part whose packages are missing has one row."""
    if function == "machine":
        yield _machine()
        return
    try:
        import torch

        if not torch.cuda.is_available():
            torch.set_num_threads(1)  # with other programs on the cores, threads wait for each other
        if function in ("eager", "compiled", "graphs"):
            from benchmarks import gpu_forward

            yield from getattr(gpu_forward, function)(model, ends)
        else:
            from benchmarks import gpu_ground

            yield from getattr(gpu_ground, function)(work, model, ends)
    except ImportError as error:
        yield Figure(_title(Part(function, model, 0)), "all", "not measured", "", f"{error}; pip install gritmill")


if __name__ == "__main__":
    for measured in _figures(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4])):
        print(json.dumps(asdict(measured)), flush=True)
