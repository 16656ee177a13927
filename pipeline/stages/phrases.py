"""The stage that finds noun phrases and referring expressions."""

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from pipeline.stages.base import DetectionsStage
from transforms.annotations.annotate import with_given_phrases
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns
from transforms.garbage import importing
from transforms.phrases.language import LanguageGate
from transforms.records import Drop, Dropped, Pair
from transforms.settings import PhraseSettings

if TYPE_CHECKING:
    from transforms.phrases.phrase_extractor import PhraseExtractor


@dataclass(frozen=True)
class Phrases(DetectionsStage):
    """Pairs with a caption -> pairs with phrases. given: columns of the source with phrases, which are not parsed."""

    settings: PhraseSettings
    given: AnnotationColumns = NOTHING_GIVEN

    name = "phrases"
    reads_images = False

    @property
    def culprit(self) -> str:  # type: ignore[override]
        """See `Stage`."""
        return f"phrases.model: {self.settings.model}"

    def takes(self, pair: Pair) -> bool:
        """Whether a pair has a caption, has not failed, and does not come with phrases."""
        return bool(not pair.error and pair.caption.strip()) and with_given_phrases(pair, self.given) is None

    def row(self, pair: Pair) -> Pair:
        """Returns the pair without its image, and with the phrases of its source if its language is wanted."""
        pair = super().row(pair)
        if pair.error or pair.filtered or not pair.caption.strip():
            return pair
        given = with_given_phrases(pair, self.given)
        gate = _gate(self.settings.languages) if given else None
        if gate and gate.rejects(pair.caption):
            return replace(pair, dropped=(Dropped(0, len(pair.caption), Drop.LANGUAGE),))
        return given or pair

    def load(self) -> "PhraseExtractor":
        """Returns an extractor that loads one parser per thread."""
        with importing():  # of spaCy, which takes seconds
            from transforms.claims.read_claims import read_caption
            from transforms.phrases.parser import load_parser
            from transforms.phrases.phrase_extractor import PhraseExtractor
            from transforms.phrases.rules import phrase_rules

        settings = self.settings
        gate = _gate(settings.languages)
        corrected = settings.borders == "corrected"
        load = partial(load_parser, settings.model, corrected)
        return PhraseExtractor(load, phrase_rules(settings), gate, read_caption if settings.claims else None)


@cache
def _gate(languages: tuple[str, ...]) -> LanguageGate | None:
    return LanguageGate(languages) if languages else None
