"""Averages the weights of two pipelines, one of which was trained further from the other.

Training all components improves the tagger, but the parser loses some of what it learned from the teacher. The mean
keeps most of both (noun chunk F1 on laion: 0.869 before, 0.840 after, 0.857 for the mean; on ref: 0.964, 0.967, 0.966).
"""

from pathlib import Path

import spacy
from spacy.language import Language

_TRAINED = ("tok2vec", "tagger", "parser")


def mean_of(one: Path, other: Path) -> Language:
    """Returns a pipeline with the mean weights of two pipelines of the same architecture."""
    nlp, second = spacy.load(one), spacy.load(other)
    for name in _TRAINED:
        pairs = zip(nlp.get_pipe(name).model.walk(), second.get_pipe(name).model.walk(), strict=True)
        for ours, theirs in pairs:
            for parameter in ours.param_names:
                if ours.has_param(parameter):
                    ours.set_param(parameter, (ours.get_param(parameter) + theirs.get_param(parameter)) / 2)
    return nlp
