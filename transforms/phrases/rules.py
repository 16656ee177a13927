"""The rules for the phrases of a configuration."""

from transforms.phrases.drop_lists import drop_heads, drop_in_context
from transforms.phrases.drops import DropRules
from transforms.phrases.measures import measure_words
from transforms.phrases.noun_phrases import PhraseRules
from transforms.settings import PhraseSettings


def phrase_rules(settings: PhraseSettings) -> PhraseRules:
    """The rules that the settings name. Raises ValueError if a list does not exist."""
    drops = DropRules(drop_heads(settings.drop_lists), drop_in_context(settings.drop_in_context))
    return PhraseRules(drops, measure_words(settings.measures), settings.borders == "corrected")
