"""The interface of a detector: its requests and its answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from PIL import Image

from transforms import images
from transforms.records import Box, Drop, Fault


@dataclass(frozen=True)
class Head:
    """The head of a phrase, such as "dog" in "a brown dog": text and character offsets in the phrase, end exclusive."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Request:
    """One image and the phrases to look for in it.

    data: the encoded image. width, height: pixels of the upright image. phrases: distinct, as in the caption.
    heads: one per phrase, in the same order. caption: the caption that contains the phrases. image_digest: equal for
    all captions of one image, which are consecutive; empty if unknown.
    """

    data: bytes = field(repr=False)
    width: int
    height: int
    phrases: tuple[str, ...]
    max_pixels: int = images.MAX_PIXELS
    heads: tuple[Head, ...] = ()
    caption: str = ""
    image_digest: str = ""
    max_scans: int | None = images.MAX_SCANS

    @property
    def image(self) -> Image.Image:
        """The image, RGB and upright. It is decoded on each access: the images of a chunk do not fit in memory.

        Raises:
          ImageFault: the image cannot be decoded.
        """
        return self.decode()

    def decode(self, least: tuple[int, int] | None = None) -> Image.Image:
        """As `image`. If only these width and height are needed, a larger JPEG may be decoded at reduced scale.

        Raises:
          ImageFault: the image cannot be decoded.
        """
        return images.decode(self.data, self.max_pixels, self.max_scans, least)


def probe_request() -> Request:
    """A grey image and one word. If a detector fails on this as well, no pair is at fault."""
    target = BytesIO()
    Image.new("RGB", (64, 64), (128, 128, 128)).save(target, "PNG")
    return Request(target.getvalue(), 64, 64, ("thing",), heads=(Head("thing", 0, 5),), caption="thing")


@dataclass(frozen=True)
class Found:
    """The answer of a detector to one request.

    boxes: `Box.phrase` is the index of the phrase in the request. cut: number of boxes above the floor that the cap
    removed. dropped: phrases that the detector cannot process, by index. error: set if only this pair failed.
    """

    boxes: tuple[Box, ...] = ()
    cut: int = 0
    dropped: dict[int, Drop] = field(default_factory=dict)
    error: Fault | None = None


class Detector(Protocol):
    """Finds phrases in images. The contract is the same for built-in families and your own detectors.

    gritmill calls `detect` with the requests of a whole chunk, so that the detector can form batches. After a failure,
    it calls `detect` with parts of the chunk. Captions of one image are consecutive. Only one thread calls it at a
    time, and only with images that decode in full, unless the family sets `Family.guarded` to False.

    Three attributes are optional:
      made: a JSON object that describes what the detector ran on. Stored with the rows of each chunk.
      progress: initially None. gritmill sets it to a callable; call it with the number of requests done so far.
      revision: an attribute of the factory, part of the fingerprint. Set it if the results depend on more than the
        factory's source file.
    """

    def detect(self, requests: Sequence[Request]) -> Sequence[Found | Sequence[Box]]:
        """Returns one answer per request, in order: a `Found`, or only its boxes.

        `Box.phrase` is the index of the phrase in the request. Corners are fractions of the image's sides, 0..1, with
        x1 < x2 and y1 < y2. Scores are in 0..1. gritmill removes boxes below `detector.floor`. The detector removes
        boxes beyond `detector.candidates` and reports their number in `Found.cut`. An answer must not depend on other
        requests.

        Raises:
          Exception: of any kind. gritmill bisects the requests to find the one that causes it; only its pair fails. If
            a grey probe image fails as well, the run ends, and no pair fails.
        """
