"""The stage that hashes images, before phrases and boxes, so that near duplicates reach no model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import xxhash

from pipeline import layout
from pipeline.stages.base import Stage
from transforms.images import DEFAULT_LIMITS, ImageFault, ImageLimits, decode
from transforms.perceptual_hash import perceptual_hash
from transforms.records import ImageRef, Pair

if TYPE_CHECKING:
    import pyarrow as pa


class ImageHasher:
    """Hashes the images of pairs. An image that cannot be decoded has no hash; the detections tell why."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits

    def process(self, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
        """See `Model`."""
        rows: list[dict[str, Any]] = []
        for number, pair in enumerate(pairs):
            same = number > 0 and pair.data == pairs[number - 1].data
            phash = rows[-1]["phash"] if same else self._hash(pair.data)
            rows.append({"phash": phash, "image": _image_id(pair.image)})
        return rows

    def _hash(self, data: bytes) -> str | None:
        try:
            value = perceptual_hash(decode(data, *self._limits))
        except ImageFault:
            return None
        return None if value is None else f"{value:016x}"

    def probe(self) -> None:
        """See `Model`. Hashing needs no device that could be unhealthy."""


def _image_id(image: ImageRef) -> int:
    """A number for the place of an image: captions of one image have equal ones."""
    return xxhash.xxh3_64_intdigest(f"{image.uri}\n{image.row}\n{image.offset}\n{image.part}".encode())


class Hashes(Stage):
    """Pairs with a caption, unless a filter rejected them -> hashes of their images, in the table `hashes/`."""

    name = table = layout.HASHES
    parents = ()

    def __init__(self, limits: ImageLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits

    def columns(self) -> "list[pa.Field[Any]]":
        """`phash`: 16 hexadecimal digits; null without a hash. `image`: equal for captions of one image."""
        import pyarrow as pa

        return [pa.field("phash", pa.string()), pa.field("image", pa.uint64(), nullable=False)]

    def takes(self, pair: Pair) -> bool:
        """Whether a pair has a caption and has not failed. Other pairs must not displace later ones."""
        return bool(not pair.error and pair.caption.strip())

    def load(self) -> ImageHasher:
        """Returns the hasher."""
        return ImageHasher(self.limits)
