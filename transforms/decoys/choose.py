"""The pairs of a chunk -> the decoys of each pair: phrases of other pairs whose thing its caption does not name.

The choice depends on the phrases of the chunk's pairs alone, as detections have them: on no box, and not on whether a
pair has failed. An image that could not be fetched, and a retry of the failed rows, therefore change no decoy.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transforms.grit_record import uid
from transforms.phrases.class_names import class_name, singular
from transforms.phrases.same_things import is_everywhere, related
from transforms.records import ImageRef, Pair, Phrase

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_LONGEST = 3
"""Words of the longest name in `same_things.yaml`, such as "double decker bus"."""


@dataclass(frozen=True)
class _Donor:
    """A phrase that may become a decoy. number: of its pair in the chunk. names: of its thing."""

    number: int
    phrase: Phrase
    names: tuple[str, ...]
    related: frozenset[str]


def choose_decoys(pairs: Sequence[Pair], number: int) -> list[Pair]:
    """The pairs as they are asked for decoys: with at most `number` decoys as phrases of a caption that has only them.

    A decoy is a phrase of a pair with another image. No caption of the pair's own image in this chunk has its head, or
    a word that may name the same thing, a kind, a part or a companion of it (`same_things.yaml`). Two decoys of a pair
    are not related in this way either. Each occurrence of a phrase is equally likely, so that decoys are distributed
    as the phrases that a run asks for; the uid of the pair is the seed.

    Args:
      pairs: all pairs of a chunk, in order.

    Returns:
      A pair for each one, without boxes. Pairs without phrases get no decoys: they have failed before, or a filter or
      the language gate rejected them.
    """
    donors = list(_donors(pairs))
    own: dict[object, set[str]] = {}
    for pair in pairs:
        own.setdefault(_image(pair.image), set()).update(_names(pair.caption))
    for donor in donors:
        own[_image(pairs[donor.number].image)].update(donor.names)
    chosen = []
    for pair in pairs:
        image = _image(pair.image)
        others = (donor for donor in _shuffled(donors, pair) if _image(pairs[donor.number].image) != image)
        picked = _pick(others, own[image], number) if pair.phrases and not pair.filtered else []
        chosen.append(_as_pair(pair, [(pairs[donor.number], donor.phrase) for donor in picked]))
    return chosen


def _donors(pairs: Sequence[Pair]) -> Iterator[_Donor]:
    for number, pair in enumerate(pairs):
        for phrase in pair.phrases:
            head = pair.caption[phrase.head_start : phrase.head_end]
            name = class_name(pair.caption, phrase.start, (phrase.head_start, phrase.head_end))
            names = tuple(dict.fromkeys((name, singular(head.lower()))))
            if all(names) and not any(map(is_everywhere, names)):
                yield _Donor(number, phrase, names, frozenset().union(*map(related, names)))


def _names(caption: str) -> set[str]:
    """All names that a caption may have: its words in the singular, and up to three of them in a row."""
    words = [singular(word.lower()) for word in _WORD.findall(caption)]
    return {
        " ".join(words[start : start + length])
        for length in range(1, _LONGEST + 1)
        for start in range(len(words) - length + 1)
    }


def _image(image: ImageRef) -> object:
    """Equal for captions of one image. An image that was not read has no digest."""
    return image.digest or (image.uri, image.row, image.offset, image.part)


def _shuffled(donors: Sequence[_Donor], pair: Pair) -> Iterator[_Donor]:
    """The donors in random order, drawn one by one, because few of them are needed.

    `random` of Python's generator gives the same numbers in every version of Python.
    """
    generator = random.Random(uid(pair.source, pair.index))
    moved: dict[int, int] = {}  # a Fisher-Yates shuffle that stores only what it moved
    for left in range(len(donors), 0, -1):
        at = int(generator.random() * left)
        yield donors[moved.get(at, at)]
        moved[at] = moved.get(left - 1, left - 1)


def _pick(donors: Iterator[_Donor], named: set[str], number: int) -> list[_Donor]:
    """The first `number` donors that are related to nothing that is named, and not to each other."""
    picked: list[_Donor] = []
    taken: set[str] = set()
    for donor in donors if number else ():
        if taken.isdisjoint(donor.names) and named.isdisjoint(donor.related):
            picked.append(donor)
            taken |= donor.related
            if len(picked) == number:
                break
    return picked


def _as_pair(pair: Pair, decoys: Sequence[tuple[Pair, Phrase]]) -> Pair:
    """The pair with a caption of these phrases, each from the start to the end of its referring expression."""
    caption, phrases = "", []
    for donor, phrase in decoys:
        start, end = phrase.expression_start, phrase.expression_end
        by = len(caption) - start
        offsets = (phrase.start, phrase.end, phrase.head_start, phrase.head_end, start, end)
        phrases.append(Phrase(*(offset + by for offset in offsets)))
        caption += f"{donor.caption[start:end]}. "
    return Pair(
        *(pair.key, pair.source, pair.index, caption.rstrip(), pair.image, pair.data),
        width=pair.width,
        height=pair.height,
        filtered=pair.filtered,
        phrases=tuple(phrases),
        error=pair.error,
        meta=pair.meta,
    )
