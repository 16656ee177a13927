"""Runs of `ground` for benchmarks, in this process or as a program, and their rate once models are loaded."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import gritmill
from pipeline.tables.detections import read_all
from transforms.detectors.base import Request
from transforms.detectors.candidates import make_request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.grounding_dino.prompts import normalize
from transforms.detectors.settings import DetectorSettings
from transforms.images import MAX_PIXELS
from transforms.records import Pair


@contextmanager
def on_cores(number: int) -> Iterator[None]:
    """The block runs on so many of this process's cores, with as many threads of torch; SystemExit if it has fewer."""
    before, threads = os.sched_getaffinity(0), torch.get_num_threads()
    if len(before) < number:
        raise SystemExit(f"benchmarks: {number} cores are needed, and there are {len(before)}")
    try:
        _pin(set(sorted(before)[:number]))
        torch.set_num_threads(number)
        yield
    finally:
        _pin(before)
        torch.set_num_threads(threads)


def _pin(cores: set[int]) -> None:
    for thread in os.listdir("/proc/self/task"):  # threads that are there already keep their cores otherwise
        os.sched_setaffinity(int(thread), cores)


def make_config(detector: Mapping[str, Any], chunk_pairs: int) -> dict[str, Any]:
    """A configuration with the embedded parser."""
    return {
        "phrases": {"model": "caption-parser"},
        "detector": {"device": "cpu", **detector},
        "chunk": {"pairs": chunk_pairs},
    }


def ground(config: Mapping[str, Any], inputs: str, output: Path) -> float:
    """Pairs a second of a `ground` in this process, without the first chunk, in which models are loaded."""
    gritmill.ground(config, inputs=[inputs], output=str(output))
    notes = [note for note in read_timings(output) if not note["first"]]
    return sum(note["pairs"] for note in notes) / sum(note["wall"] for note in notes)


def ground_in_subprocess(config: Mapping[str, Any], inputs: str, output: Path, cores: int, workers: int) -> float:
    """Pairs a second of `gritmill ground` on so many cores: from the first commit of the last worker that began, on."""
    output.mkdir(parents=True)
    (output / "config.json.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "gritmill", "ground", str(output / "config.json.yaml"), "--quiet"]
    command += ["--input", inputs, "--output", str(output / "out"), "--", f"--direct_num_workers={workers}"]
    command += ["--direct_running_mode=multi_processing"]
    cores_used = set(sorted(os.sched_getaffinity(0))[:cores])
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cores_used)
    )
    notes = read_timings(output / "out")
    steady_from = max(note["committed"] for note in notes if note["first"])
    later = [note for note in notes if note["committed"] > steady_from]
    return sum(note["pairs"] for note in later) / (max(note["committed"] for note in later) - steady_from)


def read_timings(output: Path) -> list[dict[str, Any]]:
    """What each chunk's worker noted of its time."""
    return [json.loads(path.read_text()) for path in sorted(output.glob("detections/timings/*/*.json"))]


def read_requests(output: Path, wanted: Callable[[Pair], bool]) -> list[Request]:
    """The detector's requests of a run over tars, in order: the wanted pairs with phrases, rebuilt from their rows."""
    from pipeline.plan.plan import read_plan
    from pipeline.sources.fetch_images import fetch_images

    folder = str(output / "detections")
    plan = read_plan(folder)
    assert plan is not None
    rows = [pair for pair in read_all(folder) if pair.phrases and wanted(pair)]
    requests = []
    for pair, data in zip(rows, fetch_images(rows, plan.open_source), strict=True):
        assert isinstance(data, bytes)
        requests.append(make_request(replace(pair, data=data), MAX_PIXELS, normalize))
    return requests


class _RecordingModel:
    """Stands in for a detector's model: records its inputs and passes the calls on."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.config = model.config
        self.inputs: list[dict[str, Any]] = []

    def __call__(self, **inputs: Any) -> Any:
        self.inputs.append({name: value.clone() for name, value in inputs.items()})
        return self.model(**inputs)


def record_inputs(settings: Mapping[str, Any], requests: Sequence[Request]) -> tuple[Any, list[dict[str, Any]]]:
    """A loaded model and the very inputs that `detect` gives it for these requests, batch by batch."""
    detector = GroundingDino.load(DetectorSettings.model_validate({"device": "cpu", **settings}))
    model, detector.model = detector.model, _RecordingModel(detector.model)
    detector.detect(requests)
    return model, detector.model.inputs
