"""Opens a set with true boxes by the name of its format."""

from os import fspath

from gritmill.evaluation.options import TruthFormat
from gritmill.evaluation.sets import flickr30k_entities, jsonl, refcoco, vsr
from gritmill.evaluation.sets.truth import Truth
from gritmill.options import PathOrUri, PathsOrUris, check_limit, list_paths
from pipeline.configuration import ColumnSettings
from pipeline.faults import CallError
from transforms.wording import suggestion

_PUBLISHED = {
    TruthFormat.FLICKR30K: flickr30k_entities.load,
    TruthFormat.REFCOCO: refcoco.load,
}


def open_truth(
    on: str,
    truth: PathsOrUris,
    images: PathOrUri | None,
    split: str | None,
    limit: int | None,
    columns: ColumnSettings,
    boxes: PathsOrUris | None = None,
) -> Truth:
    """Opens a set. limit: use only the first `limit` images. columns: the names of the fields of a custom set. boxes:
    COCO's files with the boxes of VSR's images.

    Raises:
      CallError: the format `on` does not exist or needs no `boxes`, `limit` is less than 1, or a file is not in the
        format.
    """
    if on not in set(TruthFormat):
        raise CallError(f"--on: {on}: no such format; {suggestion(on, TruthFormat)}")
    paths = list_paths(truth, "--truth: no path given")
    check_limit(limit)
    folder = None if images is None else fspath(images)
    if on == TruthFormat.VSR:
        box_files = [] if boxes is None else list_paths(boxes, "--boxes: no path given")
        return vsr.load(paths, folder, split, box_files).limited_to(limit)
    if boxes is not None:
        raise CallError(f"--boxes: {on} has its own boxes; this option is for --on vsr")
    if on == TruthFormat.JSONL:
        return jsonl.load(paths, folder, split, columns).limited_to(limit)
    return _PUBLISHED[TruthFormat(on)](paths, folder, split).limited_to(limit)
