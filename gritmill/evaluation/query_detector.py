"""Queries the detector for the phrases of a set as a run does: a caption's phrases together, in chunks, read ahead."""

from collections import Counter, deque
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from os import getcwd

from gritmill.evaluation.sets.truth import TrueCaption, TruePhrase, Truth
from pipeline import fingerprint
from pipeline.configuration import Configuration
from pipeline.engines import placement, progress
from pipeline.engines.beam_options import parse_beam_options
from pipeline.faults import EnvironmentFault, first_line
from pipeline.ground.chunks import cut_chunks
from pipeline.ground.load_images import ImageLoader, PositionedPair
from pipeline.model_identity.identify import check_new_run, identify_models
from pipeline.sources import Position
from pipeline.stages.boxes import Boxes
from pipeline.stages.runner import StageRunner
from transforms.isolation.bisect import UnhealthyDevice
from transforms.records import Box, FailureStage, Pair, Phrase

_MAX_RATIO_CHANGE = 0.02
"""By how much the aspect ratio of an image may differ from that of the annotated image, as a share."""

OTHER_SHAPE = "other_shape"


@dataclass(frozen=True)
class Answer:
    """The answer of the detector for one caption.

    pair: its phrases are the queried ones; its caption is their texts, one per line. boxes: by number of the true
    phrase, best first; empty if the detector failed. fault, detail: why the image cannot be used, and which image.
    """

    caption: TrueCaption
    pair: Pair
    boxes: dict[int, list[Box]]
    fault: str = ""
    detail: str = ""

    @cached_property
    def queried(self) -> list[int]:
        """For each queried phrase, the number of its true phrase."""
        return [number for number, phrase in enumerate(self.caption.phrases) if phrase.queried]


@dataclass
class QueryCounts:
    """Counts of a query so far.

    unusable: images that could not be used, by reason. examples: one of them per reason. failed: captions on which
    the detector failed.
    """

    pictures: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    last_picture: str = ""

    @property
    def measured(self) -> int:
        """Images that could be used."""
        return self.pictures - self.unusable.total()

    def to_json(self) -> dict[str, object]:
        unusable = dict(sorted(self.unusable.items()))
        return {
            "pictures": self.pictures,
            "measured": self.measured,
            "unusable": unusable,
            "examples": self.examples,
            "failed": self.failed,
        }

    def add(self, answer: Answer) -> None:
        if answer.caption.picture != self.last_picture:
            self.pictures += 1
            if answer.fault:
                self.unusable[answer.fault] += 1
                self.examples.setdefault(answer.fault, answer.detail)
            self.last_picture = answer.caption.picture
        self.failed += bool(answer.pair.error and not answer.fault)


def load_detector(configuration: Configuration) -> tuple[StageRunner, Configuration, dict[str, str]]:
    """Returns the boxes stage, the configuration with its models resolved, and the identities of the models.

    The detector is loaded on first use.

    Raises:
      CallError: a model cannot be loaded, or the device is not available.
    """
    beam_options = parse_beam_options(())
    model_identities = identify_models(configuration)
    resolved = fingerprint.resolve(configuration, model_identities)
    check_new_run(resolved)
    placement.check_device(resolved.detector, beam_options)
    stage = Boxes(resolved.detector, resolved.source.image_limits, (getcwd(),), ask=resolved.phrases.ask)
    return StageRunner(stage, placement.local_threads(beam_options)), resolved, model_identities


def query(
    truth: Truth, detector: StageRunner, configuration: Configuration, counts: QueryCounts, quiet: bool = True
) -> Iterator[Answer]:
    """Yields the answers in order and updates `counts`. An image that cannot be used does not reach the detector.

    Raises:
      EnvironmentFault: the detector fails on every input, or cannot be loaded.
    """
    pending: deque[TrueCaption] = deque()
    reported: set[str] = set()

    def placed_pairs() -> Iterator[PositionedPair]:
        for index, caption in enumerate(truth.captions):
            pending.append(caption)
            yield {"index": index, "caption": caption}, _build_question(caption)

    def note_reported(captions: int) -> None:
        nonlocal reported  # replaced as a whole, because another thread reads it to show the progress
        reported = {caption.picture for caption in islice(pending, captions)}

    limits = configuration.source.image_limits
    loaded = (_skip_other_shape(position, pair) for position, pair in ImageLoader(limits).load(placed_pairs()))
    state = lambda: progress_state(truth, counts, reported)  # noqa: E731
    with progress.show_progress("querying", "images", state, quiet), _as_environment_fault():
        for chunk_pairs, _ in cut_chunks(loaded, configuration.chunk):
            for pair in detector.process(chunk_pairs, note_reported):
                answer = _build_answer(pending.popleft(), pair)
                note_reported(0)
                counts.add(answer)
                yield answer


def progress_state(truth: Truth, counts: QueryCounts, reported: Set[str]) -> progress.State:
    """Counts the answered images and those of the current chunk that the detector has reported as done."""
    done = counts.pictures + len(reported - {counts.last_picture})
    return progress.State(done, min(done / max(truth.pictures, 1), 1.0))


def phrase_by_phrase(truth: Truth) -> Truth:
    """The same set with each phrase in its own prompt."""
    alone = (
        replace(caption, phrases=(phrase,)) for caption in truth.captions for phrase in caption.phrases or [_NO_PHRASE]
    )
    return Truth(truth.pictures, alone)


_NO_PHRASE = TruePhrase("", queried=False)


def _build_question(caption: TrueCaption) -> Pair:
    """The pair with the queried phrases as caption, one per line: expressions may overlap or have no caption."""
    phrases, length = [], 0
    texts = [" ".join(phrase.text.split()) for phrase in caption.phrases if phrase.queried]
    for text in texts:
        end = length + len(text)
        phrases.append(Phrase(length, end, length, end, length, end))
        length = end + 1
    return replace(caption.pair, caption="\n".join(texts), phrases=tuple(phrases))


def _skip_other_shape(position: Position, pair: Pair) -> PositionedPair:
    """The pair, without phrases to query if its image is not the annotated one."""
    return position, replace(pair, phrases=()) if _shape_differs(position["caption"], pair) else pair


def _build_answer(caption: TrueCaption, pair: Pair) -> Answer:
    if pair.error and pair.error.stage in (FailureStage.READ, FailureStage.IMAGE):
        return Answer(caption, pair, {}, pair.error.reason, f"{pair.key}: {pair.error.detail}")
    if _shape_differs(caption, pair):
        sizes = f"{pair.width} x {pair.height}, boxes drawn in {caption.width} x {caption.height}"
        return Answer(caption, pair, {}, OTHER_SHAPE, f"{pair.key}: {sizes}")
    answer = Answer(caption, pair, {})
    for box in pair.boxes:
        answer.boxes.setdefault(answer.queried[box.phrase], []).append(box)
    return answer


def _shape_differs(caption: TrueCaption, pair: Pair) -> bool:
    """Whether the aspect ratio differs from that of the annotated image: it is another image, or rotated by 90°."""
    if not (caption.width and pair.width):
        return False
    # Both width / height, cross-multiplied.
    true_ratio, actual_ratio = caption.width * pair.height, pair.width * caption.height
    return abs(true_ratio - actual_ratio) > _MAX_RATIO_CHANGE * max(true_ratio, actual_ratio)


@contextmanager
def _as_environment_fault() -> Iterator[None]:
    try:
        yield
    except UnhealthyDevice as error:
        raise EnvironmentFault(str(error)) from error
    except (OSError, ValueError) as error:
        if "detector.model" in str(error):
            raise EnvironmentFault(first_line(error)) from error
        raise
