"""Phrases -> detector prompts, as token ids with the token span of every phrase.

Grounding DINO reads a prompt such as "a dog . a field .", in which the tokens of a phrase attend only to each other.
[CLS], [SEP], "." and "?" are the borders (SPECIAL_TOKENS in transformers' modeling_grounding_dino). A prompt is built
from the token ids of its phrases, so the span of each phrase is known. It equals the span from the tokenizer's offsets.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.records import Drop

CLS, SEP, PERIOD, QUESTION_MARK = 101, 102, 1012, 1029
BORDERS = frozenset((CLS, SEP, PERIOD, QUESTION_MARK))
"""BERT's ids for [CLS], [SEP], "." and "?". They are constants in the model class."""

_PAD = 0
_SPECIAL_TOKENS = 2  # [CLS] before and [SEP] after the phrases


@dataclass(frozen=True)
class Prompt:
    """The token ids of one prompt. `spans[i]` is the token range of phrase number `phrases[i]`, end exclusive."""

    ids: tuple[int, ...]
    phrases: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class PackedPrompts:
    """The prompts that together contain each phrase of a pair once, and the phrases that do not fit in any prompt."""

    prompts: tuple[Prompt, ...]
    dropped: dict[int, Drop]


def normalize(phrase: str) -> str:
    """The phrase as in a prompt: lower-case, "." and "?" replaced by spaces, runs of blanks replaced by one space."""
    return " ".join(phrase.lower().replace(".", " ").replace("?", " ").split())


def tokenize(tokenizer: Any, phrase: str) -> tuple[int, ...]:
    """The token ids of a phrase, without special tokens. "[SEP]" in the caption is tokenized as plain text."""
    ids = tokenizer(normalize(phrase), add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return tuple(i for i in ids if i not in BORDERS and i != _PAD)


def build_prompts(tokenizer: Any, phrases: Sequence[str], limit: int) -> PackedPrompts:
    """Packs phrases, in order, into as few prompts of at most `limit` tokens as that order allows.

    No phrase is truncated. A phrase that is too long for a prompt, or has no token, is dropped with its reason.
    """
    dropped: dict[int, Drop] = {}
    fitting: list[tuple[int, tuple[int, ...]]] = []
    for number, phrase in enumerate(phrases):
        ids = tokenize(tokenizer, phrase)
        if not ids:
            dropped[number] = Drop.NO_TOKEN
        elif len(ids) + 1 + _SPECIAL_TOKENS > limit:
            dropped[number] = Drop.TOO_LONG
        else:
            fitting.append((number, ids))
    return PackedPrompts(tuple(_joined(group) for group in _packed(fitting, limit)), dropped)


def _packed(phrases: Iterable[tuple[int, tuple[int, ...]]], limit: int) -> Iterable[list[tuple[int, tuple[int, ...]]]]:
    group: list[tuple[int, tuple[int, ...]]] = []
    used = _SPECIAL_TOKENS
    for number, ids in phrases:
        if group and used + len(ids) + 1 > limit:
            yield group
            group, used = [], _SPECIAL_TOKENS
        group.append((number, ids))
        used += len(ids) + 1
    if group:
        yield group


def _joined(group: list[tuple[int, tuple[int, ...]]]) -> Prompt:
    joined = [CLS]
    spans = []
    for _, ids in group:
        spans.append((len(joined), len(joined) + len(ids)))
        joined += [*ids, PERIOD]
    return Prompt((*joined, SEP), tuple(number for number, _ in group), tuple(spans))
