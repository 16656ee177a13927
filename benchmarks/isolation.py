"""What a model costs more in a child process, as it runs on an engine: processor time of both processes."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import inputs, tiny
from benchmarks.figures import Figure, interleaved_seconds, ratio
from pipeline.stages.boxes import Boxes
from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from transforms.detectors.settings import DetectorSettings
from transforms.images import measure as size_of
from transforms.isolation.child_process import ChildProcess
from transforms.isolation.isolated_model import ModelProcess
from transforms.records import ImageRef, Pair
from transforms.settings import PhraseSettings

PART = "Models in a child process"
_TICKS = os.sysconf("SC_CLK_TCK")


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Measures tiny, and a detector that costs almost nothing, to see the transfer."""
    pictures = inputs.photos(photos, 40)
    model = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    pairs = _pairs(inputs.four_by_three(photos, 2))
    here, child = _seconds(model, pairs, rounds=3)
    detail = f"{sum(child) / len(child) / 2:.3g} and {sum(here) / len(here) / 2:.3g} s of processor time per pair"
    figures = [Figure(PART, "the boxes of tiny in a child over in the worker", ratio(child, here), "1.02", detail)]
    return [*figures, _transfer(_pairs(inputs.photos(photos, 200)))]


def _transfer(pairs: Sequence[Pair]) -> Figure:
    """What it costs to send pairs with images to a process, and rows with candidate boxes back."""
    rows = _runner("benchmarks.candidates:make", None).process(pairs)
    child = ChildProcess()
    child.call(_keep, rows)
    work = {"call": lambda: child.call(_answer, pairs)}
    seconds = interleaved_seconds(work, 15, lambda: time.process_time() + _processor_seconds(child))["call"]
    child.close()
    spent = sorted(one / len(pairs) * 1000 for one in seconds)
    size = sum(len(pair.data) for pair in pairs) / len(pairs) / 1000
    boxes = sum(len(row.boxes) for row in rows) / len(rows)
    value = f"{statistics.median(spent):.2f} ms ({spent[0]:.2f} to {spent[-1]:.2f})"
    detail = f"images of {size:.0f} KB and {boxes:.0f} boxes; the model waits for most of it"
    return Figure(PART, "processor time per pair to send it and to get its row", value, "", detail)


_kept: Sequence[Pair] = ()


def _keep(rows: Sequence[Pair]) -> None:
    global _kept
    _kept = rows


def _answer(_: Sequence[Pair]) -> Sequence[Pair]:
    return _kept


def _pairs(pictures: Sequence[inputs.Photo]) -> list[Pair]:
    """Pairs with phrases, one per picture, as the boxes stage gets them."""
    pairs = []
    for number, picture in enumerate(pictures):
        width, height = size_of(picture.data)
        image = ImageRef("a.tar", number, length=len(picture.data), digest=f"{number:016x}")
        pairs.append(Pair(str(number), "a.tar", number, picture.captions[0], image, picture.data, width=width))
        pairs[-1] = replace(pairs[-1], height=height)
    rows = StageRunner(Phrases(PhraseSettings())).process(pairs)
    return [replace(row, data=pair.data) for row, pair in zip(rows, pairs, strict=True)]


def _runner(model: str, child: ModelProcess | None) -> StageRunner:
    boxes = Boxes(DetectorSettings(model=model, device="cpu", threads=1))
    return StageRunner(boxes, child=child, in_child=child is not None)


def _seconds(model: str, pairs: Sequence[Pair], rounds: int) -> tuple[list[float], list[float]]:
    """Processor seconds of each round: in this process, and in a child."""
    process = ChildProcess()
    runners = {"here": _runner(model, None), "child": _runner(model, ModelProcess(process))}

    def clock() -> float:
        return time.process_time() + (_processor_seconds(process) if process.alive else 0.0)

    def work(runner: StageRunner) -> Callable[[], object]:
        return lambda: runner.process(pairs)

    work(runners["child"])()  # starts the process
    seconds = interleaved_seconds({name: work(runner) for name, runner in runners.items()}, rounds, clock)
    process.close()
    return seconds["here"], seconds["child"]


def _processor_seconds(child: ChildProcess) -> float:
    assert child._process
    fields = Path(f"/proc/{child._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
