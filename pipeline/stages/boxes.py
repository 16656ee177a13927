"""The stage that finds boxes."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline.stages.base import DetectionsStage
from transforms.annotations.annotate import has_given_boxes
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.detectors.settings import DetectorSettings
from transforms.images import DEFAULT_LIMITS, ImageLimits
from transforms.records import Pair
from transforms.settings import Ask

if TYPE_CHECKING:
    from transforms.detectors.phrase_locator import PhraseLocator


@dataclass(frozen=True)
class Boxes(DetectionsStage):
    """Pairs with phrases -> pairs with candidate boxes.

    limits: of the images. search_path: folders to search for a custom detector. given: columns of the source with
    boxes, which `GivenBoxes` uses. ask: see `PhraseSettings`.
    """

    settings: DetectorSettings
    limits: ImageLimits = DEFAULT_LIMITS
    search_path: tuple[str, ...] = ()
    given: AnnotationColumns = NOTHING_GIVEN
    ask: Ask = "chunk"

    name = "boxes"

    @property
    def culprit(self) -> str:  # type: ignore[override]
        """See `Stage`."""
        return f"detector.model: {self.settings.model}"

    def takes(self, pair: Pair) -> bool:
        """Whether a pair has a phrase, has not failed, and does not come with boxes."""
        return bool(not pair.error and pair.phrases) and not has_given_boxes(pair, self.given)

    def load(self) -> "PhraseLocator":
        """Loads the detector on its device."""
        from transforms.detectors.phrase_locator import load_locator  # imports torch

        return load_locator(self.settings, self.limits, self.search_path, self.ask)

    def with_threads(self, threads: int) -> "Boxes":
        """See `Stage`."""
        threads = self.settings.threads or threads
        return replace(self, settings=self.settings.model_copy(update={"threads": threads}))

    def recorded_values(self) -> dict[str, Any]:
        """Precision and batch size. The `recorded` values of the detector are added later."""
        return {"precision": self.settings.precision, "batch": self.settings.batch}
