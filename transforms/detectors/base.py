"""What a detector is: what it is asked, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from PIL import Image

from transforms import images
from transforms.records import Box, Drop, Fault


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


def probe_request() -> Request:
    """A grey picture and one word: if a detector fails on this too, no pair is at fault."""
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
