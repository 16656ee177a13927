"""The stage of the phrases with a parser at hand."""

from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from transforms.phrases.drops import DropRules
from transforms.phrases.noun_phrases import PhraseRules
from transforms.phrases.phrase_extractor import PhraseExtractor
from transforms.records import Pair
from transforms.settings import PhraseSettings


def with_phrases(nlp, pairs, rules, gate=None):
    """The rows of the pairs. rules: or heads that are always dropped."""
    rules = rules if isinstance(rules, PhraseRules) else PhraseRules(DropRules(rules, {}))

    class WithParser(Phrases):
        def load(self):
            return PhraseExtractor(lambda: nlp, rules, gate)

    return StageRunner(WithParser(PhraseSettings())).process(pairs)


def extract(nlp, captions, rules):
    """A pair for each caption, with its phrases."""
    return with_phrases(nlp, [Pair(str(n), "s", n, caption) for n, caption in enumerate(captions)], rules)
