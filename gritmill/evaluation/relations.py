"""`gritmill eval --relations`: what captions state about numbers, places and ranks.

It is read off the parse of the captions, and held against the annotated boxes, or those of the detector.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from gritmill.evaluation.phrases import without_picture
from gritmill.evaluation.query_detector import Answer, QueryCounts, load_detector, query
from gritmill.evaluation.reading import FRAMES, ReadingTally, framed
from gritmill.evaluation.sets.truth import TrueCaption, TruePhrase, Truth
from gritmill.evaluation.verdict_figures import VerdictTally, check_on_true_boxes, labelled, on_phrases
from pipeline.configuration import Configuration
from pipeline.engines import progress
from pipeline.model_identity import identify
from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from pipeline.threshold import active_threshold, default_threshold
from transforms.records import Pair, Phrase
from transforms.selection.check_kept import check_pair
from transforms.selection.select_boxes import select

_BATCH = 1000


def read_and_check(truth: Truth, configuration: Configuration, in_frames: bool, quiet: bool = True) -> dict[str, Any]:
    """Reads all captions with the configured parser, and checks statements and claims on the annotated boxes.

    in_frames: whether each caption is one statement, which is also read inside longer sentences.

    Raises:
      CallError: the parser cannot be loaded.
    """
    settings = configuration.phrases.model_copy(update={"claims": True})
    parser_id = identify.parser_identity(settings.model)
    stage = StageRunner(Phrases(settings))
    reading, verdicts = ReadingTally(), VerdictTally()
    inside = [(frame, ReadingTally()) for frame in FRAMES if in_frames]
    captions = failed = 0
    pictures = set[str]()

    def state() -> progress.State:
        return progress.State(len(pictures), len(pictures) / max(truth.pictures, 1))

    with progress.show_progress("reading", "images", state, quiet):
        while batch := list(islice(truth.captions, _BATCH)):
            for caption, pair in zip(batch, stage.process(list(map(without_picture, batch))), strict=True):
                if caption.statements is not None:
                    reading.add(caption.statements, pair.claims)
                check_on_true_boxes(verdicts, caption, pair.claims)
                captions, failed = captions + 1, failed + bool(pair.error)
            for frame, tally in inside:
                _read_framed(tally, batch, frame, stage)
            pictures |= {caption.picture for caption in batch}
    figures, checked = reading.to_json(), verdicts.to_json()
    return {
        "configuration": {"phrases": settings.model_dump(mode="json")},
        "model": parser_id,
        "captions": {"read": captions, "failed": failed},
        "reading": figures if figures["kinds"] else None,
        "inside": [{"frame": "...".join(frame), **tally.to_json()} for frame, tally in inside],
        "verdicts": checked if checked["groups"] else None,
    }


def check_detected(truth: Truth, configuration: Configuration, quiet: bool = True) -> dict[str, Any]:
    """Checks the statements that are true or false on the boxes that a run would keep for their phrases.

    Raises:
      CallError: a model cannot be loaded. EnvironmentFault: the detector fails.
    """
    detector, configuration, model_identities = load_detector(configuration)
    floor = configuration.detector.floor
    threshold = active_threshold(configuration.selection, default_threshold(configuration), floor).score
    counts, tally = QueryCounts(), VerdictTally()
    for answer in query(truth, detector, configuration, counts, quiet):
        if not answer.fault:
            _check_answer(tally, answer, configuration, threshold)
    return {
        "configuration": configuration.model_dump(mode="json", include={"detector", "selection"}),
        "models": model_identities,
        "threshold": threshold,
        "pictures": counts.to_json(),
        **tally.to_json(),
    }


def _read_framed(tally: ReadingTally, batch: Sequence[TrueCaption], frame: tuple[str, str], stage: StageRunner) -> None:
    sentences = [framed(caption.pair.caption, frame) for caption in batch]
    pairs = [Pair(str(number), "", number, text) for number, (text, _) in enumerate(sentences)]
    for caption, (_, part), pair in zip(batch, sentences, stage.process(pairs), strict=True):
        tally.add(caption.statements or (), pair.claims, part)


def _check_answer(tally: VerdictTally, answer: Answer, configuration: Configuration, threshold: float) -> None:
    """Adds the verdicts on the statements of one caption. The boxes are those of its queried phrases."""
    caption = answer.caption
    phrases = tuple(_as_phrase(caption.phrases[number]) for number in answer.queried)
    asked = {(phrase.start, phrase.end): phrase for phrase in phrases if phrase.end}
    claims = [(group, on_phrases(claim, asked)) for group, claim in labelled(caption.statements or ())]
    tally.unknown.update(group for group, claim in claims if claim is None)
    placed = [(group, claim) for group, claim in claims if claim is not None]
    pair = replace(
        answer.pair,
        caption=caption.pair.caption,
        phrases=phrases,
        claims=tuple(claim for _, claim in placed),
    )
    kept = select(pair, configuration.selection, threshold)
    verdicts = check_pair(pair, kept, configuration.selection, threshold)
    for (group, claim), checked in zip(placed, verdicts, strict=True):
        tally.add(group, claim, checked, pair.caption, caption.picture)


def _as_phrase(true: TruePhrase) -> Phrase:
    """The phrase in the caption; an empty one at its start if the phrase is not in it."""
    start, end = (true.start, true.end) if true.start >= 0 else (0, 0)
    head = end - len(true.text.split()[-1]) if end else 0
    return Phrase(start, end, head, end, start, end)
