"""The Grounding DINO family of transformers as a `Detector`.

Works with every checkpoint of `GroundingDinoForObjectDetection` and `MMGroundingDinoForObjectDetection`.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor
from transformers.utils.logging import disable_progress_bar

from transforms import bundled
from transforms.detectors.base import Found, Request
from transforms.detectors.batches import BatchItems, PreparedItem, PromptItem, plan_batches, prepare_batches
from transforms.detectors.grounding_dino.boxes import read_boxes
from transforms.detectors.grounding_dino.input_buffer import InputBuffer
from transforms.detectors.grounding_dino.input_size import explain_small, input_sides, least_side
from transforms.detectors.grounding_dino.optimized import optimize
from transforms.detectors.grounding_dino.optimized.modules import image_by_image
from transforms.detectors.grounding_dino.precision import check_cpu
from transforms.detectors.grounding_dino.prompts import CLS, PERIOD, SEP, PackedPrompts, Prompt, build_prompts
from transforms.detectors.grounding_dino.settings import GroundingDinoSettings
from transforms.detectors.resize import ResizeRule
from transforms.devices import pick_device
from transforms.isolation.bisect import run_with_bisection
from transforms.read_ahead import read_ahead
from transforms.records import Box, Fault

_SMALL = 10_000_000
"""A model with fewer parameters computes one batch per thread, because its products are too small to be divided. tiny
has 172 million, and a batch of it needs too much memory."""

_MOST_STREAMS = 8
"""Batches at a time. Python code, about a sixth of a forward pass of the embedded detector, runs in one thread at a
time."""

_LARGE = 1_500_000
"""On a CPU, images with more values in the encoder (locations times channels) pass the model one by one: for tiny those
of more than 530 x 530 pixels. glibc gives blocks of more than 32 MB back to the system at once. The system took 0.77 of
the 6.38 s of a photo of 800 x 1056 pixels in batches of four, and 0.06 of 5.86 s one by one."""


Result = tuple[int, tuple[list[Box], int] | Fault]
"""The index of a request, and for one of its prompts the boxes and the number removed by the cap, or the fault."""


@dataclass(eq=False)
class GroundingDino:
    """A loaded model on its device.

    takes_bytes: whether the model normalises its images itself. threads: of the processor, for each forward pass.
    streams: forward passes that may run at the same time. Other work runs next to them.
    """

    model: Any
    tokenizer: Any
    resize_rule: ResizeRule
    settings: GroundingDinoSettings
    device: str
    takes_bytes: bool
    threads: int
    streams: int = 1
    progress: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        self._config = self.model.config.to_dict()
        self._free: SimpleQueue[InputBuffer] = SimpleQueue()
        for _ in range(self.streams):
            self._free.put(InputBuffer(self.resize_rule, self.device, self.takes_bytes))

    @classmethod
    def load(cls, settings: GroundingDinoSettings) -> "GroundingDino":
        """Loads an embedded model, a folder or a hub id. Accepts only safetensors and no remote code.

        Raises:
          ValueError: the device does not support the precision, or the fast forward does not support the installed
            version of transformers.
          OSError: there is no such model.
        """
        device = pick_device(settings.device)
        if device == "cpu" and settings.precision != "float32":
            check_cpu(settings)
        disable_progress_bar()  # for loading weights: workers print nothing
        path = bundled.model_path(settings.model)
        with _torch_threads(settings.threads):
            model = AutoModelForZeroShotObjectDetection.from_pretrained(
                path,
                revision=settings.revision,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
            )
            processor = AutoProcessor.from_pretrained(path, revision=settings.revision, trust_remote_code=False)
            rule = resize_rule(processor.image_processor, settings)
            model = model.to(device).eval()
            fast = settings.forward == "fast"
            threads, streams = settings.threads or torch.get_num_threads(), 1
            if device == "cpu" and fast and sum(map(torch.numel, model.parameters())) < _SMALL:
                threads, streams = 1, min(threads, _MOST_STREAMS)
            takes_bytes = fast and optimize(model, device, settings.precision, (rule.mean, rule.std))
        return cls(model, processor.tokenizer, rule, settings, device, takes_bytes, threads, streams)

    @property
    def limit(self) -> int:
        """Maximum number of tokens in a prompt."""
        return int(self.model.config.max_text_len)

    @property
    def made(self) -> dict[str, Any]:
        """What the detector ran on: device, CPU threads, kind of forward."""
        device = self.device.partition(":")[0]
        return {"device": device, "threads": self.threads * self.streams, "forward": self.settings.forward}

    def detect(self, requests: Sequence[Request]) -> list[Found]:
        """The boxes of every request. Batches contain images of equal size, in the order of the requests."""
        prompts = self._prompts(requests)
        results: list[Result] = []
        prepared = prepare_batches(requests, self._planned(requests, prompts), self.resize_rule)
        with closing(prepared) as batches, _torch_threads(self.threads):
            for of_batch in self._run_all(batches):
                results += of_batch
                if self.progress:
                    self.progress(len({number for number, _ in results}))  # a request can have several prompts
        return _merge_results(prompts, results)

    def batches(self, requests: Sequence[Request]) -> list[BatchItems]:
        """The batches of the requests: prompts with images of equal size, in the order of the requests."""
        return self._planned(requests, self._prompts(requests))

    def run_batch(self, requests: Sequence[Request], batch: BatchItems) -> list[Result]:
        """The results of a batch or of a part of a batch."""
        prepared = prepare_batches(requests, [batch], self.resize_rule)
        with closing(prepared) as batches, _torch_threads(self.threads):
            return [result for one in batches for result in self._run_prepared(one)]

    def merge(self, requests: Sequence[Request], results: Iterable[Result]) -> list[Found]:
        """One answer per request, from the results of all batches."""
        return _merge_results(self._prompts(requests), results)

    def _prompts(self, requests: Sequence[Request]) -> list[PackedPrompts]:
        return [build_prompts(self.tokenizer, request.phrases, self.limit) for request in requests]

    def _planned(self, requests: Sequence[Request], prompts: Iterable[PackedPrompts]) -> list[BatchItems]:
        of_requests = (packed.prompts for packed in prompts)
        return plan_batches(requests, of_requests, self.resize_rule, self.settings.batch)

    def _run_all(self, batches: Iterable[Sequence[tuple[PromptItem, np.ndarray | Fault]]]) -> Iterator[list[Result]]:
        """Yields the results of each batch, in order."""
        if self.streams == 1:
            yield from map(self._run_prepared, batches)  # in this thread: each thread has its own team of torch threads
            return
        ahead = read_ahead(batches, self._run_prepared, threads=self.streams, ahead=self.streams, name="forward")
        yield from (results for _, results in ahead)

    def _run_prepared(self, batch: Sequence[tuple[PromptItem, np.ndarray | Fault]]) -> list[Result]:
        faults = [(item.request, picture) for item, picture in batch if isinstance(picture, Fault)]
        ready = [(item, picture) for item, picture in batch if not isinstance(picture, Fault)]
        one_by_one = bool(ready) and self._one_by_one(*ready[0][1].shape[:2])
        results: list[Any] = []
        with image_by_image() if one_by_one else nullcontext():
            for part in [[one] for one in ready] if one_by_one else [ready]:
                results += run_with_bisection(part, self._forward, self._probe)
        return [*faults, *zip((item.request for item, _ in ready), results, strict=True)]

    def _one_by_one(self, height: int, width: int) -> bool:
        locations = height * width / 48  # maps of 1/8 of the sides, 1/16, ...
        fast_on_cpu = self.device == "cpu" and self.settings.forward == "fast"
        return fast_on_cpu and locations * self.model.config.d_model > _LARGE

    def _forward(self, batch: Sequence[PreparedItem]) -> list[tuple[list[Box], int]]:
        """The boxes and the number removed by the cap, per item; raises `NotFiniteError` if an output is not finite, or
        ValueError if the input is too small."""
        height, width = batch[0][1].shape[:2]
        if problem := explain_small(self._config, width, height):
            raise ValueError(problem)
        prompts = [item.prompt for item, _ in batch]
        ids = pad_sequence([torch.tensor(prompt.ids) for prompt in prompts], batch_first=True)
        mask = pad_sequence([torch.ones(len(prompt.ids), dtype=torch.long) for prompt in prompts], batch_first=True)
        with self._buffer() as buffer, torch.inference_mode(), self._autocast():
            output = self.model(
                pixel_values=buffer.pixel_values([picture for _, picture in batch]),
                input_ids=ids.to(self.device),
                token_type_ids=torch.zeros_like(ids, device=self.device),
                attention_mask=mask.to(self.device),
            )
        logits = output.logits.float().cpu().numpy()
        boxes = output.pred_boxes.float().cpu().numpy()
        return [read_boxes(prompt, logits[row], boxes[row], self.settings) for row, prompt in enumerate(prompts)]

    @contextmanager
    def _buffer(self) -> Iterator[InputBuffer]:
        """Waits for a buffer that no other forward pass uses. There is one for each stream."""
        buffer = self._free.get()
        try:
            yield buffer
        finally:
            self._free.put(buffer)

    def _autocast(self) -> Any:
        if self.settings.precision == "float32" or self.device == "cpu":  # on a CPU, `optimize` converted the model
            return nullcontext()
        return torch.autocast(self.device.partition(":")[0], dtype=getattr(torch, self.settings.precision))

    def _probe(self) -> None:
        """Runs a grey image and one word. If this fails as well, no pair is at fault."""
        side = max(self.resize_rule.step * 2, least_side(self._config, self.resize_rule.step))
        word = self.tokenizer("thing", add_special_tokens=False)["input_ids"][:1]
        prompt = Prompt((CLS, *word, PERIOD, SEP), (0,), ((1, 1 + len(word)),))
        pixels = self.resize_rule.to_pixels(Image.new("RGB", (side, side), (128, 128, 128)), (side, side))
        with self._buffer() as buffer:
            buffer.free()
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        self._forward([(PromptItem(0, prompt), pixels)])


_turn = threading.RLock()


@contextmanager
def _torch_threads(number: int | None) -> Iterator[None]:
    """Torch uses so many threads meanwhile, afterwards as many as before: a user may use it, too. None: as many.

    MKL and new threads have one number in a process. Two calls at a time would change it for each other and leave it
    changed, so all detectors of a process take turns.
    """
    with _turn:
        before = torch.get_num_threads()
        torch.set_num_threads(number or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _merge_results(prompts: Sequence[PackedPrompts], results: Iterable[Result]) -> list[Found]:
    found = [Found(dropped=packed.dropped) for packed in prompts]
    for number, result in results:
        one = found[number]
        if isinstance(result, Fault):
            found[number] = replace(one, boxes=(), cut=0, error=one.error or result)
        elif not one.error:
            boxes = sorted((*one.boxes, *result[0]), key=lambda box: (box.phrase, -box.score))
            found[number] = replace(one, boxes=tuple(boxes), cut=one.cut + result[1])
    return found


def resize_rule(processor: Any, settings: GroundingDinoSettings) -> ResizeRule:
    """The resize rule from the model's own image processor and the settings, which take precedence."""
    short, long = input_sides(settings, dict(processor.size))
    mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    reduced = settings.decode == "fast"
    return ResizeRule(short, long, settings.canvas_step, int(processor.resample), mean, std, reduced)
