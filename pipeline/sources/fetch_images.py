"""Fetches the images of pairs that were read before, from their sources."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, repeat
from operator import attrgetter

from pipeline.faults import EnvironmentFault
from pipeline.sources.base import Source
from transforms.images import matches_digest
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason
from transforms.wording import counted


def fetch_images(pairs: Iterable[Pair], open_source: Callable[[str], Source]) -> Iterator[bytes | Fault]:
    """The encoded image of each pair, in order. A Fault if it is missing, forbidden, or not the one that was grounded.

    Consecutive pairs of a source share its open file. Consecutive pairs of an image share its bytes. Each source limits
    how much it reads ahead.

    Args:
      pairs: pairs with an image, from a table; fastest in input order.
      open_source: returns the source of a URI; see `Plan.open_source`.

    Raises:
      EnvironmentFault: a container is missing or cannot be read.
    """
    for uri, group in groupby(pairs, key=attrgetter("source")):
        pending: deque[tuple[ImageRef, int]] = deque()
        for data in open_source(uri).fetch(_references(group, pending)):
            if not pending:
                raise EnvironmentFault(f"{uri}: the source returned more images than requested")
            image, captions = pending.popleft()
            if not isinstance(data, Fault) and not matches_digest(data, image.digest):
                data = Fault.from_error(FailureStage.FETCH, Reason.CHANGED, image.uri)
            yield from repeat(data, captions)
        if pending:
            raise EnvironmentFault(f"{uri}: the source returned {counted(len(pending), 'image')} fewer than requested")


def _references(pairs: Iterable[Pair], pending: deque[tuple[ImageRef, int]]) -> Iterator[ImageRef]:
    """Yields each image once, and appends it to `pending` with its number of pairs."""
    for image, same in groupby(pairs, key=attrgetter("image")):
        pending.append((image, sum(1 for _ in same)))
        yield image
