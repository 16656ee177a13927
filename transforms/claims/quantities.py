"""What the words of one noun chunk say about a number: an article, a number, "several", "a couple of", a plural."""

from functools import cache

from transforms.claims.numerals import UNCOUNTED, Count, bound_of, is_approximate, is_inexact, numeral, value_of
from transforms.claims.sentence import Sentence
from transforms.claims.single import single_count
from transforms.claims.word_lists import read_list, words_of
from transforms.records import AT_LEAST, EXACTLY, NONE

_ARTICLES = frozenset(("a", "an", "another", "one", "1"))


def count_of(sentence: Sentence, first: int, head: int) -> Count | None:
    """What the words of a chunk up to its head say."""
    words = sentence.words
    if first > 1 and words[first - 1] == "of" and words[first - 2] in measures() and first == head:
        return Count(AT_LEAST, 2, first - 2, first - 1) if sentence.is_plural(head) else None
    of = next((token for token in range(first + 1, head) if words[token] == "of"), -1)
    return _measured(sentence, first, of, head) if of > 0 else plain_count(sentence, first, head)


def plain_count(sentence: Sentence, first: int, head: int, of: int = -1) -> Count | None:
    """What a chunk without "of" says. of: the last token that states it, if that is an "of" after the head."""
    words = sentence.words
    if any(sentence.tags[token] == "POS" for token in range(first, head)):
        return None  # "two men's bikes", "a man's hat"
    if found := single_count(sentence, first, head, of):
        return found
    for token in range(first, head):
        if words[token] == "one" or (words[token] == "1" and token == first and not is_inexact(sentence, first, token)):
            break
        value = value_of(words[token])
        if value:
            return numeral(sentence, first, token, head, of)
        if sentence.tags[token] == "CD":
            return None
    word, last = words[first], max(first, of)
    noun = words[head]
    plural = sentence.is_plural(head)
    one_thing = noun in words_of("quantities", "pairs_of_one")
    if first == head:
        return bare_plural(sentence, head, one_thing)
    if word in ("a", "an") and words[first + 1] in ("few", "couple"):
        bound = bound_of(sentence, first, first + 1, head)
        predicate = EXACTLY if words[first + 1] == "couple" and not bound else AT_LEAST
        return Count(predicate, 2, first, first + 1) if plural and bound is not NONE else None
    if word in ("a", "an") and words[first + 1] in words_of("quantities", "several"):  # "a few", "a many"
        return Count(AT_LEAST, 2, first, first + 1) if plural else None
    if word in _ARTICLES:
        is_thing = noun not in words_of("quantities", "no_things") or head > first + 1  # or "a parking lot"
        return Count(AT_LEAST, 1, first, last) if is_thing and not one_thing and not plural else None
    if word == "both":
        joins = "and" in words[first : head + 2]  # "both men and women"
        return Count(EXACTLY, 2, first, first) if plural and not joins and not one_thing else None
    if word == "few":  # it says rather that there are not many
        return None
    quantity = next(
        (token for token in range(first, min(first + 3, head)) if words[token] in words_of("quantities", "several")), -1
    )
    if quantity >= 0 and plural:
        if words[quantity] in ("both", "few", "couple"):
            return bare_plural(sentence, head, one_thing)
        return None if one_thing and words[quantity] == "some" else Count(AT_LEAST, 2, first, quantity)
    if word in ("each", "every", "either", "neither", "no", "any"):
        return None
    return bare_plural(sentence, head, one_thing)


def bare_plural(sentence: Sentence, head: int, one_thing: bool) -> Count | None:
    """ "Dogs", "the dogs": at least two. one_thing: whether the plural names one thing, as "scissors" do."""
    word = sentence.words[head]
    if one_thing or sentence.tags[head] not in ("NNS", "NN") or not sentence.is_plural(head):
        return None
    if word in words_of("quantities", "uncountable"):
        return None
    if word in words_of("quantities", "units") or word in words_of("quantities", "numbers") or word in measures():
        return None
    return Count(AT_LEAST, 2, head, head)


def _measured(sentence: Sentence, first: int, of: int, head: int) -> Count | None:
    """ "A couple of dogs", "two slices of pizza": `of` is the token after the measure."""
    words = sentence.words
    measure, word = of - 1, words[of - 1]
    inner = count_of(sentence, of + 1, head)
    if word in words_of("quantities", "portions"):
        return plain_count(sentence, first, measure)
    counted = inner is not None and not _is_bare(inner, head)
    plural = sentence.is_plural(head) or words[head] in words_of("quantities", "same_plural")
    if word in ("pair", "pairs") and words[head] in words_of("quantities", "pairs_of_one"):
        return _pair_of_one(sentence, first, measure, of)
    if word in ("few", "couple", "lot", "dozen") and words[first] in ("the", "this", "that", "last", "first"):
        return None
    bound = bound_of(sentence, first, measure, head)
    if bound is NONE or (measures().get(word) and is_approximate(words[first:measure])):
        return None
    if word in words_of("quantities", "uncounted"):
        return _dozens(sentence, first, measure, of, bound) if plural else None
    exact = counted and inner is not None and inner.predicate == EXACTLY
    if exact and _multiplies(sentence, first, measure):
        return None
    if word in words_of("quantities", "herds"):
        return inner if counted else Count(AT_LEAST, 2, first, of)
    if word not in measures():
        return None
    if exact:  # "a group of three dogs"
        return inner
    number = measures()[word]
    single = measure == first or words[first] in ("a", "the", "an", "this", "that", "another", "each")
    if number and single and not bound and (plural or number == 2) and not _is_qualified(sentence, first, measure):
        return Count(EXACTLY, number, first, of)
    return Count(AT_LEAST, 2, first, of) if plural else None


def _multiplies(sentence: Sentence, first: int, measure: int) -> bool:
    """Whether a measure says that there is more than one set of what follows: "three rows of four chairs"."""
    several = sentence.is_plural(measure) or measures().get(sentence.words[measure], 0) > 0
    return several or any(value_of(word) for word in sentence.words[first:measure])


def _is_bare(count: Count, head: int) -> bool:
    return count.last == head


def _pair_of_one(sentence: Sentence, first: int, measure: int, of: int) -> Count | None:
    """ "A pair of scissors" is one thing, "two pairs of scissors" are two."""
    value = next((value for token in range(first, measure) if (value := value_of(sentence.words[token]))), 0)
    if value:
        return None if is_inexact(sentence, first, measure) else Count(EXACTLY, value, measure - 1, of)
    return Count(AT_LEAST, 1, first, of) if sentence.words[first] in _ARTICLES else None


def _is_qualified(sentence: Sentence, first: int, measure: int) -> bool:
    """Whether words before a measure make its number inexact: "about a dozen of", "half a dozen of", "two pair of"."""
    words = sentence.words[first:measure]
    return is_inexact(sentence, first, measure) or any(word == "half" or value_of(word) for word in words)


def _dozens(sentence: Sentence, first: int, measure: int, of: int, bound: str) -> Count:
    """ "Dozens of people": at least twelve. "A dozen of": twelve. bound: of `bound_of`."""
    words = sentence.words
    is_exact = not bound and "couple" not in words[first:measure] and not _is_qualified(sentence, first, measure)
    if words[measure] == "dozen" and is_exact:
        return Count(EXACTLY, UNCOUNTED, first, of)
    return Count(AT_LEAST, UNCOUNTED, first, of)


@cache
def measures() -> dict[str, int]:
    """Nouns before "of" that stand for a number of things, and the number; 0 if it is several."""
    found: dict[str, int] = read_list("quantities")["measures"]
    return found
