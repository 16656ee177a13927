"""What `ground` adds to its model: the rate against a bare loop over the model, and processor time a pair by step."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

import gritmill
from benchmarks import inputs, tiny
from benchmarks.figures import Figure
from benchmarks.grounding import ground, on_cores, recorded, requests, settings, timings
from pipeline import detections
from pipeline.detections import ChunkId, Identity
from pipeline.plan import RangeId, read_plan
from pipeline.read_chunks import read_range
from transforms import grounding_dino
from transforms.build_prompts import build_prompts
from transforms.detector import Request
from transforms.drop_lists import drop_heads
from transforms.extract_phrases import load_parser, with_phrases
from transforms.grounding_dino import GroundingDino
from transforms.images import decode
from transforms.localize_phrases import request_for, with_boxes
from transforms.read_boxes import read_boxes
from transforms.records import Chunk, Pair
from transforms.settings import DetectorSettings, PhraseSettings

PART = "What ground adds to its model"
_FEW = 16
_GPU = 12.0
"""Milliseconds a picture of a GPU that is asked about."""


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """The rates on two cores; the steps on one."""
    pictures = inputs.photos(photos, 40)
    large = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    wide = [picture for picture in pictures if inputs.is_wide(picture)]
    with on_cores(2):
        figures = [
            _beside_a_loop("tiny", large, (wide * 8)[:8], 4, 0.95, work),
            _beside_a_loop("small", "scene-grounder", inputs.scenes(1536), 256, 0.80, work),
        ]
    with on_cores(1):
        return figures + _steps(large, inputs.photos(photos, 120), work)


def _beside_a_loop(
    name: str, model: str, pictures: Sequence[inputs.Photo], a_chunk: int, goal: float, work: Path
) -> Figure:
    """Ground's rate from its second chunk on, over that of the model alone on the same batches as tensors."""
    folder = work / "overhead" / name
    tars = inputs.write_tars(pictures, folder / "in")
    config = settings({"model": model, "threads": 2, "batch": 4}, a_chunk)
    ground(config, tars, folder / "first")
    model_loaded, batches = recorded({"model": model, "threads": 2, "batch": 4}, _later(folder / "first", a_chunk))
    rates, loops = [], []
    for number in range(2):
        loops.append(len(pictures[a_chunk:]) / _loop(model_loaded, batches))
        rates.append(ground(config, tars, folder / f"out-{number}"))
    ratios = [rate / loop for rate, loop in zip(rates, loops, strict=True)]
    value = f"{statistics.mean(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    detail = f"{statistics.mean(rates):.3g} and {statistics.mean(loops):.3g} pairs/s"
    return Figure(PART, f"ground over a bare loop over its model, {name}, two cores", value, f"{goal:.2f}", detail)


def _later(output: Path, a_chunk: int) -> list[Request]:
    """What the detector was asked in all chunks but the first."""
    return requests(output, lambda pair: pair.index >= a_chunk)


def _loop(model: Any, batches: Sequence[dict[str, Any]]) -> float:
    started = time.perf_counter()
    with torch.inference_mode():
        for batch in batches:
            model(**batch)
    return time.perf_counter() - started


def _steps(model: str, pictures: Sequence[inputs.Photo], work: Path) -> list[Figure]:
    """Processor time a pair of each step, by its own function on the same pairs; and of a `ground` without model."""
    folder = work / "overhead" / "steps"
    tars = inputs.write_tars(pictures, folder / "in")
    whole = _without_model(model, tars, folder / "out")
    asked, answered = _Timed(len(pictures)), folder / "out"
    plan = read_plan(str(answered / "detections"))
    assert plan is not None
    (identity, *_) = plan.ids()
    chunk = asked.step("read, measure, digest", lambda: _read(plan, identity, folder / "nothing"))
    nlp, heads = load_parser("caption-parser"), drop_heads(PhraseSettings().drop_lists)
    with_phrases(nlp, chunk.pairs, heads)
    pairs = asked.step("phrases", lambda: with_phrases(nlp, chunk.pairs, heads))
    detector = _stubbed(DetectorSettings(model=model, device="cpu", threads=1))
    found = [request_for(pair) for pair in pairs if pair.phrases]
    prompts = asked.step(
        "prompts", lambda: [build_prompts(detector.tokenizer, request.phrases, 256) for request in found]
    )
    images = asked.step("decode", lambda: [decode(request.data) for request in found])
    small = asked.step("resize", lambda: [detector.canvas.tensor(image) for image in images])
    asked.step("normalise", lambda: [detector._normalized([pixels]) for pixels in small])
    outputs = [_output(1, len(packed.prompts[0].ids)) for packed in prompts]
    arrays = [(output.logits[0].numpy(), output.pred_boxes[0].numpy()) for output in outputs]
    boxes = asked.step(
        "read boxes",
        lambda: [
            read_boxes(packed.prompts[0], *array, detector.settings)
            for packed, array in zip(prompts, arrays, strict=True)
        ],
    )
    answers = [grounding_dino.Found(tuple(some), cut) for some, cut in boxes]
    waiting = [pair for pair in pairs if pair.phrases]
    done = asked.step("into the pair", lambda: list(map(with_boxes, waiting, found, answers)))
    asked.step("commit", lambda: _commit(done, folder / "committed"))
    beside = {"read, measure, digest", "decode", "resize", "normalise"}
    serial = sum(spent for step, spent in asked.spent.items() if step not in beside)
    steps = ", ".join(f"{step} {spent:.2f}" for step, spent in asked.spent.items())
    busy = _GPU / (_GPU + serial)
    return [
        Figure(
            PART, "processor time a pair outside of the forward, photos at 800 pixels", f"{whole:.1f} ms", "", steps
        ),
        Figure(
            PART,
            f"share of its time that a GPU of {_GPU:.0f} ms a picture would be busy beside one process",
            f"{busy:.0%}",
            "",
            f"arithmetic: {serial:.1f} ms a pair run before or after the forward; the rest beside it, or on the GPU",
        ),
    ]


class _Timed:
    """Steps with the processor time that each takes a pair, in ms."""

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs
        self.spent: dict[str, float] = {}

    def step(self, name: str, run: Callable[[], Any]) -> Any:
        started = time.process_time()
        result = run()
        self.spent[name] = (time.process_time() - started) / self.pairs * 1000
        return result


def _read(plan: Any, identity: RangeId, folder: Path) -> Chunk:
    return next(iter(read_range(plan, identity, str(folder))))


def _commit(pairs: Sequence[Pair], folder: Path) -> None:
    detections.commit(str(folder), Chunk(0, 0, 0, tuple(pairs)), Identity("", {}, "float32", 4))
    assert (folder / f"{ChunkId(0, 0, 0).stem}.parquet").exists()


def _without_model(model: str, tars: str, output: Path) -> float:
    """Milliseconds of processor time a pair of a `ground` whose model takes next to none, without its start."""
    load = GroundingDino.load
    grounding_dino.GroundingDino.load = _stubbed  # type: ignore[method-assign]
    config = settings({"model": model, "threads": 1, "batch": 4}, 1000)
    spent = []
    try:
        for pairs in (_FEW, _FEW, None):  # the first one warms up; what the start takes is in both others
            started = time.process_time()
            gritmill.ground(
                config, inputs=[tars], output=str(output / str(len(spent)) if pairs else output), limit=pairs
            )
            spent.append(time.process_time() - started)
    finally:
        grounding_dino.GroundingDino.load = load  # type: ignore[method-assign]
    return (spent[2] - spent[1]) / (sum(note["pairs"] for note in timings(output)) - _FEW) * 1000


def _stubbed(settings: DetectorSettings) -> GroundingDino:
    """The detector with a model that answers at once."""
    detector = _LOAD(settings)
    detector.model = _Stub(detector.model.config)
    return detector


_LOAD = GroundingDino.load


class _Stub:
    def __init__(self, config: Any) -> None:
        self.config = config
        self._known: dict[tuple[int, ...], Any] = {}

    def __call__(self, input_ids: torch.Tensor, **_: Any) -> Any:
        shape = tuple(input_ids.shape)
        if shape not in self._known:
            self._known[shape] = _output(*shape)
        return self._known[shape]


def _output(pictures: int, tokens: int) -> Any:
    """900 queries of which some dozen a phrase lie above the floor, as a detector gives for a photo."""
    chance = torch.Generator().manual_seed(tokens)
    logits = torch.randn(pictures, 900, tokens, generator=chance) * 1.5 - 5.5
    return SimpleNamespace(logits=logits, pred_boxes=torch.rand(pictures, 900, 4, generator=chance) * 0.3 + 0.3)
