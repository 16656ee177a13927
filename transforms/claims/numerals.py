"""Numbers before a noun: "two dogs", "3 or 4 dogs", "twenty five dogs", "half a dozen eggs"; not "number 5"."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from transforms.claims.sentence import NEGATIONS, Sentence
from transforms.claims.word_lists import read_list, words_of
from transforms.records import AT_LEAST, EXACTLY, NONE

UNCOUNTED = 12
"""The number of "dozens", "hundreds" and "thousands", which nobody has counted."""

_MOST = 100  # a larger number is a name, a year or a guess
_RANGE = frozenset(("or", "to", "-", "–", "and/or"))
_DASHES = frozenset(("-", "–", "—", "~", "/"))
_BETWEEN = _RANGE | {"and", "("}
MORE = frozenset(("more", "other", "additional", "extra"))
ONLY = frozenset(("only", "just", "exactly", "precisely", "merely"))
_BOUNDS_AFTER = {
    **dict.fromkeys(("at least", "minimum", "min"), AT_LEAST),
    **dict.fromkeys(("at most", "maximum", "max", "tops"), NONE),
}
_FINITE = frozenset(("VBZ", "VBP", "VBD", "MD"))
_RESTRICTS = frozenset(("with", "without", "who", "whose", "which", "that"))


@dataclass(frozen=True, slots=True)
class Count:
    """What words say, and the first and the last token that say it."""

    predicate: str
    number: int
    first: int
    last: int


def numeral(sentence: Sentence, first: int, token: int, head: int, of: int) -> Count | None:
    """What a number says: the number of things, if it stands before a plural that is no unit."""
    words = sentence.words
    value, last = value_of(words[token]), token
    plural = sentence.is_plural(head) or (words[head] in _same_plural() and value > 1)
    if not plural or is_inexact(sentence, first, token) or _is_of_a_name(sentence, first, token, head):
        return None
    if "-" in words[token]:  # "3-4 dogs"
        return _counted(sentence, AT_LEAST, value, first, last, head, of)
    is_range = words[last + 1] in _RANGE or words[max(token - 1, 0)] == "between"
    if last + 2 <= head and is_range and value_of(words[last + 2]):
        return _counted(sentence, AT_LEAST, min(value, value_of(words[last + 2])), first, last + 2, head, of)
    if value % 10 == 0 and 20 <= value < _MOST and last + 1 < head and 0 < value_of(words[last + 1]) < 10:
        value, last = value + value_of(words[last + 1]), last + 1
    elif words[last] != "dozen" and last + 1 < head and words[last + 1] == "dozen":
        value, last = value * UNCOUNTED, last + 1
    elif words[last] == "dozen" and "half" in words[max(token - 2, first) : token]:
        value = UNCOUNTED // 2
    if last + 3 < head and words[last + 1] == "(" and value_of(words[last + 2]) == value:  # "two (2) dogs"
        last += 3
    if last + 1 < head and (words[last + 1] in words_of("quantities", "uncounted") or sentence.tags[last + 1] == "CD"):
        return None
    if not words_of("quantities", "upper_bounds").isdisjoint(words[last + 1 : head]):  # "two or fewer dogs"
        return None
    if words[last + 1 : last + 3] == ["or", "so"]:  # "ten or so dogs"
        return None
    if words[last + 1] == "(" and not _bounds().isdisjoint(words[last + 2 : head]):  # "two (at least) dogs"
        return None
    if has_more_numbers(sentence, first, token, last, head) or is_of_others(sentence, token, head):
        return None
    predicate = EXACTLY
    if not MORE.isdisjoint(words[last + 1 : head]):
        predicate = AT_LEAST
    bound = bound_of(sentence, first, token, head)
    if bound is NONE:
        return None
    if bound:
        predicate = AT_LEAST
    if "couple" in words[max(token - 2, first) : token]:  # "a couple dozen eggs", not "a couple with two kids"
        predicate, value = AT_LEAST, UNCOUNTED
    return _counted(sentence, predicate, value, first, last, head, of)


def is_of_others(sentence: Sentence, token: int, head: int) -> bool:
    """Whether "only" before a number may say that there are others: "only two are brown", "only two wearing hats". Not
    "there are only two"."""
    if not token or sentence.words[token - 1] not in ONLY:
        return False
    after = sentence.chunks[sentence.chunk_at[head]].last + 1
    if after < len(sentence.words) and (sentence.words[after] in _RESTRICTS or sentence.tags[after] in ("VBG", "VBN")):
        return True
    top = sentence.top(sentence.chunk_at[head])
    verb = sentence.heads[top]
    if sentence.deps[top] not in ("nsubj", "nsubjpass") or sentence.children(verb, "expl"):
        return False
    return sentence.tags[verb] in _FINITE or bool(sentence.children(verb, "aux", "auxpass"))


def _counted(sentence: Sentence, predicate: str, value: int, first: int, last: int, head: int, of: int) -> Count | None:
    units = words_of("quantities", "units")
    words = sentence.words
    if words[head] in units | words_of("quantities", "headlines") or (last + 1 < head and words[last + 1] in units):
        return None
    if words[head] in words_of("quantities", "pairs_of_one") and of < 0:
        return None
    start = first if words[first] in ("a", "an", "at", "more", "all", "half", "over") else last
    while start > first and (value_of(words[start - 1]) or words[start - 1] in _BETWEEN):
        start -= 1
    return Count(predicate, value, start, max(last, of))


def has_more_numbers(sentence: Sentence, first: int, token: int, last: int, head: int) -> bool:
    """Whether a chunk has another number, which is added or multiplied: "two red and three blue cars", "two by four
    boards", "two and a half men", "a red and two blue cars"."""
    after = sentence.words[last + 1 : head]
    if any(value_of(word) or word in ("one", "half", "by", "x", "×") for word in after):
        return True
    return "CD" in sentence.tags[last + 1 : head] or "and" in sentence.words[first:token]


def bound_of(sentence: Sentence, first: int, token: int, head: int) -> str:
    """ "At_least" after "at least", "over", "more than"; "none" after what says that there may be fewer; otherwise "".
    token: the number, "couple" or "dozen", of a chunk that begins with the token `first`."""
    bounds = (_bound_before(sentence, first, token), _bound_after(sentence, head))
    return NONE if NONE in bounds else max(bounds)


def _bound_before(sentence: Sentence, first: int, token: int) -> str:
    """Words outside of the chunk count only where they can belong to nothing else: a plane flies "over two cars"."""
    words = sentence.words
    while token > first and words[token - 1] in ("a", "an", "half"):  # "more than half a dozen"
        token -= 1
    inside = words[max(token - 2, first) : token]
    three, *before = ("", "", "", *words[:token])[-3:]
    is_outside = token == first
    if before == ["at", "most"] or before in (["many", "as"], ["few", "as"]) or (is_outside and before == ["up", "to"]):
        return NONE
    if before[1] in ("than", "of") and before[0] in words_of("quantities", "upper_bounds"):  # "a maximum of"
        return NONE
    if not words_of("quantities", "at_least").isdisjoint(inside) or before[1] == "least":
        return AT_LEAST
    if before[1] == "than" and before[0] in words_of("quantities", "more_than"):
        return NONE if three in NEGATIONS | {"no"} else AT_LEAST
    opens = before[0] in ("", "is", "are", "was", "were")
    if before[1] in ("under", "below"):  # "a room with under ten people", but not "a man under two umbrellas"
        return NONE if opens or before[0] in ("with", "has", "have", "of") else ""
    return AT_LEAST if before[1] == "over" and opens and first < 3 else ""


def _bound_after(sentence: Sentence, head: int) -> str:
    """The same of "two dogs at least", "two dogs at the very most", "two dogs max"."""
    after = [word for word in sentence.words[head + 1 : head + 5] if word not in ("the", "very")]
    return _BOUNDS_AFTER.get(" ".join(after[:2]), "") or _BOUNDS_AFTER.get("".join(after[:1]), "")


def is_inexact(sentence: Sentence, first: int, token: int) -> bool:
    """Whether the words before a number say that it is none: "number 5", "about ten", "the other two"."""
    inside = sentence.words[first:token]
    if is_approximate(inside) or not words_of("quantities", "not_counted").isdisjoint(inside):
        return True
    if token != first or not first:
        return False
    before = sentence.words[first - 1]
    if before == "." and first > 1:  # "approx. ten dogs"
        before = sentence.words[first - 2] + "."
    if before in _DASHES and first > 1 and sentence.tags[first - 2] == "CD":  # "10 - 20 dogs": "20 dogs"
        return True
    is_capacity = sentence.words[first - 1] == "for" and first > 1 and _takes(sentence.words[first - 2])
    return is_capacity or before in words_of("quantities", "names")


def is_approximate(words: Iterable[str]) -> bool:
    """Whether the words before a number, "couple" or "dozen" say that it may be another one: "about", "fewer than"."""
    return not words_of("quantities", "approximate").isdisjoint(words)


def _bounds() -> frozenset[str]:
    return words_of("quantities", "approximate") | words_of("quantities", "at_least") | words_of("quantities", "names")


def _takes(word: str) -> bool:
    """Whether a thing "for six guests" is for as many as that, and they need not be there."""
    return word in words_of("quantities", "for_so_many")


def _is_of_a_name(sentence: Sentence, first: int, token: int, head: int) -> bool:
    """Whether a number belongs to a name or a headline: "Canon 5 D lenses", "phone 5 cases", "10 best dogs"."""
    tags, words = sentence.tags, sentence.words
    if token > first and tags[token - 1] in ("NN", "NNS") and words[token - 1] not in ("couple", "half"):
        return True
    before = token - 1
    if sentence.is_name(head):
        return True
    # "Near Nine West shoes"; "Nine West shoes" alone may be a name, too.
    if token in sentence.capitals and (not sentence.is_first(token) or sentence.is_name(token + 1)):
        return True
    if token and (sentence.is_name(before) or tags[before] == "CD" or _is_letter(words[before])):
        return True
    after = range(token + 1, head)
    return any(tags[at] in ("JJS", "RBS") or words[at] == "best" or _is_letter(words[at]) for at in after)


def _is_letter(word: str) -> bool:
    return len(word) == 1 and word.isalpha() and word != "a"


def value_of(word: str) -> int:
    """The number that a word is, from 2 to 100, of "3-4" the lower one; 0 if it is none."""
    first, hyphen, second = word.partition("-")
    if hyphen:
        both = (value_of(first), value_of(second)) if "-" not in second else (0, 0)
        return min(both) if both[0] < both[1] else 0
    value = _numbers().get(word, 0)
    if not value and word.isascii() and word.isdigit() and len(word) <= 3 and not word.startswith("0"):
        value = int(word)
    return value if 1 < value <= _MOST else 0


@cache
def _numbers() -> dict[str, int]:
    numbers: dict[str, int] = read_list("quantities")["numbers"]
    return numbers


def _same_plural() -> frozenset[str]:
    return words_of("quantities", "same_plural")
