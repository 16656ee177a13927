"""A set with true boxes, by the name of its form."""

from os import fspath

from gritmill.evaluation.options import TruthFormat
from gritmill.evaluation.sets import flickr30k_entities, jsonl, refcoco
from gritmill.evaluation.sets.truth import Truth
from gritmill.options import PathOrUri, PathsOrUris, list_paths
from pipeline.faults import CallError

_LOADERS = {
    TruthFormat.FLICKR30K: flickr30k_entities.load,
    TruthFormat.REFCOCO: refcoco.load,
    TruthFormat.JSONL: jsonl.load,
}


def open_truth(on: str, truth: PathsOrUris, images: PathOrUri | None, split: str | None, limit: int | None) -> Truth:
    """The set; at most the first `limit` pictures of it.

    Raises:
      CallError: no such form of a set, or the files are not of it.
    """
    if on not in set(TruthFormat):
        raise CallError(f"--on: {on}: no such form of a set; there are {', '.join(TruthFormat)}")
    paths = list_paths(truth, "--truth: there is none")
    if limit is not None and limit < 1:
        raise CallError(f"--limit: {limit} is less than 1")
    return _LOADERS[TruthFormat(on)](paths, None if images is None else fspath(images), split).limited_to(limit)
