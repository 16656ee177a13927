"""Which noun chunk a preposition, an adverb, a participle or a verb says something about.

The way leads up the tree, to a noun ("a cup on a table"), or to a verb and from there to its subject ("a cup that is
on a table", "a man sitting on a bench"). Where the parse is often wrong, or where a sentence has two readings, there is
no subject: parsers attach one in five prepositions to the wrong word, and a claim that the caption does not make is
worse than none.
"""

from transforms.claims.attachment import (
    STEPS,
    Subject,
    is_own,
    nearest_chunk,
    of_chunk,
    of_farther,
    of_nearest,
    wearer_of,
)
from transforms.claims.sentence import Sentence
from transforms.claims.verbs import of_verb
from transforms.claims.word_lists import forms_of, words_of
from transforms.records import Drop

_PLACES = frozenset(("in", "at", "on", "inside", "within"))
_BESIDE = frozenset(
    ("next_to", "near", "by", "in_front_of", "behind", "under", "against", "over", "above", "side_of", "across_from")
)


def find_subject(sentence: Sentence, first: int, last: int, predicate: str) -> Subject | None:
    """The subject of the words from `first` to `last`; None if it is in doubt."""
    anchor = _anchor(sentence, first, last)
    if anchor < 0:
        return None
    if (owned := _owned(sentence, first, last)) is not None:
        return owned
    if sentence.tags[anchor].startswith("VB") and sentence.deps[anchor] not in ("prep", "amod"):
        return of_verb(sentence, anchor, first, last, predicate, own=True)
    token = anchor
    for _ in range(STEPS):
        governor = sentence.heads[token]
        if governor == token:
            return None
        tag = sentence.tags[governor]
        if first <= governor <= last or governor in sentence.spent:
            token = governor
        elif tag.startswith("VB") and sentence.deps[governor] != "amod" and sentence.chunk_at[governor] < 0:
            return of_verb(sentence, governor, first, last, predicate)
        elif sentence.chunk_at[governor] >= 0:
            return _of_noun(sentence, governor, first, last, predicate)
        elif tag in ("IN", "RB", "JJ", "JJR", "TO", "RP") or sentence.deps[governor] in ("acomp", "advmod", "prep"):
            if sentence.deps[token] == "pobj" or sentence.deps[governor] == "conj":
                return None
            token = governor
        else:
            return None
    return None


def _owned(sentence: Sentence, first: int, last: int) -> Subject | None:
    """The towel of "a woman with a towel on her head", whatever the parser says. None if it is another wording."""
    if first == 0 or not is_own(sentence, last):
        return None
    number = sentence.chunk_at[first - 1]
    if number < 0 or sentence.chunks[number].first == 0:
        return None
    is_with = sentence.words[sentence.chunks[number].first - 1] == "with"
    return of_chunk(sentence, number) if is_with else None


def _anchor(sentence: Sentence, first: int, last: int) -> int:
    """The token of the words that depends on one outside of them, or is the root. -1 if there are two such tokens that
    depend on different ones."""
    found, outside = -1, -1
    for token in range(first, last + 1):
        head = sentence.heads[token]
        if (head == token or not first <= head <= last) and sentence.deps[token] != "punct":
            if found < 0:
                found, outside = token, head
            elif head not in (outside, found):
                return -1
    return found


def _of_noun(sentence: Sentence, noun: int, first: int, last: int, predicate: str) -> Subject | None:
    """The chunk of a noun that the words depend on, if it stands before them and no other can be meant."""
    number = sentence.chunk_at[noun]
    chunk = sentence.chunks[number]
    if chunk.first >= first:
        return None
    nearest = nearest_chunk(sentence, first)
    if chunk.drop is Drop.PICTURE and number != nearest:  # "a photo of a dog on a mat": not the photo
        return of_nearest(sentence, nearest, first, number)
    if number != nearest:
        return of_farther(sentence, number, nearest, first)
    governor = sentence.heads[sentence.top(number)]
    if sentence.deps[sentence.top(number)] == "dobj" and sentence.words[governor] in forms_of("acting"):
        return of_verb(sentence, governor, first, last, predicate)
    if (wearer := wearer_of(sentence, number)) != number:
        return of_chunk(sentence, wearer)
    return None if _in_doubt(sentence, number, last, predicate) else of_chunk(sentence, number)


def _in_doubt(sentence: Sentence, number: int, last: int, predicate: str) -> bool:
    """Whether the words may say something about an earlier noun or verb than the chunk right before them, although the
    parser says that they do not."""
    words, top = sentence.words, sentence.top(number)
    governor = sentence.heads[top]
    owned = is_own(sentence, last)
    if sentence.deps[top] == "dobj":  # "riding a wave on a board", "holding a bag in a park"
        return words[governor] not in forms_of("moving") and not (owned and words[governor] in forms_of("holding"))
    if sentence.deps[top] != "pobj":
        return False
    if words[governor] == "with":  # "a man with a bag in a park"
        return words[sentence.heads[governor]] in words_of("predicates", "people") and not owned
    return words[governor] in _PLACES and predicate in _BESIDE  # "a couch in a room next to a window"
