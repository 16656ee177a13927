"""Processor time per pair that `ground` spends outside of its model: in total and by step."""

import gc
import time
from collections.abc import Callable, Sequence
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

import gritmill
from benchmarks import inputs
from benchmarks.figures import Figure
from benchmarks.grounding import make_config, read_timings
from pipeline.ground.chunks import read_range
from pipeline.ground.commit_chunk import Provenance, commit_chunk
from pipeline.ids import ChunkId
from pipeline.layout import DETECTIONS
from pipeline.plan.plan import read_plan
from pipeline.stages.base import DetectionsStage
from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from pipeline.tables.detections import open_detections
from transforms.detectors.base import Found, Request
from transforms.detectors.candidates import make_request, with_boxes
from transforms.detectors.grounding_dino.boxes import read_boxes
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.grounding_dino.prompts import PackedPrompts, build_prompts, normalize
from transforms.detectors.settings import DetectorSettings
from transforms.images import ImageLimits, decode
from transforms.records import Chunk, Pair
from transforms.settings import PhraseSettings

_FEW = 16
_GPU_MS = 12.0
"""Milliseconds per picture of the GPU that the estimate assumes."""

_OVERLAPPED = {"read, measure, digest", "decode", "resize", "into a batch"}
"""Steps that run in threads while the model runs, or on the GPU."""


def measure_steps(part: str, model: str, pictures: Sequence[inputs.Photo], work: Path) -> list[Figure]:
    """Measures each step with its function on the same pairs, and a `ground` without model. part: part of the table."""
    tars = inputs.write_tars(pictures, work / "in")
    outside_model = outside_of_forward(model, tars, work / "out")
    timer = _StepTimer(len(pictures))
    pairs = _parse_pairs(timer, work)
    detector = _load_stubbed(DetectorSettings(model=model, device="cpu", threads=1))
    requests = [make_request(pair, ImageLimits(), normalize) for pair in pairs]
    prompts = timer.step("prompts", lambda: [build_prompts(detector.tokenizer, r.phrases, 256) for r in requests])
    _time_pictures(timer, detector, requests)
    answers = _read_answers(timer, detector, prompts)
    done = timer.step("into the pair", lambda: list(map(with_boxes, pairs, requests, answers, repeat(normalize))))
    timer.step("commit", lambda: _commit(done, work / "committed"))
    serial = sum(spent for step, spent in timer.spent.items() if step not in _OVERLAPPED)
    by_step = ", ".join(f"{step} {spent:.2f}" for step, spent in timer.spent.items())
    overlapped = (
        f"calculated: {serial:.1f} ms per pair run before or after the forward; the rest runs next to it, or on the GPU"
    )
    share = f"share of the time that one process would keep a GPU busy, at {_GPU_MS:.0f} ms of the GPU per image"
    return [
        Figure(
            part,
            "processor time per pair outside of the forward, photos at 800 pixels",
            f"{outside_model:.1f} ms",
            "",
            by_step,
        ),
        Figure(part, share, f"{_GPU_MS / (_GPU_MS + serial):.0%}", "", overlapped),
    ]


def _parse_pairs(timer: "_StepTimer", work: Path) -> list[Pair]:
    """Returns the pairs that have phrases."""
    plan = read_plan(str(work / "out/detections"))
    assert plan is not None
    tables = {DETECTIONS: open_detections(str(work / "nothing"))}
    (range_id,) = plan.range_ids()
    chunk = timer.step("read, measure, digest", lambda: next(read_range(plan, range_id, tables, {})))
    stage = StageRunner(Phrases(PhraseSettings()))
    stage.process(chunk.pairs)
    chunk = timer.step("phrases", lambda: stage.run(chunk))
    return [pair for pair in chunk.pairs if pair.phrases]


def _time_pictures(timer: "_StepTimer", detector: GroundingDino, requests: Sequence[Request]) -> None:
    images = timer.step("decode", lambda: [decode(request.data) for request in requests])
    rule = detector.resize_rule
    small = timer.step("resize", lambda: [rule.to_pixels(image, rule.target_size(*image.size)) for image in images])
    with detector._buffer() as buffer:
        timer.step("into a batch", lambda: [buffer.pixel_values([pixels]) for pixels in small])


def _read_answers(timer: "_StepTimer", detector: GroundingDino, prompts: Sequence[PackedPrompts]) -> list[Found]:
    outputs = [_output(1, len(packed.prompts[0].ids)) for packed in prompts]
    raw_outputs = [
        (p.prompts[0], o.logits[0].numpy(), o.pred_boxes[0].numpy()) for p, o in zip(prompts, outputs, strict=True)
    ]
    boxes = timer.step("read boxes", lambda: [read_boxes(*one, detector.settings) for one in raw_outputs])
    return [Found(tuple(some), cut) for some, cut in boxes]


class _StepTimer:
    """Measures the processor time of steps, in ms per pair."""

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs
        self.spent: dict[str, float] = {}

    def step(self, name: str, run: Callable[[], Any]) -> Any:
        gc.collect()
        gc.disable()  # a run freezes imported objects; here a collection would visit all of them
        started = time.process_time()
        result = run()
        self.spent[name] = (time.process_time() - started) / self.pairs * 1000
        gc.enable()
        return result


def _commit(pairs: Sequence[Pair], folder: Path) -> None:
    chunk = Chunk(0, 0, 0, tuple(pairs), rows=tuple(pairs))
    commit_chunk(open_detections(str(folder)), DetectionsStage(), chunk, Provenance("", {}))
    assert (folder / f"{ChunkId(0, 0, 0).stem}.parquet").exists()


def outside_of_forward(model: str, tars: str, output: Path) -> float:
    """Returns ms of processor time per pair of a `ground` with a stub model, without its start-up."""
    load = GroundingDino.load
    GroundingDino.load = _load_stubbed  # type: ignore[method-assign]
    config = make_config({"model": model, "threads": 1, "batch": 4}, 1000)
    spent = []
    try:
        for pairs in (_FEW, _FEW, None):  # the first one warms up; both others include the start-up
            started = time.process_time()
            gritmill.ground(
                config, inputs=[tars], output=str(output / str(len(spent)) if pairs else output), limit=pairs
            )
            spent.append(time.process_time() - started)
    finally:
        GroundingDino.load = load  # type: ignore[method-assign]
    return (spent[2] - spent[1]) / (sum(note["pairs"] for note in read_timings(output)) - _FEW) * 1000


def _load_stubbed(settings: DetectorSettings) -> GroundingDino:
    """Loads the detector with a stub model that returns prepared outputs."""
    detector = _LOAD(settings)
    detector.model = _StubModel(detector.model.config)
    return detector


_LOAD = GroundingDino.load


class _StubModel:
    def __init__(self, config: Any) -> None:
        self.config = config
        self._known: dict[tuple[int, ...], Any] = {}

    def __call__(self, input_ids: torch.Tensor, **_: Any) -> Any:
        shape = tuple(input_ids.shape)
        if shape not in self._known:
            self._known[shape] = _output(*shape, self.config.num_queries)
        return self._known[shape]


def _output(pictures: int, tokens: int, queries: int = 900) -> Any:
    """Returns queries, of which a few dozen per phrase are above the floor, as for a photo."""
    rng = torch.Generator().manual_seed(tokens)
    logits = torch.randn(pictures, queries, tokens, generator=rng) * 1.5 - 5.5
    return SimpleNamespace(logits=logits, pred_boxes=torch.rand(pictures, queries, 4, generator=rng) * 0.3 + 0.3)
