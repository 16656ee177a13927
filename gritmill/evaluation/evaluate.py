"""`gritmill eval`: the boxes that a detector finds for a set's phrases, against those that people have drawn."""

from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from typing import Any

from gritmill.api import Config, PathOrUri, PathsOrUris, resolve_config
from gritmill.evaluation import metrics, phrases
from gritmill.evaluation.options import Nms, TruthFormat
from gritmill.evaluation.query_detector import Answer, QueryCounts, load_detector, phrase_by_phrase, query
from gritmill.evaluation.sets import flickr30k_entities, jsonl, refcoco
from gritmill.evaluation.sets.truth import Truth
from pipeline import files
from pipeline.configuration import Configuration
from pipeline.faults import CallError
from pipeline.files.publish import publish_json
from transforms.records import Box
from transforms.selection.select_boxes import suppress

MIN_CANDIDATES = 100
"""At least this many boxes of a phrase are ranked, down to a score of 0, even if `detector.candidates` is less."""

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
    paths = [fspath(truth)] if isinstance(truth, (str, PathLike)) else [fspath(path) for path in truth]
    if not paths:
        raise CallError("--truth: there is none")
    if limit is not None and limit < 1:
        raise CallError(f"--limit: {limit} is less than 1")
    return _LOADERS[TruthFormat(on)](paths, None if images is None else fspath(images), split).limited_to(limit)


def evaluate(
    config: Config = "grit",
    *,
    truth: PathsOrUris,
    on: str = TruthFormat.JSONL,
    images: PathOrUri | None = None,
    split: str | None = None,
    output: PathOrUri | None = None,
    limit: int | None = None,
    phrases_only: bool = False,
    alone: bool = False,
    nms: str = Nms.NONE,
    quiet: bool = True,
) -> dict[str, Any]:
    """Measures boxes, or with `phrases_only` extracted phrases, against those of people. docs/evaluation.md explains.

    Args:
      on: flickr30k, refcoco or jsonl. truth: the set's folder or files. images: folder of its pictures. split: of it.
      output: file for the figures, JSON. limit: only the first so many pictures.
      alone: ask for every phrase in a prompt of its own. nms: none, phrase or caption.

    Returns:
      What `output` holds. `figures` is None if no picture could be used.

    Raises:
      CallError: a wrong call, or files that are not of that form. EnvironmentFault: the detector fails.
    """
    configuration = resolve_config(config)
    if nms not in set(Nms):
        raise CallError(f"--nms: {nms}: there are {', '.join(Nms)}")
    if phrases_only and on == TruthFormat.REFCOCO:
        raise CallError("--phrases: refcoco has expressions and no captions; flickr30k and jsonl can serve")
    truth_set = open_truth(on, truth, images, split, limit)
    if phrases_only:
        result = {"on": on, "split": split, **phrases.compare_phrases(truth_set, configuration, quiet)}
    else:
        queried_set = phrase_by_phrase(truth_set) if alone else truth_set
        call_settings = {"on": on, "split": split, "alone": alone, "nms": nms}
        result = {**call_settings, **_measure_boxes(queried_set, configuration, Nms(nms), quiet)}
    if output is not None:
        publish_json(files.canonical(output), result)
    return result


def _measure_boxes(truth: Truth, configuration: Configuration, nms: Nms, quiet: bool) -> dict[str, Any]:
    candidates = max(configuration.detector.candidates, MIN_CANDIDATES)
    settings = configuration.detector.model_copy(update={"floor": 0.0, "candidates": candidates})
    detector, configuration, model_identities = load_detector(configuration.model_copy(update={"detector": settings}))
    counts, phrase_counts = QueryCounts(), Counter[str]()
    results: list[metrics.PhraseResult] = []
    for answer in query(truth, detector, configuration, counts, quiet):
        phrase_counts.update(_phrase_counts(answer))
        if not answer.fault:
            results += _measure_answer(answer, nms, configuration.selection.nms_iou)
    return {
        "configuration": configuration.model_dump(mode="json", include={"detector", "selection"}),
        "model": model_identities["detector"],
        "pictures": counts.to_json(),
        "phrases": {name: phrase_counts[name] for name in ("measured", "without_picture", "without_boxes", "absent")},
        "figures": {"all": metrics.summarize(results), "kinds": metrics.summarize_by_kind(results)}
        if results
        else None,
    }


def _phrase_counts(answer: Answer) -> Iterator[str]:
    for phrase in answer.caption.phrases:
        if phrase.boxes:
            yield "without_picture" if answer.fault else "measured"
        elif phrase.text:
            yield "absent" if phrase.absent else "without_boxes"


def _measure_answer(answer: Answer, nms: Nms, iou: float) -> Iterator[metrics.PhraseResult]:
    boxes = rank_boxes(answer, nms, iou)
    for number, phrase in enumerate(answer.caption.phrases):
        if phrase.boxes:
            corners = [box.corners for box in boxes.get(number, ())]
            yield metrics.measure_phrase(corners, phrase.boxes, phrase.kinds)


def rank_boxes(answer: Answer, nms: Nms, iou: float) -> dict[int, Sequence[Box]]:
    """The boxes of every phrase, best first, after the chosen suppression."""
    if nms is Nms.NONE:
        return dict(answer.boxes)
    if nms is Nms.PHRASE:
        return {number: suppress(boxes, iou) for number, boxes in answer.boxes.items()}
    all_boxes = [(number, box) for number, boxes in answer.boxes.items() for box in boxes]
    all_boxes.sort(key=lambda one: (-one[1].score, one[0], one[1].corners))
    phrase_of = {id(box): number for number, box in all_boxes}
    kept: dict[int, list[Box]] = {}
    for box in suppress([box for _, box in all_boxes], iou):
        kept.setdefault(phrase_of[id(box)], []).append(box)
    return dict(kept)
