"""`gritmill eval`. This module must import fast, because the command is derived from it."""

from typing import Any

from gritmill.evaluation import options
from gritmill.evaluation.options import Nms, TruthFormat
from gritmill.options import Config, Quiet, resolve_config
from pipeline.faults import CallError
from transforms.wording import suggestion


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
    alone: options.Alone = False,
    nms: options.NmsOf = Nms.NONE,
    quiet: Quiet = True,
) -> dict[str, Any]:
    """Measures boxes, or with `phrases_only` extracted phrases, against human annotations. See docs/evaluation.md.

    Args:
      on: flickr30k, refcoco or jsonl. nms: none, phrase or caption. `gritmill eval --help` lists all options.

    Returns:
      The content of `output`. `figures` is None if no phrase with true boxes was measured.

    Raises:
      CallError: an argument is wrong, or a file is not in the format `on`. EnvironmentFault: the detector fails.
    """
    from gritmill.evaluation import measure_boxes, phrases, query_detector
    from gritmill.evaluation.sets.open_truth import open_truth
    from pipeline import files
    from pipeline.files.publish import publish_json

    configuration = resolve_config(config)
    if nms not in set(Nms):
        raise CallError(f"--nms: {nms}: no such value; {suggestion(nms, Nms)}")
    if phrases_only and on == TruthFormat.REFCOCO:
        raise CallError("--phrases: refcoco has expressions but no captions; use flickr30k or jsonl")
    truth_set = open_truth(on, truth, images, split, limit, configuration.source.columns)
    if phrases_only:
        result = {"on": on, "split": split, **phrases.compare_phrases(truth_set, configuration, quiet)}
    else:
        queried_set = query_detector.phrase_by_phrase(truth_set) if alone else truth_set
        call_settings = {"on": on, "split": split, "alone": alone, "nms": nms}
        result = {**call_settings, **measure_boxes.measure_boxes(queried_set, configuration, Nms(nms), quiet)}
    if output is not None:
        publish_json(files.canonical(output), result)
    return result
