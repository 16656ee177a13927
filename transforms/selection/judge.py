"""A pair's outcome: kept with its boxes and texts, rejected with a reason, or failed.

`pack` asks this twice, to count and to write, and both must agree: the outcome follows from the row alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.records import Drop, Fault, Grounding, Pair, Reason
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings, TextSettings
from transforms.text import dialects
from transforms.text.grounded_caption import CannotCarry, GroundedCaption, choose_spans


@dataclass(frozen=True)
class Policy:
    """What decides: the selection, the score threshold in force, and how text is written."""

    selection: SelectionSettings
    threshold: float
    text: TextSettings


@dataclass(frozen=True)
class Kept:
    """A pair of the data set: its boxes in record order, and its text in each configured dialect."""

    pair: Pair
    groundings: tuple[Grounding, ...]
    texts: dict[str, str]


@dataclass(frozen=True)
class Rejected:
    """A pair without a fault that is not part of the data set; `reason` is a code."""

    reason: str


def judge(pair: Pair, policy: Policy) -> Kept | Rejected | Fault:
    """The outcome of a row of detections."""
    return judge_selected(pair, select(pair, policy.selection, policy.threshold), policy.text)


def judge_selected(pair: Pair, groundings: Sequence[Grounding], settings: TextSettings) -> Kept | Rejected | Fault:
    """The outcome of a row whose selected boxes, in record order, are known."""
    if pair.error:
        return pair.error
    if not pair.caption.strip():
        return Rejected(Reason.NO_CAPTION)
    if not pair.phrases:
        foreign = any(dropped.reason == Drop.LANGUAGE for dropped in pair.dropped)
        return Rejected(Reason.LANGUAGE if foreign else Reason.NO_PHRASE)
    if not groundings:
        return Rejected(Reason.NO_BOX)
    texts = encode_texts(pair, groundings, settings)
    return texts if isinstance(texts, Rejected) else Kept(pair, tuple(groundings), texts)


def encode_texts(pair: Pair, groundings: Sequence[Grounding], settings: TextSettings) -> dict[str, str] | Rejected:
    """The pair's text in each configured dialect; rejected as `<dialect>_<code>` if one of them cannot carry it."""
    caption = GroundedCaption(pair.caption, choose_spans(groundings, settings.spans), pair.width, pair.height)
    written = {}
    for name in settings.dialect:
        try:
            written[name] = dialects.find(name).encode(caption)
        except CannotCarry as error:
            return Rejected(f"{name.partition(':')[0]}_{error}")
    return written
