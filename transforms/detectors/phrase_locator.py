"""Adds candidate boxes to pairs with phrases and images, with a detector."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from transforms.detectors.base import Found, Request, probe_request
from transforms.detectors.candidates import Normalize, make_request, with_boxes
from transforms.detectors.check_answers import check_answers
from transforms.detectors.load import find_family, load_detector
from transforms.detectors.settings import DetectorSettings
from transforms.images import DEFAULT_LIMITS, ImageLimits
from transforms.models import Batched
from transforms.plugins import check_json_object
from transforms.records import Box, Pair
from transforms.settings import Ask


@dataclass(eq=False)
class PhraseLocator:
    """A `Model` whose rows are pairs with boxes and without their images. Its input pairs must have phrases.

    floor: candidates with a lower score are removed. limits: of the images.
    normalize: of phrases with equal results, only the first is sent to the detector. ask: which words of a phrase are.
    loaded: what the detector is shared by; see `load_locator`.
    """

    detector: Any
    floor: float
    limits: ImageLimits
    normalize: Normalize
    ask: Ask = "chunk"
    progress: Callable[[int], None] | None = None
    loaded: "_Loaded | None" = None

    @property
    def recorded(self) -> dict[str, Any]:
        """The detector's `made` (device, threads and so on), or an empty dict."""
        return check_json_object(getattr(self.detector, "made", {}), "the detector's made")

    def process(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs with their boxes; raises WrongAnswer if an answer of the detector is not valid."""
        if hasattr(self.detector, "progress"):
            self.detector.progress = self.progress
        requests = self.requests(pairs)
        return self.located(pairs, requests, self.detector.detect(requests))

    def probe(self) -> object:
        """Looks for one word in a grey image."""
        request = probe_request()
        return check_answers(self.detector.detect([request]), [request], self.floor)

    def requests(self, pairs: Sequence[Pair]) -> list[Request]:
        """The requests for the pairs."""
        return [make_request(pair, self.limits, self.normalize, self.ask) for pair in pairs]

    def located(
        self, pairs: Sequence[Pair], requests: Sequence[Request], answers: Sequence[Found | Sequence[Box]]
    ) -> list[Pair]:
        """The pairs with the boxes of the checked answers."""
        checked = check_answers(answers, requests, self.floor)
        return [with_boxes(*each, self.normalize, self.ask) for each in zip(pairs, requests, checked, strict=True)]


class BatchedPhraseLocator(PhraseLocator):
    """A `PhraseLocator` for a detector that is `Batched`; it is `Batched` itself."""

    def batches(self, pairs: Sequence[Pair]) -> Sequence[Sequence[Any]]:
        """The detector's batches for the pairs."""
        return self.detector.batches(self.requests(pairs))  # type: ignore[no-any-return]

    def run_batch(self, pairs: Sequence[Pair], batch: Sequence[Any]) -> list[tuple[int, Any]]:
        """The detector's results for the batch."""
        return self.detector.run_batch(self.requests(pairs), batch)  # type: ignore[no-any-return]

    def merge(self, pairs: Sequence[Pair], results: Sequence[tuple[int, Any]]) -> list[Pair]:
        """The pairs with the boxes from all batches."""
        requests = self.requests(pairs)
        return self.located(pairs, requests, self.detector.merge(requests, results))


def load_locator(
    settings: DetectorSettings,
    limits: ImageLimits = DEFAULT_LIMITS,
    search_path: Sequence[str] = (),
    ask: Ask = "chunk",
) -> PhraseLocator:
    """Loads the detector that the settings name, unless another locator of this process has it: the stages of boxes and
    of decoys use one. It is freed with the last locator.

    search_path: folders to search for your own detector. ask: which words of a phrase it looks for.
    """
    key = "\n".join((settings.model_dump_json(), *search_path))
    with _loading:
        loaded = _detectors.get(key)
        if loaded is None:
            loaded = _detectors[key] = _Loaded(load_detector(settings, search_path))
    kind = BatchedPhraseLocator if isinstance(loaded.detector, Batched) else PhraseLocator
    return kind(loaded.detector, settings.floor, limits, find_family(settings).normalize, ask, loaded=loaded)


@dataclass(eq=False)
class _Loaded:
    """Holds a detector, because not every detector can be weakly referenced."""

    detector: Any


_detectors: WeakValueDictionary[str, _Loaded] = WeakValueDictionary()
_loading = threading.Lock()
