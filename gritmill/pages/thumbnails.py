"""Thumbnails of pairs, read from the sources."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from PIL import Image

from pipeline.faults import EnvironmentFault
from pipeline.plan.plan import Plan
from pipeline.sources.fetch_images import fetch_images
from transforms import images
from transforms.images import ImageFault, ImageLimits
from transforms.records import FailureStage, Fault, Pair, Reason

LONG_SIDE = 640
"""Maximum length of the longer side of a thumbnail, in pixels."""

_QUALITY = 80


@dataclass(frozen=True)
class Thumbnail:
    """An upright JPEG of a pair's image. If `jpeg` is empty, `missing` is the reason."""

    jpeg: bytes = b""
    missing: Fault | None = None


def make_thumbnails(pairs: Sequence[Pair], plan: Plan) -> Iterator[Thumbnail]:
    """Yields one thumbnail per pair, in order. The pairs should be in input order.

    An image that is gone does not affect the other images.
    """
    fetched = _fetch_pictures([pair for pair in pairs if pair.image.digest], plan)
    for pair in pairs:
        if pair.image.digest:
            data = next(fetched)
            limits = plan.configuration.source.image_limits
            yield Thumbnail(missing=data) if isinstance(data, Fault) else _make_thumbnail(data, limits)
        else:
            why = "a filter rejected the pair before its image was read" if pair.filtered else ""
            yield Thumbnail(missing=pair.error or Fault(FailureStage.READ, Reason.NO_IMAGE, why))


def _fetch_pictures(pairs: Sequence[Pair], plan: Plan) -> Iterator[bytes | Fault]:
    """Like `fetch_images`, but a missing container affects only its own images and does not stop the iteration."""
    missing: dict[str, Fault] = {}
    index = 0
    while index < len(pairs):
        uri = pairs[index].image.uri
        if uri in missing:
            index += 1
            yield missing[uri]
            continue
        there = takewhile(lambda pair: pair.image.uri not in missing, islice(pairs, index, None))
        try:
            for data in fetch_images(there, plan.open_source):
                index += 1
                yield data
        except EnvironmentFault as fault:
            missing[pairs[index].image.uri] = Fault.from_error(FailureStage.FETCH, Reason.GONE, str(fault))


def _make_thumbnail(data: bytes, limits: ImageLimits) -> Thumbnail:
    try:
        picture = images.decode(data, *limits)
    except ImageFault as fault:
        return Thumbnail(missing=fault.as_fault())
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=_QUALITY)
    return Thumbnail(target.getvalue())
