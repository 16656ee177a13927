"""What a detector is, and how the one that the configuration names is loaded.

A detector of your own is a factory `package.module:factory` that takes `DetectorSettings` and returns a `Detector`.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Protocol

from PIL import Image

from transforms import images
from transforms.images import ImageFault
from transforms.records import Box, Drop, Fault, Stage
from transforms.settings import DetectorSettings


@dataclass(frozen=True)
class Request:
    """One picture and the phrases to look for in it.

    data: the encoded image. width, height: pixels as a person sees the picture. phrases: distinct, as in the caption.
    """

    data: bytes = field(repr=False)
    width: int
    height: int
    phrases: tuple[str, ...]
    max_pixels: int = images.MAX_PIXELS

    @property
    def image(self) -> Image.Image:
        """The picture, RGB and upright, decoded anew at each use: a chunk of them would not fit into memory.

        Raises:
          ImageFault: it cannot be decoded.
        """
        return images.decode(self.data, self.max_pixels)


def probe() -> Request:
    """A grey picture and one word: if a detector fails on this too, no pair is to blame."""
    target = BytesIO()
    Image.new("RGB", (64, 64), (128, 128, 128)).save(target, "PNG")
    return Request(target.getvalue(), 64, 64, ("thing",))


@dataclass(frozen=True)
class Found:
    """What a detector says of one request.

    boxes: `Box.phrase` is the number of the request's phrase. cut: boxes above the floor that the cap cut off.
    dropped: phrases that the detector could not be asked for. error: set if the pair, and it alone, failed.
    """

    boxes: tuple[Box, ...] = ()
    cut: int = 0
    dropped: dict[int, Drop] = field(default_factory=dict)
    error: Fault | None = None


class Detector(Protocol):
    """Finds phrases in pictures."""

    def detect(self, requests: Sequence[Request]) -> Sequence[Found | Sequence[Box]]:
        """One answer a request, in order: a `Found`, or just its boxes.

        Called with the requests of a whole chunk, from one thread at a time. An exception is bisected to the request
        that causes it. A request's answer must not depend on its neighbours.
        """
        ...


class Sound:
    """A detector of one's own, asked only about pictures that decode in full: it need not look at them at all."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._last: tuple[bytes, Fault | None] = b"", None

    @property
    def made(self) -> dict[str, Any]:
        """What the detector says of itself, if it does."""
        return dict(getattr(self._detector, "made", {}))

    def detect(self, requests: Sequence[Request]) -> Sequence[Found | Sequence[Box]]:
        """The detector's answers; an error for a picture that is cut or broken."""
        faults = [self._fault(request) for request in requests]
        sound = [request for request, fault in zip(requests, faults, strict=True) if fault is None]
        answers = list(self._detector.detect(sound)) if sound else []
        if len(answers) != len(sound):
            raise ValueError(f"the detector gave {len(answers)} answers to {len(sound)} requests")
        following = iter(answers)
        return [Found(error=fault) if fault else next(following) for fault in faults]

    def _fault(self, request: Request) -> Fault | None:
        if self._last[0] is not request.data:  # captions of one image share its bytes and follow one another
            try:
                _ = request.image
                self._last = request.data, None
            except ImageFault as fault:
                self._last = request.data, Fault.of(Stage.IMAGE, fault.reason, str(fault))
        return self._last[1]


def is_factory(model: str) -> bool:
    """Whether `detector.model` names a factory rather than a hub id or a folder."""
    module, colon, name = model.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def find_factory(model: str, search: Sequence[str] = ()) -> Callable[[DetectorSettings], Detector]:
    """The factory that `package.module:factory` names. `search`: folders to look in after everything installed.

    Raises:
      ValueError: there is no such module, or no such callable in it.
    """
    # Appended, not put first: somebody's own transforms.py in that folder must not hide ours.
    sys.path.extend(folder for folder in search if folder not in sys.path)
    module, _, name = model.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"detector.model: {model} cannot be loaded: {error}") from error
    if not callable(factory):
        raise ValueError(f"detector.model: {model} is not callable")
    found: Callable[[DetectorSettings], Detector] = factory
    return found


def load_detector(settings: DetectorSettings, search: Sequence[str] = ()) -> Detector:
    """The detector that the settings name, loaded and on its device."""
    if is_factory(settings.model):
        factory = find_factory(settings.model, search)
        try:
            return factory(settings)
        except Exception as error:
            raise ValueError(f"detector.model: {settings.model}: {type(error).__name__}: {error}") from error
    from transforms.detectors.grounding_dino.model import (
        GroundingDino,  # transformers takes seconds to import: not before it is needed
    )

    return GroundingDino.load(settings)
