"""Runs `ground` for benchmarks, in this process or in a subprocess, and measures its rate after models are loaded."""

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
from transforms.images import ImageLimits
from transforms.records import Pair


@contextmanager
def on_cores(number: int) -> Iterator[None]:
    """Pins this process to `number` of its cores, with as many threads of torch. SystemExit if it has fewer cores."""
    before, threads = os.sched_getaffinity(0), torch.get_num_threads()
    if len(before) < number:
        raise SystemExit(f"benchmarks: {number} cores are needed, but only {len(before)} are available")
    try:
        _pin(set(sorted(before)[:number]))
        torch.set_num_threads(number)
        yield
    finally:
        _pin(before)
        torch.set_num_threads(threads)


def _pin(cores: set[int]) -> None:
    for thread in os.listdir("/proc/self/task"):  # existing threads would keep their cores otherwise
        os.sched_setaffinity(int(thread), cores)


def make_config(detector: Mapping[str, Any], chunk_pairs: int) -> dict[str, Any]:
    """Returns a configuration with the embedded parser."""
    return {
        "phrases": {"model": "caption-parser"},
        "detector": {"device": "cpu", **detector},
        "chunk": {"pairs": chunk_pairs},
    }


def ground(config: Mapping[str, Any], inputs: str, output: Path) -> float:
    """Returns pairs per second of a `ground` in this process, without the first chunk, which includes model loading."""
    gritmill.ground(config, inputs=[inputs], output=str(output))
    notes = [note for note in read_timings(output) if not note["first"]]
    return sum(note["pairs"] for note in notes) / sum(note["wall"] for note in notes)


def ground_in_subprocess(config: Mapping[str, Any], inputs: str, output: Path, cores: int, workers: int) -> float:
    """Returns pairs per second of `gritmill ground` on `cores` cores, after all workers made their first commit."""
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
    """Returns the timings that the workers wrote, one per chunk."""
    return [json.loads(path.read_text()) for path in sorted(output.glob("detections/timings/*/*.json"))]


def read_requests(output: Path, wanted: Callable[[Pair], bool]) -> list[Request]:
    """Rebuilds the detector requests of a run over tars from its rows, in order, for wanted pairs with phrases."""
    from pipeline.plan.plan import read_plan
    from pipeline.sources.fetch_images import fetch_images

    folder = str(output / "detections")
    plan = read_plan(folder)
    assert plan is not None
    rows = [pair for pair in read_all(folder) if pair.phrases and wanted(pair)]
    requests = []
    for pair, data in zip(rows, fetch_images(rows, plan.open_source), strict=True):
        assert isinstance(data, bytes)
        requests.append(make_request(replace(pair, data=data), ImageLimits(), normalize))
    return requests


class _RecordingModel:
    """Wraps a detector's model and records its inputs."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.config = model.config
        self.inputs: list[dict[str, Any]] = []

    def __call__(self, **inputs: Any) -> Any:
        self.inputs.append({name: value.clone() for name, value in inputs.items()})
        return self.model(**inputs)


def record_inputs(settings: Mapping[str, Any], requests: Sequence[Request]) -> tuple[Any, list[dict[str, Any]]]:
    """Returns a loaded model and the inputs that `detect` passes to it for these requests, batch by batch."""
    detector = GroundingDino.load(DetectorSettings.model_validate({"device": "cpu", **settings}))
    model, detector.model = detector.model, _RecordingModel(detector.model)
    detector.detect(requests)
    return model, detector.model.inputs
