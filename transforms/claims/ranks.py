"""Which of several things is meant, by its place in a row or by its size: "the second dog from the right".

The number of a claim is 1 for the outermost or the largest thing. Of "the biggest of the dogs", the subject is "the
dogs": one of them is meant.
"""

from collections.abc import Iterator
from functools import cache

from transforms.claims.sentence import Sentence
from transforms.claims.word_lists import read_list, wordings_at
from transforms.records import Claim, ClaimKind, Drop


def read_ranks(sentence: Sentence) -> Iterator[Claim]:
    """The ranks, in the order of their words."""
    superlatives, ordinals = _superlatives(), _ordinals()
    for token, word in enumerate(sentence.words):
        if word in superlatives:
            yield from _superlative(sentence, token, superlatives[word])
        elif word in ordinals:
            yield from _ordinal(sentence, token, ordinals[word])


@cache
def _superlatives() -> dict[str, str]:
    return {word: name for name, words in read_list("predicates")["superlatives"].items() for word in words}


@cache
def _ordinals() -> dict[str, int]:
    ordinals: dict[str, int] = read_list("quantities")["ordinals"]
    return ordinals


def _superlative(sentence: Sentence, token: int, predicate: str) -> Iterator[Claim]:
    """ "The tallest object", "the second largest dog", "the biggest of the dogs". Not "one of the largest dogs"."""
    words = sentence.words
    first = token
    number = 1
    if token and words[token - 1] in _ordinals():
        first, number = token - 1, _ordinals()[words[token - 1]]
    if not first or words[first - 1] != "the" or words[max(first - 3, 0) : first - 1] == ["one", "of"]:
        return
    chunk = sentence.chunk_at[token]
    last = token
    if chunk < 0 or sentence.chunks[chunk].drop is not None or sentence.chunks[chunk].head == token:
        if token + 1 == len(words) or words[token + 1] != "of":
            return
        chunk, last = sentence.starting_at(token + 2), token + 1
        if chunk < 0 or sentence.chunks[chunk].drop is not None or not sentence.is_plural(sentence.chunks[chunk].head):
            return
    elif sentence.is_plural(sentence.chunks[chunk].head):
        return
    if sentence.chunks[chunk].is_stated:
        yield Claim(ClaimKind.RANK, *sentence.characters(first, last), *sentence.span(chunk), predicate, number)


def _is_a_detail(sentence: Sentence, chunk: int) -> bool:
    """Whether a chunk may describe the one that is ranked: "a man in a red shirt, second from the left". Not the dog of
    "a photo of a dog, second from the left"."""
    top = sentence.top(chunk)
    if sentence.deps[top] not in ("pobj", "dobj"):
        return False
    governor = sentence.heads[top]
    shown = sentence.chunk_at[sentence.heads[governor]]
    is_shown = sentence.words[governor] == "of" and shown >= 0 and sentence.chunks[shown].drop is Drop.PICTURE
    return not is_shown


def _ordinal(sentence: Sentence, token: int, number: int) -> Iterator[Claim]:
    """ "The second dog from the right", "the dog second from the right"."""
    inside = sentence.chunk_at[token]
    if inside >= 0 and sentence.chunks[inside].head != token:
        chunk, start = inside, sentence.chunks[inside].last + 1
    else:
        start = token + 1
        before = token - 1
        while before >= 0 and sentence.words[before] in (",", "the", "is"):
            before -= 1
        chunk = sentence.chunk_at[before] if before >= 0 else -1
        if chunk < 0 or sentence.chunks[chunk].last != before or _is_a_detail(sentence, chunk):
            return
    if not sentence.chunks[chunk].is_stated:
        return
    if sentence.is_plural(sentence.chunks[chunk].head):
        return
    for wording in reversed(wordings_at(sentence.words, start) if start < len(sentence.words) else []):
        end = start + len(wording.words)
        if wording.kind == "ordinals_from":
            if end < len(sentence.words) and sentence.words[end] == "of" and end + 1 < len(sentence.words):
                return  # "the second dog from the left of the house"
            yield Claim(
                ClaimKind.RANK, *sentence.characters(token, end - 1), *sentence.span(chunk), wording.predicate, number
            )
            return
