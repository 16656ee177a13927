"""The stage that asks the detector for decoys: phrases of other captions, which should find nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pipeline import layout
from pipeline.stages.base import Stage
from pipeline.tables import decoys
from transforms.annotations.annotate import has_given_boxes
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.detectors.settings import DetectorSettings
from transforms.images import DEFAULT_LIMITS, ImageLimits
from transforms.phrases.same_things import read_lists
from transforms.records import FailureStage, Fault, Pair
from transforms.settings import Ask, DecoySettings

if TYPE_CHECKING:
    import pyarrow as pa

    from transforms.detectors.phrase_locator import PhraseLocator

_RULES_VERSION = 1
"""Increase it with every code change that changes decoys for the same detections."""


@dataclass(frozen=True)
class Decoys(Stage):
    """Pairs with phrases -> decoys and their candidate boxes, in the table `decoys/`.

    The prompts of a pair's decoys have no other phrases, so `detections/` is the same without this stage. The model
    and its settings are those of `Boxes`; detector, limits, search_path, given and ask: see there.
    """

    settings: DecoySettings
    detector: DetectorSettings
    limits: ImageLimits = DEFAULT_LIMITS
    search_path: tuple[str, ...] = ()
    given: AnnotationColumns = NOTHING_GIVEN
    ask: Ask = "chunk"

    name = table = layout.DECOYS

    @property
    def culprit(self) -> str:  # type: ignore[override]
        """See `Stage`."""
        return f"detector.model: {self.detector.model}"

    def columns(self) -> "list[pa.Field[Any]]":
        """`phrases`: text and head of each decoy that was asked for. `boxes`, `boxes_cut`: as in detections."""
        return decoys.columns()

    def fingerprint_values(self) -> dict[str, Any]:
        """What the decoys depend on. Those of the detector are in the digests of the parent chunks."""
        return {"number": self.settings.number, "rules": _RULES_VERSION, "words": read_lists()["version"]}

    def prepare(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """Returns the pairs with decoys in place of their captions and phrases."""
        from transforms.decoys.choose import choose_decoys  # imports pyarrow

        return choose_decoys(pairs, self.settings.number)

    def takes(self, pair: Pair) -> bool:
        """Whether a pair has decoys, has not failed, and does not come with boxes: no detector was asked for those."""
        return bool(not pair.error and pair.phrases) and not has_given_boxes(pair, self.given)

    def load(self) -> "PhraseLocator":
        """Loads the detector on its device."""
        from transforms.detectors.phrase_locator import load_locator  # imports torch

        return load_locator(self.detector, self.limits, self.search_path, self.ask)

    def with_threads(self, threads: int) -> "Decoys":
        """See `Stage`."""
        threads = self.detector.threads or threads
        return replace(self, detector=self.detector.model_copy(update={"threads": threads}))

    def recorded_values(self) -> dict[str, Any]:
        """As `Boxes`."""
        return {"precision": self.detector.precision, "batch": self.detector.batch}

    def check(self, rows: Sequence[Any]) -> None:
        """Does nothing: the model returns pairs."""

    def complete(self, pairs: Sequence[Pair], rows: Sequence[Any]) -> list[Any]:
        """Returns the rows of these pairs. rows: dicts, or pairs with their decoys and boxes."""
        return super().complete(pairs, [self._row(row) if isinstance(row, Pair) else row for row in rows])

    def _row(self, asked: Pair) -> dict[str, Any]:
        if asked.error:
            return self.failed(asked, asked.error)
        phrases = [
            {"text": asked.text(phrase), "head": asked.caption[phrase.head_start : phrase.head_end]}
            for phrase in asked.phrases
        ]
        boxes = [{name: getattr(box, name) for name in box.__slots__} for box in asked.boxes]
        return {"phrases": phrases, "boxes": boxes, "boxes_cut": asked.boxes_cut, "error": None}

    def failed(self, pair: Pair, fault: Fault) -> dict[str, Any]:
        """Returns the row of a pair on which the detector failed."""
        return {"phrases": [], "boxes": [], "boxes_cut": 0, "error": asdict(replace(fault, stage=self._stage(fault)))}

    def _stage(self, fault: Fault) -> str:
        """The detector reports its own faults as those of `Boxes`."""
        return self.name if fault.stage == FailureStage.BOXES else fault.stage
