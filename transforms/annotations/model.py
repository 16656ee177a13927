"""The model that links boxes of the source to phrases. It also decodes each image, as a detector would."""

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.annotations.annotate import with_given_boxes
from transforms.annotations.columns import AnnotationColumns
from transforms.images import ImageFault, ImageLimits, decode
from transforms.records import Fault, Pair


@dataclass
class BoxLinker:
    """A `Model` whose rows are pairs with boxes and without their images.

    A pair fails if its boxes do not fit, or if its image is truncated or broken.
    """

    columns: AnnotationColumns
    limits: ImageLimits
    _last: tuple[bytes, Fault | None] = b"", None

    def process(self, pairs: Sequence[Pair]) -> list[Pair | Fault]:
        """One row per pair."""
        return [self._fault(pair.data) or with_given_boxes(pair, self.columns) for pair in pairs]

    def probe(self) -> None:
        """Does nothing: there is no device."""

    def _fault(self, data: bytes) -> Fault | None:
        last, fault = self._last
        if last is not data:  # captions of one image share its bytes and are consecutive
            try:
                decode(data, *self.limits)
                fault = None
            except ImageFault as error:
                fault = error.as_fault()
            self._last = data, fault
        return fault
