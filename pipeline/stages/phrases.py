"""The stage that finds noun phrases and referring expressions."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pipeline.stages.base import DetectionsStage
from transforms.phrases.drop_lists import drop_heads
from transforms.phrases.language import LanguageGate
from transforms.records import Pair
from transforms.settings import PhraseSettings

if TYPE_CHECKING:
    from transforms.phrases.phrase_extractor import PhraseExtractor


@dataclass(frozen=True)
class Phrases(DetectionsStage):
    """Pairs with a caption -> pairs with phrases."""

    settings: PhraseSettings

    name = "phrases"

    @property
    def culprit(self) -> str:  # type: ignore[override]
        """See `Stage`."""
        return f"phrases.model: {self.settings.model}"

    def takes(self, pair: Pair) -> bool:
        """Whether a pair has a caption and has not failed."""
        return bool(not pair.error and pair.caption.strip())

    def load(self) -> "PhraseExtractor":
        """Returns an extractor that loads one parser per thread."""
        from transforms.phrases.parser import load_parser  # imports spaCy, which takes seconds
        from transforms.phrases.phrase_extractor import PhraseExtractor

        settings = self.settings
        gate = LanguageGate(settings.languages) if settings.languages else None
        return PhraseExtractor(partial(load_parser, settings.model), drop_heads(settings.drop_lists), gate)
