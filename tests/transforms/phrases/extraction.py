"""The stage of the phrases with a parser at hand."""

from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from transforms.phrases.phrase_extractor import PhraseExtractor
from transforms.records import Pair
from transforms.settings import PhraseSettings


def with_phrases(nlp, pairs, heads, gate=None, measures=()):
    """The rows of the pairs."""

    class WithParser(Phrases):
        def load(self):
            return PhraseExtractor(lambda: nlp, heads, gate, measures)

    return StageRunner(WithParser(PhraseSettings())).process(pairs)


def extract(nlp, captions, heads, measures=()):
    """A pair for each caption, with its phrases."""
    return with_phrases(
        nlp, [Pair(str(n), "s", n, caption) for n, caption in enumerate(captions)], heads, None, measures
    )
