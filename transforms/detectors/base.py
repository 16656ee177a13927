"""What a detector is: what it is asked, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from PIL import Image

from transforms import images
from transforms.records import Box, Drop, Fault


@dataclass(frozen=True)
class Head:
    """The head of a phrase, "dog" in "a brown dog": its text, and character offsets into the phrase, end exclusive."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Request:
    """One picture and the phrases to look for in it.

    data: the encoded image. width, height: pixels as a person sees the picture. phrases: distinct, as in the caption.
    heads: one a phrase, in the same order. caption: where the phrases come from. image_digest: equal for the captions
    of one picture, which follow each other; empty if unknown.
    """

    data: bytes = field(repr=False)
    width: int
    height: int
    phrases: tuple[str, ...]
    max_pixels: int = images.MAX_PIXELS
    heads: tuple[Head, ...] = ()
    caption: str = ""
    image_digest: str = ""

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
    return Request(target.getvalue(), 64, 64, ("thing",), heads=(Head("thing", 0, 5),), caption="thing")


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
    """Finds phrases in pictures. The built-in families and detectors of your own keep the same contract.

    It is called with the requests of a whole chunk, so that it can form batches, and with pieces of one where something
    failed. Captions of one picture follow each other. It is called by one thread at a time, and about pictures that
    decode in full, unless its family says that it takes more (`Family.guarded`).

    Three attributes are optional. `made`, a JSON object: what it ran on, kept with each chunk's rows. `progress`, None
    until gritmill sets it: to be called with the number of requests done so far. `revision`, of the factory: part of
    the fingerprint, if results depend on more than the file that the factory stands in.
    """

    def detect(self, requests: Sequence[Request]) -> Sequence[Found | Sequence[Box]]:
        """One answer a request, in order: a `Found`, or just its boxes.

        `Box.phrase` is the number of the request's phrase; corners are shares of the picture's sides, 0..1, with
        x1 < x2 and y1 < y2; scores are in 0..1. Boxes below `detector.floor` are left out by gritmill, boxes beyond
        `detector.candidates` by the detector, which says in `Found.cut` how many. An answer must not depend on the
        request's neighbours.

        Raises:
          Exception: of any kind; it is bisected to the request that causes it, whose pair alone fails. If a grey probe
            picture fails as well, the run ends and blames no pair.
        """
