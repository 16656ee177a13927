"""How many things a noun chunk says there are.

A claim's predicate is "exactly", "at_least" or "none". An article says "at least one": "a dog" is also true of a
picture with two. A plural without a number says "at least two", and its words are the noun itself; `is_bare_plural`
recognises it. Nobody counts for a plural, and a detector often draws one box around all, so boxes never contradict it.

Where a word may be something else, there is no claim: sizes, times, years, names, "the other two", "about ten", "a
couple" without "of".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from transforms.claims.sentence import Sentence
from transforms.claims.stuff import is_stuff
from transforms.claims.word_lists import read_list, unreal, words_of
from transforms.records import Claim, ClaimKind

EXACTLY, AT_LEAST, NONE = "exactly", "at_least", "none"

_MOST = 100  # a larger number is a name, a year or a guess
_UNCOUNTED = 12  # "dozens"
_ARTICLES = frozenset(("a", "an", "another", "one"))
_DEFINITE = frozenset(("the", "these", "those", "all", "his", "her", "its", "their", "our", "my", "your", "both"))
_RANGE = frozenset(("or", "to", "-", "–", "and/or"))
_NEGATIONS = frozenset(("not", "n't", "never", "n’t"))


@dataclass(frozen=True, slots=True)
class _Count:
    """What words say, and the first and the last token that say it."""

    predicate: str
    number: int
    first: int
    last: int


def is_bare_plural(claim: Claim) -> bool:
    """Whether a count is stated by a plural alone, "dogs": its words are the noun, which ends the subject.

    The words of other counts stand before the noun.
    """
    return claim.kind is ClaimKind.COUNT and claim.words_end == claim.subject_end


def read_counts(sentence: Sentence) -> Iterator[Claim]:
    """The counts of a caption's noun chunks. Sets `absent` of the chunks that the caption does not say are there."""
    negated = _negated_verbs(sentence)
    for number, chunk in enumerate(sentence.chunks):
        if chunk.drop is not None:
            continue
        found = _none(sentence, number, negated)
        if found is None and not chunk.absent and not is_stuff(sentence.words[chunk.head]):
            found = _partitive(sentence, number) or _count(sentence, chunk.first, chunk.head)
        if found is not None:
            words = sentence.characters(found.first, found.last)
            yield Claim(ClaimKind.COUNT, *words, *sentence.span(number), found.predicate, found.number)


def _none(sentence: Sentence, number: int, negated: frozenset[int]) -> _Count | None:
    """ "No dog", "without a dog", "there is not a dog". None if the chunk is there, or if its verb is negated."""
    chunk = sentence.chunks[number]
    first, words = chunk.first, sentence.words
    if words[first] == "no":
        chunk.absent = True
        is_sign = words[first + 1 : first + 2] and words[first + 1] in words_of("quantities", "signs")
        return None if is_sign or _is_name(sentence, number) else _Count(NONE, 0, first, first)
    if first and words[first - 1] == "without":
        chunk.absent = True
        if _is_name(sentence, number):
            return None
        return _Count(NONE, 0, first - 1, first if words[first] == "any" else first - 1)
    if sentence.before(first, 2) in unreal() or sentence.before(first, 1) in unreal():
        chunk.absent = True
        return None
    top = sentence.top(number)
    governor = sentence.heads[top]
    if sentence.deps[top] == "conj":  # "without a hat or a coat"
        other = sentence.chunk_at[governor]
        if 0 <= other < number and sentence.chunks[other].absent:
            chunk.absent = True
            return None
    there = governor in negated and sentence.children(governor, "expl")
    if governor in negated and (there or sentence.deps[top] in ("attr", "dobj", "oprd")):
        chunk.absent = True
        negation = next(iter(sentence.children(governor, "neg")), -1)
        if there and 0 <= negation < first and words[first] in ("a", "an", "any", "one"):
            return _Count(NONE, 0, negation, first)
    return None


def _is_name(sentence: Sentence, number: int) -> bool:
    """Whether a chunk is a name, "No Shoes Nation", or begins with the number of one, "No 7"."""
    chunk = sentence.chunks[number]
    return sentence.tags[chunk.head] in ("NNP", "NNPS") or any(
        sentence.tags[token] == "CD" and sentence.words[token].isdigit() for token in range(chunk.first, chunk.head)
    )


def _negated_verbs(sentence: Sentence) -> frozenset[int]:
    if _NEGATIONS.isdisjoint(sentence.words):
        return frozenset()
    return frozenset(
        head for word, head, dep in zip(sentence.words, sentence.heads, sentence.deps, strict=True) if dep == "neg" and word in _NEGATIONS
    )


def _partitive(sentence: Sentence, number: int) -> _Count | None:
    """ "Two of the dogs": at least two of them are there. "One of the dogs": at least one."""
    chunk = sentence.chunks[number]
    words, first = sentence.words, chunk.first
    if first < 2 or words[first - 1] != "of" or words[first] not in _DEFINITE or not sentence.is_plural(chunk.head):  # noqa: PLR2004
        return None
    before = first - 2
    if sentence.chunk_at[before] >= 0 and sentence.chunks[sentence.chunk_at[before]].drop is None:
        return None
    value = 1 if words[before] == "one" else _value(words[before])
    if words[before] in ("both", "several", "many", "few", "couple", "some"):
        value = 2
    return _Count(AT_LEAST, value, before, first - 1) if value else None


def _count(sentence: Sentence, first: int, head: int) -> _Count | None:
    """What the words of a chunk up to its head say."""
    words = sentence.words
    if first > 1 and words[first - 1] == "of" and words[first - 2] in _measures() and first == head:
        return _Count(AT_LEAST, 2, first - 2, first - 1) if sentence.is_plural(head) else None
    for token in range(first + 1, head - 1):
        if words[token] == "of" and token + 1 < head + 1:
            return _measured(sentence, first, token, head)
    if head - 1 > first and words[head - 1] == "of":
        return _measured(sentence, first, head - 1, head)
    return _plain(sentence, first, head)


def _measured(sentence: Sentence, first: int, of: int, head: int) -> _Count | None:
    """ "A couple of dogs", "two slices of pizza": `of` is the token after the measure."""
    words = sentence.words
    measure, word = of - 1, words[of - 1]
    inner = _count(sentence, of + 1, head)
    if word in words_of("quantities", "portions"):
        return _plain(sentence, first, measure)
    counted = inner is not None and not _is_bare(inner, head)
    plural = sentence.is_plural(head)
    if word in ("pair", "pairs") and words[head] in words_of("quantities", "pairs_of_one"):
        return _pair_of_one(sentence, first, measure, of)
    if word in ("few", "couple", "lot", "dozen") and words[first] in ("the", "this", "that", "last", "first"):
        return None
    if word in words_of("quantities", "uncounted"):
        return _dozens(sentence, first, measure, of) if plural else None
    if word in words_of("quantities", "herds"):
        return inner if counted else _Count(AT_LEAST, 2, first, of)
    if word not in _measures():
        return None
    if counted and inner is not None and inner.predicate == EXACTLY:  # "a group of three dogs"
        return inner
    number = _measures()[word]
    single = measure == first or words[first] in ("a", "the", "an", "this", "that", "another", "each")
    if number and single and (plural or number == 2) and not _is_qualified(sentence, first, measure):  # noqa: PLR2004
        return _Count(EXACTLY, number, first, of)
    return _Count(AT_LEAST, 2, first, of) if plural else None


def _pair_of_one(sentence: Sentence, first: int, measure: int, of: int) -> _Count | None:
    """ "A pair of scissors" is one thing, "two pairs of scissors" are two."""
    value = next((value for token in range(first, measure) if (value := _value(sentence.words[token]))), 0)
    if value:
        return None if _is_inexact(sentence, first, measure) else _Count(EXACTLY, value, measure - 1, of)
    return _Count(AT_LEAST, 1, first, of) if sentence.words[first] in _ARTICLES else None


def _is_qualified(sentence: Sentence, first: int, measure: int) -> bool:
    """Whether words before a measure make its number inexact: "about a dozen of", "half a dozen of", "two pair of"."""
    words = sentence.words[first:measure]
    return _is_inexact(sentence, first, measure) or any(word == "half" or _value(word) for word in words)


def _is_inexact(sentence: Sentence, first: int, token: int) -> bool:
    """Whether the words before a number say that it is none: "number 5", "about ten", "the other two"."""
    inside, words = sentence.words[first:token], words_of("quantities", "not_counted")
    if any(word in words for word in inside):
        return True
    return token == first > 0 and sentence.words[first - 1] in words_of("quantities", "names")


def _dozens(sentence: Sentence, first: int, measure: int, of: int) -> _Count:
    """ "Dozens of people": at least twelve. "A dozen of": twelve."""
    words = sentence.words
    if words[measure] == "dozen" and not _is_qualified(sentence, first, measure) and "couple" not in words[first:measure]:
        return _Count(EXACTLY, _UNCOUNTED, first, of)
    return _Count(AT_LEAST, _UNCOUNTED, first, of)


def _is_bare(count: _Count, head: int) -> bool:
    return count.last == head


def _plain(sentence: Sentence, first: int, head: int, of: int = -1) -> _Count | None:
    """What a chunk without "of" says. of: the last token that states it, if that is an "of" after the head."""
    words = sentence.words
    if any(sentence.tags[token] == "POS" for token in range(first, head)):
        return None  # "two men's bikes", "a man's hat"
    for token in range(first, head):
        if words[token] == "one":
            break
        value = _value(words[token])
        if value:
            return _numeral(sentence, first, token, head, of)
        if sentence.tags[token] == "CD":
            return None
    word, last = words[first], max(first, of)
    noun = words[head]
    plural = sentence.is_plural(head)
    one_thing = noun in words_of("quantities", "pairs_of_one")
    if first == head:
        return _bare_plural(sentence, head, one_thing)
    if word in ("a", "an") and words[first + 1] in ("few", "couple"):
        return _Count(AT_LEAST if words[first + 1] == "few" else EXACTLY, 2, first, first + 1) if plural else None
    if word in ("a", "an") and words[first + 1] in words_of("quantities", "several"):  # "a few", "a many"
        return _Count(AT_LEAST, 2, first, first + 1) if plural else None
    if word in _ARTICLES:
        return None if one_thing or plural or (noun in _halves() and head == first + 1) else _Count(AT_LEAST, 1, first, last)
    if word == "both":
        joins = "and" in words[first : head + 2]  # "both men and women"
        return _Count(EXACTLY, 2, first, first) if plural and not joins and not one_thing else None
    if word == "few":  # it says rather that there are not many
        return None
    quantity = next((token for token in range(first, min(first + 3, head)) if words[token] in words_of("quantities", "several")), -1)
    if quantity >= 0 and plural:
        if words[quantity] in ("both", "few", "couple"):
            return _bare_plural(sentence, head, one_thing)
        return None if one_thing and words[quantity] == "some" else _Count(AT_LEAST, 2, first, quantity)
    if word in ("each", "every", "either", "neither", "no", "any"):
        return None
    return _bare_plural(sentence, head, one_thing)


def _bare_plural(sentence: Sentence, head: int, one_thing: bool) -> _Count | None:
    word = sentence.words[head]
    if one_thing or sentence.tags[head] not in ("NNS", "NN") or not sentence.is_plural(head):
        return None
    if word in words_of("quantities", "uncountable"):
        return None
    if word in words_of("quantities", "units") or word in words_of("quantities", "numbers") or word in _measures():
        return None
    return _Count(AT_LEAST, 2, head, head)


@cache
def _halves() -> frozenset[str]:
    """Nouns that are no thing without "of": after "a", they say nothing about a number."""
    singular = {"couple", "pair", "lot", "bit", "few", "dozen", "hundred", "thousand", "group", "bunch", "half", "number"}
    return frozenset(singular)


def _numeral(sentence: Sentence, first: int, token: int, head: int, of: int) -> _Count | None:
    """What a number says: the number of things, if it stands before a plural that is no unit."""
    words = sentence.words
    value, last = _value(words[token]), token
    plural = sentence.is_plural(head) or (words[head] in _same_plural() and value > 1)
    if not plural or _is_inexact(sentence, first, token):
        return None
    if last + 1 < head and words[last + 1] == "-" and last + 2 < head and _value(words[last + 2]):
        last += 1
    if last + 2 <= head and (words[last + 1] in _RANGE or words[max(token - 1, 0)] == "between") and _value(words[last + 2]):
        return _counted(sentence, AT_LEAST, min(value, _value(words[last + 2])), first, last + 2, head, of)
    if value % 10 == 0 and 20 <= value < _MOST and last + 1 < head and 0 < _value(words[last + 1]) < 10:  # noqa: PLR2004
        value, last = value + _value(words[last + 1]), last + 1
    elif words[last] != "dozen" and last + 1 < head and words[last + 1] == "dozen":
        value, last = value * _UNCOUNTED, last + 1
    elif words[last] == "dozen" and "half" in words[max(token - 2, 0) : token]:
        value = _UNCOUNTED // 2
    if last + 1 < head and (words[last + 1] in words_of("quantities", "uncounted") or sentence.tags[last + 1] == "CD"):
        return None
    predicate = EXACTLY
    if {"more", "other", "additional", "extra"}.intersection(words[last + 1 : head]):
        predicate = AT_LEAST
    if words_of("quantities", "at_least").intersection(words[max(token - 2, 0) : token]):
        predicate = AT_LEAST
    if "couple" in words[max(token - 2, 0) : token]:
        predicate, value = AT_LEAST, _UNCOUNTED
    return _counted(sentence, predicate, value, first, last, head, of)


def _counted(
    sentence: Sentence, predicate: str, value: int, first: int, last: int, head: int, of: int
) -> _Count | None:
    units = words_of("quantities", "units")
    words = sentence.words
    if words[head] in units or (last + 1 < head and words[last + 1] in units):
        return None
    if words[head] in words_of("quantities", "pairs_of_one") and of < 0:
        return None
    start = first if words[first] in ("a", "an", "at", "more", "all", "half", "over") else last
    while start > first and (_value(words[start - 1]) or words[start - 1] in _RANGE):
        start -= 1
    return _Count(predicate, value, start, max(last, of))


def _same_plural() -> frozenset[str]:
    return words_of("quantities", "same_plural")


@cache
def _measures() -> dict[str, int]:
    measures: dict[str, int] = read_list("quantities")["measures"]
    return measures


@cache
def _numbers() -> dict[str, int]:
    numbers: dict[str, int] = read_list("quantities")["numbers"]
    return numbers


def _value(word: str) -> int:
    """The number that a word is, from 2 to 100; 0 if it is none."""
    value = _numbers().get(word, 0)
    if not value and word.isascii() and word.isdigit() and len(word) <= 3 and not word.startswith("0"):  # noqa: PLR2004
        value = int(word)
    return value if 1 < value <= _MOST else 0
