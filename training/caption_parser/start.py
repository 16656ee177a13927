"""Starting weights from another spaCy pipeline: its parser's, so that training need not begin from nothing.

The other pipeline's parser must have the widths of `config.cfg`; its tagger is not used, ours learns on the parser's
own layers. Labels come from it as well, in its order, as the last layer's rows are the parser's moves.
"""

from pathlib import Path
from typing import Any

import spacy
import srsly  # type: ignore[import-untyped]
from spacy.language import Language
from thinc.api import Model


def write_labels(teacher: Path, path: Path) -> None:
    """Writes the parser's moves of the pipeline at `teacher`, as spaCy's `read_labels` takes them."""
    srsly.write_json(path, spacy.load(teacher).get_pipe("parser").label_data)


def take_weights(nlp: Language, teacher: Path) -> None:
    """Copies the parser's weights of the pipeline at `teacher` into an initialised pipeline.

    Raises:
      ValueError: a layer there has another shape than here.
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
                raise ValueError(f"{name} of {theirs.name} has another shape than in config.cfg")
    # Weights alone would not do: the hash of an embedding layer starts from a number that is saved with it.
    target.from_bytes(source.to_bytes())
