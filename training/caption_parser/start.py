"""Initial weights and labels from the parser of another spaCy pipeline.

That parser must have the widths of `config.cfg`. Its tagger is not used: our tagger learns on the parser's layers. The
labels keep their order, because each row of the last layer is one of the parser's moves.
"""

from pathlib import Path
from typing import Any

import spacy
import srsly  # type: ignore[import-untyped]
from spacy.language import Language
from thinc.api import Model


def write_labels(teacher: Path, path: Path) -> None:
    """Writes the moves of the parser in `teacher`, in the format of spaCy's `read_labels`."""
    srsly.write_json(path, spacy.load(teacher).get_pipe("parser").label_data)


def take_weights(nlp: Language, teacher: Path) -> None:
    """Copies the weights of the parser in `teacher` into an initialised pipeline.

    Raises:
      ValueError: a layer of the teacher has a different shape.
    """
    theirs = spacy.load(teacher).get_pipe("parser").model
    ours = nlp.get_pipe("parser").model
    embed_theirs, _, linear_theirs = theirs.get_ref("tok2vec").layers
    _, _, linear_ours = ours.get_ref("tok2vec").layers
    _copy(embed_theirs, nlp.get_pipe("tok2vec").model)
    _copy(linear_theirs, linear_ours)
    for name in ("lower", "upper"):
        _copy(theirs.get_ref(name), ours.get_ref(name))


def _copy(source: Model[Any, Any], target: Model[Any, Any]) -> None:
    for theirs, ours in zip(source.walk(), target.walk(), strict=True):
        for name in theirs.param_names:
            if theirs.has_param(name) and theirs.get_param(name).shape != ours.get_param(name).shape:
                raise ValueError(f"{theirs.name}: {name} has a different shape than in config.cfg")
    # Not only the weights: an embedding layer also stores the seed of its hash.
    target.from_bytes(source.to_bytes())
