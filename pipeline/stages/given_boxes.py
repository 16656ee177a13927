"""The stage that links boxes of the source to phrases."""

from dataclasses import dataclass

from pipeline.stages.base import DetectionsStage
from transforms.annotations.annotate import has_given_boxes
from transforms.annotations.columns import AnnotationColumns
from transforms.annotations.model import BoxLinker
from transforms.images import DEFAULT_LIMITS, ImageLimits
from transforms.records import Drop, FailureStage, Pair


@dataclass(frozen=True)
class GivenBoxes(DetectionsStage):
    """Pairs with phrases that come with boxes -> the same pairs with these boxes. limits: of the images."""

    given: AnnotationColumns
    limits: ImageLimits = DEFAULT_LIMITS

    name = FailureStage.GIVEN_BOXES

    @property
    def culprit(self) -> str:  # type: ignore[override]
        """See `Stage`."""
        return f"source.columns.boxes: {', '.join(self.given.boxes)}"

    def takes(self, pair: Pair) -> bool:
        """Whether a pair comes with boxes, has a caption in a wanted language, and has not failed."""
        if pair.error or not pair.caption.strip() or any(drop.reason == Drop.LANGUAGE for drop in pair.dropped):
            return False
        return has_given_boxes(pair, self.given)

    def load(self) -> BoxLinker:
        """Returns the model."""
        return BoxLinker(self.given, self.limits)
