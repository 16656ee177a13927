"""Captions with their phrases and claims, as a run reads them."""

from collections.abc import Sequence

from pipeline.configuration import load
from pipeline.stages.phrases import Phrases
from transforms.records import Pair


def parsed(captions: Sequence[str]) -> list[Pair]:
    """A pair for each caption, with the phrases and claims that the default configuration reads."""
    pairs = [Pair(str(number), "", number, caption) for number, caption in enumerate(captions)]
    return Phrases(load("grit").phrases).load().process(pairs)


def head_of(pair: Pair, phrase: int) -> str:
    """The head noun of a phrase, as in the caption."""
    return pair.caption[pair.phrases[phrase].head_start : pair.phrases[phrase].head_end]
