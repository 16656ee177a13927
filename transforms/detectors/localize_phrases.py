"""LocalizePhrases: phrases and picture -> candidate boxes, one chunk at a time, through Beam's RunInference."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference

from transforms.detectors.lazy import LazyDetector, Progress
from transforms.detectors.settings import DetectorSettings
from transforms.images import MAX_PIXELS
from transforms.records import Chunk


class GroundingHandler(ModelHandler[Chunk, Chunk, LazyDetector]):
    """A Beam ModelHandler whose example is a whole chunk: batches form inside it, so that they follow from the input.

    Args:
      settings: the detector. max_pixels: pictures with more fail. search_path: folders to look in for a plug-in.
      progress: called while a chunk is worked on, with the number of its pairs that are done.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        max_pixels: int = MAX_PIXELS,
        search_path: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)
        self.settings = settings
        self.max_pixels = max_pixels
        self.search_path = tuple(search_path)
        self.progress = progress

    def load_model(self) -> LazyDetector:
        """Nothing is loaded yet: RunInference calls this in setup, also when no element ever arrives."""
        return LazyDetector(self.settings, self.search_path)

    def run_inference(
        self, batch: Sequence[Chunk], model: LazyDetector, inference_args: dict[str, Any] | None = None
    ) -> list[Chunk]:
        """The chunks with their pairs' boxes."""
        return [self._localize(chunk, model) for chunk in batch]

    def get_num_bytes(self, batch: Sequence[Chunk]) -> int:
        """Encoded image bytes; Beam's default would pickle the batch to count them."""
        return sum(len(pair.data) for chunk in batch for pair in chunk.pairs)

    def get_metrics_namespace(self) -> str:
        """Where Beam puts its counters."""
        return "gritmill"

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        """There are none."""
        if inference_args:
            raise ValueError("GroundingHandler takes no inference arguments")

    def _localize(self, chunk: Chunk, model: LazyDetector) -> Chunk:
        started = time.perf_counter()
        pairs = model.localize(chunk.pairs, self.max_pixels, self.progress, chunk.isolated)
        if self.progress:
            self.progress(0)
        seconds = chunk.timed("boxes", time.perf_counter() - started)
        return replace(chunk, pairs=pairs, detector_info=model.made, seconds=seconds)


@dataclass
class LocalizePhrases(beam.PTransform):
    """Chunks of pairs with phrases and images -> the same chunks with candidate boxes and without images."""

    handler: GroundingHandler

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | RunInference(self.handler)
