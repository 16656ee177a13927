"""`gritmill eval`. This module must import fast, because the command is derived from it."""

from typing import TYPE_CHECKING, Any

from gritmill.evaluation import options
from gritmill.evaluation.options import Nms, TruthFormat, check_measured
from gritmill.options import Config, Quiet, resolve_config
from pipeline.faults import CallError
from transforms.wording import suggestion

if TYPE_CHECKING:
    from gritmill.evaluation.sets.truth import Truth


def evaluate(
    config: Config = "grit",
    *,
    truth: options.Truth,
    on: options.On = TruthFormat.JSONL,
    images: options.Images = None,
    split: options.Split = None,
    output: options.ResultFile = None,
    limit: options.LimitPictures = None,
    phrases_only: options.PhrasesOnly = False,
    relations: options.Relations = False,
    boxes: options.CocoBoxes = None,
    detect: options.Detect = False,
    alone: options.Alone = False,
    nms: options.NmsOf = Nms.NONE,
    quiet: Quiet = True,
) -> dict[str, Any]:
    """Measures boxes against human annotations. With `phrases_only` extracted phrases, with `relations` what captions
    state about numbers and places. See docs/evaluation.md.

    Args:
      on: flickr30k, refcoco, vsr or jsonl. nms: none, phrase or caption. `gritmill eval --help` lists all options.

    Returns:
      The content of `output`. `figures` is None if no phrase with true boxes was measured. With `relations`, `reading`
      is None if no caption has statements, and `verdicts` if none has boxes.

    Raises:
      CallError: an argument is wrong, or a file is not in the format `on`. EnvironmentFault: the detector fails.
    """
    configuration = resolve_config(config)
    if nms not in set(Nms):
        raise CallError(f"--nms: {nms}: no such value; {suggestion(nms, Nms)}")
    others = {"images": images is not None, "alone": alone, "nms": nms != Nms.NONE}
    check_measured(phrases_only, relations, detect, [name for name, is_given in others.items() if is_given])
    _check_format(on, phrases_only, relations)
    if detect or not (phrases_only or relations):
        configuration.check_precision()
    from gritmill.evaluation import measure_boxes, phrases, query_detector
    from gritmill.evaluation.relations import check_detected, read_and_check
    from gritmill.evaluation.sets.open_truth import open_truth
    from pipeline import files
    from pipeline.files.foreign import need_own_file
    from pipeline.files.publish import publish_json

    target = None if output is None else files.canonical(output)
    if target is not None:
        files.need_file_place(target)  # before the work that it is for: that may take hours
        need_own_file(target, "on", "gritmill eval")

    def opened() -> "Truth":
        return open_truth(on, truth, images, split, limit, configuration.source.columns, boxes)

    result: dict[str, Any] = {"on": on, "split": split}
    if phrases_only:
        result |= phrases.compare_phrases(opened(), configuration, quiet)
    elif relations:
        result |= read_and_check(opened(), configuration, on == TruthFormat.VSR, quiet)
        result["detected"] = check_detected(opened(), configuration, quiet) if detect else None
    else:
        queried_set = query_detector.phrase_by_phrase(opened()) if alone else opened()
        result |= {"alone": alone, "nms": nms}
        result |= measure_boxes.measure_boxes(queried_set, configuration, Nms(nms), quiet)
    if target is not None:
        publish_json(target, result)
    return result


def _check_format(on: str, phrases_only: bool, relations: bool) -> None:
    if (phrases_only or relations) and on == TruthFormat.REFCOCO:
        option = "--phrases" if phrases_only else "--relations"
        raise CallError(f"{option}: refcoco has expressions but no captions; use flickr30k or jsonl")
    if on == TruthFormat.VSR and not relations:
        raise CallError("--on vsr: has statements and no phrases of its own; add --relations")
