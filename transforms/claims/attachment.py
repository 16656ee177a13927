"""Which of the noun chunks before some words these can belong to: helpers of `verbs` and `subjects`."""

from dataclasses import dataclass

from transforms.claims.sentence import Sentence
from transforms.claims.word_lists import words_of

STEPS = 6  # up the tree: longer chains are errors of the parser in nearly all captions


@dataclass(frozen=True, slots=True)
class Subject:
    """The chunks that something is said about, and whether the caption says that it is not so.

    chunks: their numbers. copular: whether the verb is "is" or "are".
    """

    chunks: tuple[int, ...]
    negated: bool = False
    copular: bool = False


def of_chunk(sentence: Sentence, number: int) -> Subject | None:
    """A chunk as subject; None if it is no phrase, or if the caption does not say that it is there."""
    return Subject((number,)) if sentence.chunks[number].is_stated else None


def nearest_chunk(sentence: Sentence, token: int) -> int:
    """The number of the last chunk before a token; -1 if there is none."""
    for before in range(token - 1, -1, -1):
        if sentence.chunk_at[before] >= 0:
            return sentence.chunk_at[before]
    return -1


def of_nearest(sentence: Sentence, nearest: int, first: int, governor: int) -> Subject | None:
    """The chunk right before the token `first`, if it comes after the chunk `governor`."""
    adjacent = nearest >= 0 and sentence.chunks[nearest].last == first - 1
    return of_chunk(sentence, nearest) if adjacent and nearest > governor else None


def of_farther(sentence: Sentence, number: int, nearest: int, first: int) -> Subject | None:
    """The words depend on a chunk, and another one is between: "a cup and a fork on a table", "a cup on a table by a
    door". Of coordinated nouns, only the last one is sure. In a chain of comparisons, "a cup left of a plate above a
    fork", each is made with the noun before it. Otherwise it is in doubt."""
    if nearest in sentence.compared or is_joined(sentence, nearest, number):
        return of_nearest(sentence, nearest, first, number)
    of = sentence.heads[sentence.top(nearest)]
    if sentence.words[of] == "of" and sentence.chunk_at[sentence.heads[of]] == number:  # "a vase of flowers on a table"
        return of_chunk(sentence, number)
    return None


def is_joined(sentence: Sentence, number: int, other: int) -> bool:
    """Whether "and" joins a chunk to an earlier one."""
    for _ in range(STEPS):
        top = sentence.top(number)
        if sentence.deps[top] != "conj":
            return False
        number = sentence.chunk_at[sentence.heads[top]]
        if number < 0 or number == other:
            return number == other
    return False


def wearer_of(sentence: Sentence, number: int) -> int:
    """The man of "a man in a suit": he sits on the chair, not the suit. The chunk itself if it is not worn."""
    chunk, governor = sentence.chunks[number], sentence.heads[sentence.top(number)]
    words = sentence.words[chunk.first : chunk.last + 1]
    if sentence.words[governor] != "in" or words_of("predicates", "clothes").isdisjoint(words):
        return number
    other = sentence.chunk_at[sentence.heads[governor]]
    return other if 0 <= other < number else number


def is_own(sentence: Sentence, last: int) -> bool:
    """Whether a possessive follows a token: "in his hand"."""
    return last + 1 < len(sentence.words) and sentence.tags[last + 1] == "PRP$"
