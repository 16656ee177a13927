"""The forward on a GPU: images per second by batch and precision, stock and optimized, compiled, and as CUDA graphs.

Needs torch and transformers only. Inputs are random and on the device already: no decoding, no transfer.
"""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from statistics import median
from typing import Any

import torch
from transformers import GroundingDinoForObjectDetection

from benchmarks import tiny
from benchmarks.figures import Figure
from transforms import bundled
from transforms.detectors.grounding_dino.optimized import optimize

Run = Callable[[], object]

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
_ON_GPU = DEVICE == "cuda"
CANVAS = (800, 1056) if _ON_GPU else (160, 224)
"""Height and width, of a photo of four to three."""

USUAL_BATCH = 16 if _ON_GPU else 2
"""That of configs/cluster.yaml."""

_MORE_BATCHES = (4, 32) if _ON_GPU else ()
FORWARDS = ("stock", "fast", "fast with the replacements for CPUs")

PRECISIONS = ("float32", "tf32", "float16", "bfloat16") if _ON_GPU else ("float32", "bfloat16")
"""float32: as torch has it by default, with TF32 in convolutions only. tf32: in matrix products too. float16 and
bfloat16: autocast, as with `detector.precision`."""

_NORMALIZATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of the processors of Grounding DINO."""

_SECONDS = 1.5 if _ON_GPU else 0.05
_MIN_ROUNDS, _MAX_ROUNDS, _WARM_ROUNDS = 2, 100, 2
_TOKENS = 14
_CLS, _SEP, _PERIOD, _FIRST_WORD = 101, 102, 1012, 1013
"""Ids of BERT. The embedded detector has few words."""


def eager(model: str, ends: float) -> Iterator[Figure]:
    """Measures each batch and precision, with the stock forward and the optimized one.

    model: `tiny`, `base`, or `small` for the embedded detector. ends: no variant starts after this time, of
    `time.monotonic`.
    """
    part = f"Forward on {device_name()}, {model}"
    models = {}
    for forward in FORWARDS:
        try:
            models[forward] = load(model, forward)
        except Exception as error:
            yield failed(part, forward, error)
    for batch, pictures in ((1, 1), (USUAL_BATCH, USUAL_BATCH), (5, 1), *((more, more) for more in _MORE_BATCHES)):
        size = f"batch {batch}" if batch == pictures else f"{batch} captions of an image"
        for forward, loaded in models.items():
            of_all = batch in (1, USUAL_BATCH)
            if forward != "stock" and batch in _MORE_BATCHES:
                continue
            inputs = random_inputs(batch, pictures, forward)
            for precision in PRECISIONS if of_all else PRECISIONS[:1]:
                what = f"{forward}, {size}, {precision}"
                if forward == FORWARDS[-1] and precision == "bfloat16" and not _ON_GPU:
                    # Autocast on a CPU leaves one factor of `baddbmm_` in float32.
                    yield Figure(part, what, "not measured", "", "without a GPU, autocast is for the other forwards")
                    continue
                if time.monotonic() > ends:
                    yield cut(part, f"{what} and what follows")
                    return
                yield rate(part, what, batch, partial(loaded, **inputs), precision)


def compiled(model: str, ends: float) -> Iterator[Figure]:
    """Measures `torch.compile`: the backbone only, then the whole model. The first call compiles."""
    part = f"torch.compile on {device_name()}, {model}"
    inputs = random_inputs(USUAL_BATCH)
    for precision in (PRECISIONS[0], PRECISIONS[-1]):
        for scope in ("backbone", "whole model"):
            what = f"{scope}, batch {USUAL_BATCH}, {precision}"
            if time.monotonic() > ends:
                yield cut(part, what)
                continue
            started = time.monotonic()
            try:
                torch.compiler.reset()
                loaded = load(model, "stock")
                if scope == "backbone":
                    loaded.model.backbone = torch.compile(loaded.model.backbone, dynamic=False)
                else:
                    loaded = torch.compile(loaded, dynamic=False)
                with torch.inference_mode(), _precision(precision):
                    loaded(**inputs)
                synchronize()
            except Exception as error:
                yield failed(part, what, error)
                continue
            first = f"ready after {time.monotonic() - started:.0f} s; "
            yield rate(part, what, USUAL_BATCH, partial(loaded, **inputs), precision, first)


def graphs(model: str, ends: float) -> Iterator[Figure]:
    """Captures the forward as a CUDA graph, at fixed shapes, and replays it: the backbone, then the whole model.

    A forward that asks the GPU for a value, as a choice by data does, cannot be captured.
    """
    part = f"CUDA graphs on {device_name()}, {model}"
    for scope in ("backbone", "whole model, stock", "whole model, fast"):
        for batch in (1, USUAL_BATCH):
            what = f"{scope}, batch {batch}, float32"
            if time.monotonic() > ends:
                yield cut(part, what)
                continue
            try:
                forward = "fast" if scope.endswith("fast") else "stock"
                loaded, inputs = load(model, forward), random_inputs(batch, forward=forward)
                run: Run = partial(loaded, **inputs)
                if scope == "backbone":
                    run = partial(loaded.model.backbone, inputs["pixel_values"], inputs["pixel_mask"])
                yield rate(part, f"{what}, eager", batch, run)
                if _ON_GPU:
                    yield rate(part, f"{what}, graph", batch, _captured(run))
                else:
                    yield Figure(part, f"{what}, graph", "not measured", "", "CUDA graphs need a GPU")
            except Exception as error:
                yield failed(part, f"{what}, graph", error)


def _captured(run: Run) -> Run:
    """Captures what `run` does on the GPU. The warm-up is on another stream, as torch's documentation asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), torch.inference_mode():
        for _ in range(_WARM_ROUNDS):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.inference_mode():
        run()
    return graph.replay


def load(model: str, forward: str) -> Any:
    """A model on the device, with the `stock` forward, the `fast` one, or with all replacements of that for CPUs."""
    if model == "small":
        loaded: Any = GroundingDinoForObjectDetection.from_pretrained(bundled.model_path("scene-grounder")).eval()
    else:
        loaded = copy.deepcopy(_random(model))
    if forward != "stock":
        optimize(loaded, DEVICE if forward == "fast" else "cpu", normalization=_NORMALIZATION)
    loaded = loaded.to(DEVICE)
    if forward == FORWARDS[-1]:  # its first forward makes the constants of the canvas, on the default device
        with torch.device(DEVICE), torch.inference_mode():
            loaded(**random_inputs(1, forward=forward))
    return loaded


_built: dict[str, Any] = {}


def _random(model: str) -> Any:
    """The model with random weights, which takes seconds to make."""
    if model not in _built:
        _built[model] = tiny.random_model(model)
    return _built[model]


def random_inputs(batch: int, pictures: int = 0, forward: str = "stock") -> dict[str, torch.Tensor]:
    """Pictures of the canvas and prompts of two phrases. pictures: how many differ, if not all. forward: all but the
    stock one get the pictures as bytes, as from the detector."""
    generator = torch.Generator().manual_seed(0)
    if forward == "stock":
        different = torch.randn(pictures or batch, 3, *CANVAS, generator=generator)
    else:
        size = (pictures or batch, *CANVAS, 3)
        different = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)
    pixels = different[torch.arange(batch) % len(different)]
    ids = torch.arange(_FIRST_WORD, _FIRST_WORD + _TOKENS).repeat(batch, 1)
    ids[:, 0], ids[:, _TOKENS // 2], ids[:, -2], ids[:, -1] = _CLS, _PERIOD, _PERIOD, _SEP
    inputs = {
        "pixel_values": pixels,
        "pixel_mask": torch.ones(batch, *CANVAS, dtype=torch.long),
        "input_ids": ids,
        "token_type_ids": torch.zeros_like(ids),
        "attention_mask": torch.ones_like(ids),
    }
    return {name: value.to(DEVICE) for name, value in inputs.items()}


def rate(part: str, what: str, images: int, run: Run, precision: str = "float32", detail: str = "") -> Figure:
    """Images per second of a forward, or the fault that it raises."""
    try:
        with torch.inference_mode(), _precision(precision):
            seconds = _seconds(run)
    except Exception as error:
        return failed(part, what, error)
    memory = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if _ON_GPU else ""
    spread = f"{min(seconds) * 1000:.1f} to {max(seconds) * 1000:.1f} ms a batch, {len(seconds)} rounds"
    return Figure(part, what, f"{images / median(seconds):.4g} images/s", "", f"{detail}{spread}{memory}")


def _seconds(run: Run) -> list[float]:
    """The seconds of each of several rounds, after a warm-up."""
    if _ON_GPU:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(_WARM_ROUNDS):
        run()
    synchronize()
    seconds: list[float] = []
    while len(seconds) < _MIN_ROUNDS or (sum(seconds) < _SECONDS and len(seconds) < _MAX_ROUNDS):
        stop = start_clock()
        run()
        seconds.append(stop()())
    return seconds


def start_clock() -> Callable[[], Callable[[], float]]:
    """Starts a clock of the device. What it returns stops it, and returns a function that returns the seconds between,
    as the device has counted them: it waits for the GPU."""
    if not _ON_GPU:
        started = time.perf_counter()

        def stop_cpu() -> Callable[[], float]:
            seconds = time.perf_counter() - started
            return lambda: seconds

        return stop_cpu
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()

    def stop() -> Callable[[], float]:
        end.record()

        def seconds() -> float:
            end.synchronize()
            return float(begin.elapsed_time(end)) / 1000

        return seconds

    return stop


def synchronize() -> None:
    """Waits for the GPU."""
    if _ON_GPU:
        torch.cuda.synchronize()


def device_name() -> str:
    """The name of the GPU, or `cpu`."""
    return torch.cuda.get_device_name() if _ON_GPU else "cpu"


def failed(part: str, what: str, error: Exception) -> Figure:
    """The row of a variant that raised an exception."""
    if _ON_GPU:
        torch.cuda.empty_cache()
    line = (str(error).strip().splitlines() or [""])[0].replace("|", "/")
    return Figure(part, what, "failed", "", f"{type(error).__name__}: {line[:300]}")


def cut(part: str, what: str) -> Figure:
    """The row of what there was no time for."""
    return Figure(part, what, "not measured", "", "the time of this part was over")


class _precision:
    """Runs the block in a precision."""

    def __init__(self, name: str) -> None:
        self._matmul = "high" if name == "tf32" else "highest"
        half = name in ("float16", "bfloat16")
        self._autocast: Any = torch.autocast(DEVICE, dtype=getattr(torch, name)) if half else nullcontext()

    def __enter__(self) -> None:
        self._before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self._matmul)
        self._autocast.__enter__()

    def __exit__(self, *error: object) -> None:
        self._autocast.__exit__(*error)
        torch.set_float32_matmul_precision(self._before)
