"""The truth sheet: numbers that say how far the data can be trusted, without true boxes. All are sums over pairs.

A shard counts its own samples. The sums of shards are those of the pack, however pairs are split into shards. What
the numbers mean, and the figures that follow from them: docs/exports.md.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from transforms.claims.group_boxes import MEMBERS, without_groups
from transforms.claims.verdicts import Corners
from transforms.records import CharSpan, Grounding, Pair
from transforms.stated_numbers import numbers_in_words

RULES_VERSION = 1
"""Increase it with every change, also of the word lists, that changes the sums of the same records: sheets of different
versions are neither added nor counted again."""

Sums = Counter[str]
"""Sums by name of a field of `TruthSheet`."""


@dataclass(frozen=True)
class TruthSheet:
    """Sums over written pairs.

    group_boxes: boxes that cover several smaller boxes of their phrase. counted_phrases: phrases whose number words
    state, as `numbers_in_words`; exact_phrases: of these, those with an exact number; stated: their numbers;
    phrases_found: those with a box; phrase_boxes: their boxes; agreed: of these, those within the stated number;
    extra: the boxes beyond it of those without an exact number ("a dog").

    decoys: asked of the images of these pairs; decoy_pairs: pairs of which at least one was asked; decoys_found: those
    with a box at the threshold of the pack, beside the boxes of the caption; decoy_boxes: their boxes; absent: those of
    which the detector has no candidate at all, as in the records.

    rules: the version of the rules that these were counted by.
    """

    group_boxes: int = 0
    counted_phrases: int = 0
    exact_phrases: int = 0
    stated: int = 0
    phrases_found: int = 0
    phrase_boxes: int = 0
    agreed: int = 0
    extra: int = 0
    decoys: int = 0
    decoy_pairs: int = 0
    decoys_found: int = 0
    decoy_boxes: int = 0
    absent: int = 0
    rules: int = RULES_VERSION


@dataclass(frozen=True)
class AskedDecoys:
    """The decoys of a pair. found: with a box at the threshold. boxes: of all of them. absent: the texts of those
    without a candidate."""

    asked: int = 0
    found: int = 0
    boxes: int = 0
    absent: tuple[str, ...] = ()


NO_DECOYS = AskedDecoys()


def add_pair(sums: Sums, pair: Pair, groundings: Sequence[Grounding], decoys: AskedDecoys) -> None:
    """Adds a written pair, in place."""
    boxes: defaultdict[CharSpan, list[Corners]] = defaultdict(list)
    for grounding in groundings:
        boxes[grounding.phrase.start, grounding.phrase.end].append(grounding.box.corners)
    for found in boxes.values():
        if len(found) > MEMBERS:
            sums["group_boxes"] += len(found) - len(without_groups(tuple(found)))
    for span, stated in numbers_in_words(pair.caption, pair.claims).items():
        number = len(boxes.get(span, ()))
        sums["counted_phrases"] += 1
        sums["exact_phrases"] += stated.exact
        sums["stated"] += stated.number
        sums["phrases_found"] += number > 0
        sums["phrase_boxes"] += number
        sums["agreed"] += min(number, stated.number)
        sums["extra"] += 0 if stated.exact else max(number - 1, 0)
    if decoys.asked:
        sums["decoys"] += decoys.asked
        sums["decoy_pairs"] += 1
        sums["decoys_found"] += decoys.found
        sums["decoy_boxes"] += decoys.boxes
        sums["absent"] += len(decoys.absent)


def add_up(parts: Iterable[TruthSheet | None]) -> TruthSheet | None:
    """The sum of the sheets of shards; None if one is not known, if there are none, or if their rules differ."""
    sums, versions = Sums(), set[int]()
    for part in parts:
        if part is None:
            return None
        values = asdict(part)
        versions.add(values.pop("rules"))
        sums.update(values)
    return TruthSheet(**sums, rules=versions.pop()) if len(versions) == 1 else None
