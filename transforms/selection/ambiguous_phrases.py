"""Phrases whose boxes could each belong to another phrase of the caption.

In "a dog on the left and a dog on the right", a detector that is asked for "a dog" gives both phrases the same boxes.
Suppression would leave all of them to the first one, which then also names the other dog.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from transforms.records import Pair, Phrase

_ARTICLE = re.compile(r"^(?:an?|another|one|the)\s+", re.IGNORECASE)
_INDEFINITE = re.compile(
    r"(?:an?|another|one|two|three|four|five|six|seven|eight|nine|ten|\d+|some|several|many)\s+", re.IGNORECASE
)
_DEFINITE = re.compile(r"^(?:the|this|these)\s+", re.IGNORECASE)


def ambiguous_phrases(pair: Pair) -> set[int]:
    """The numbers of the phrases of a pair that got the same boxes although they name several things.

    They have the same boxes with the same scores, and the same head. They name several things if their expressions
    differ in more than the article ("a dog on the left", "a dog on the right"), or if two of them have an indefinite
    article or a number: in "a woman in a hat beside a man in a hat" the hats are two, while "Munich, Munich" is one
    place. "The man" refers back in "The man in the red shirt has a bat. The man smiles." All candidates are compared,
    whatever their scores, so every threshold gives the same phrases.
    """
    answers: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    for box in pair.boxes:
        answers[box.phrase].append((*box.corners, box.score))
    alike: dict[tuple[str, tuple[tuple[float, ...], ...]], list[int]] = defaultdict(list)
    for number, boxes in answers.items():
        phrase = pair.phrases[number]
        alike[pair.caption[phrase.head_start : phrase.head_end].casefold(), tuple(sorted(boxes))].append(number)
    return {number for group in alike.values() if _name_several_things(pair, group) for number in group}


def _name_several_things(pair: Pair, numbers: Sequence[int]) -> bool:
    if len(numbers) < 2:
        return False
    first, *others = sorted((pair.phrases[number] for number in numbers), key=lambda phrase: phrase.start)
    phrases = [first, *(phrase for phrase in others if not _refers_back(pair, phrase, first))]
    words = [" ".join(pair.caption[p.expression_start : p.expression_end].casefold().split()) for p in phrases]
    if len({_ARTICLE.sub("", text) for text in words}) > 1:
        return True
    return sum(bool(_INDEFINITE.match(pair.text(phrase))) for phrase in phrases) > 1


def _refers_back(pair: Pair, phrase: Phrase, first: Phrase) -> bool:
    """Whether a phrase repeats words of an earlier one and adds none: "the dog" after "a black dog on a sofa", "Munich"
    after "Munich, Germany". It has no indefinite article, and is not part of that expression, as in "the dog next to
    the dog"."""
    text = pair.caption[phrase.expression_start : phrase.expression_end].casefold()
    words, earlier = _DEFINITE.sub("", text).split(), pair.text(first).casefold().split()
    repeats = words == earlier[-len(words) :]
    return repeats and not _INDEFINITE.match(text) and phrase.start >= first.expression_end
