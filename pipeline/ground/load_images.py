"""Loads the images of pairs: prefetches image files, measures every image, and applies the filters."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pipeline.engines import heartbeat
from pipeline.sources import Position
from pipeline.sources.read_images import LOADERS, MAX_AHEAD, read_file
from transforms import images
from transforms.filters import Filters
from transforms.images import ImageFault, ImageLimits
from transforms.isolation.child_process import ChildDied, ChildProcess
from transforms.read_ahead import read_ahead
from transforms.records import FailureStage, Fault, Pair, Reason
from transforms.settings import FilterSettings

PositionedPair = tuple[Position, Pair]


@dataclass
class ImageLoader:
    """Reads images that are separate files, and measures all images. A pair with a bad image is returned as failed.

    The image of a pair that a filter rejects is not read, or not measured if it came with its pair.

    rejected: by index, the pairs whose images are known to be near duplicates or excluded, with the reason.
    child: the process that measures images, because they may kill it. None: images are measured in this process.
    calls: after so many deaths of the child at one image, the image is at fault.
    """

    limits: ImageLimits
    child: ChildProcess | None = None
    filters: Filters = field(default_factory=lambda: Filters(FilterSettings()))
    rejected: Mapping[int, str] = field(default_factory=dict)
    calls: int = 1
    _previous: Pair | None = field(default=None, init=False)

    def load(self, pairs: Iterable[PositionedPair]) -> Iterator[PositionedPair]:
        """Yields the pairs in order. Reads files ahead, and once for consecutive captions of one image."""
        filtered = ((position, self._filtered(pair)) for position, pair in pairs)
        read = read_ahead(filtered, _read, threads=LOADERS, ahead=MAX_AHEAD, same=_of_one_image, name="images")
        for (position, pair), data in read:
            heartbeat.advance()
            measured = self._with_size(pair, data)
            yield position, replace(measured, data=b"") if measured.filtered else measured

    def _filtered(self, pair: Pair) -> Pair:
        """The pair, without its image if a filter that needs no image rejects it."""
        if pair.error or not pair.caption.strip():
            return pair
        reason = self.filters.before_image(pair) or self.rejected.get(pair.index, "")
        if not reason:
            return pair
        return replace(pair, filtered=str(reason), data=b"")

    def _with_size(self, pair: Pair, data: bytes | Fault) -> Pair:
        if isinstance(data, Fault):
            return pair.failed(data)
        if pair.error or pair.filtered or not pair.image.uri:
            return pair
        previous = self._previous
        if previous is None or previous.data != data:
            self._previous = self._measure(replace(pair, data=data))
            return self._previous
        image = replace(pair.image, length=previous.image.length, digest=previous.image.digest)
        loaded = replace(pair, image=image, data=previous.data, width=previous.width, height=previous.height)
        loaded = replace(loaded, filtered=previous.filtered)
        return loaded.failed(previous.error) if previous.error else loaded

    def _measure(self, pair: Pair) -> Pair:
        pair = replace(pair, image=replace(pair.image, length=len(pair.data), digest=images.image_digest(pair.data)))
        try:
            width, height = self._size(pair.data)
        except ImageFault as fault:
            return pair.failed(fault.as_fault())
        except ChildDied as error:
            return pair.failed(Fault(FailureStage.IMAGE, Reason.CRASH, f"the decoder process was {error}"))
        return replace(pair, width=width, height=height, filtered=str(self.filters.by_size(width, height)))

    def _size(self, data: bytes) -> tuple[int, int]:
        if not self.child:
            return images.measure(data, *self.limits)
        for _ in range(self.calls - 1):
            with suppress(ChildDied):
                return self._size_in(self.child, data)
        return self._size_in(self.child, data)

    def _size_in(self, child: ChildProcess, data: bytes) -> tuple[int, int]:
        width, height = child.call(images.measure, data, *self.limits)
        return width, height


def _of_one_image(one: PositionedPair, other: PositionedPair) -> bool:
    return one[1].image == other[1].image and not any(pair.error or pair.filtered for _, pair in (one, other))


def _read(placed: PositionedPair) -> bytes | Fault:
    _, pair = placed
    if pair.error or pair.filtered or pair.data or pair.image.uri in ("", pair.source):
        return pair.data  # an image in a container is read with its pair
    return read_file(pair.image.uri, FailureStage.READ)
