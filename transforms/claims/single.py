"""One thing and no other: "only one dog", "a lone dog", "a single dog"; not "a dog", "one dog", "a single bed".

"A dog" and "one dog" are also true of a picture with two. So is "the only dog": what follows may say among which.
"""

from itertools import pairwise

from transforms.claims.numerals import MORE, ONLY, Count, bound_of, has_more_numbers, is_approximate, is_of_others
from transforms.claims.sentence import NEGATIONS, NOUNS, Sentence
from transforms.claims.word_lists import words_of
from transforms.phrases.class_names import compounds
from transforms.records import AT_LEAST, EXACTLY

_NOT = NEGATIONS | {"no"}
_ONE = frozenset(("one", "1"))
_ALONE = frozenset(("lone", "solitary", "sole", "single"))
_NEAR = 15  # tokens; a caption may have thousands
_LIKE_ADJECTIVES = frozenset(("JJ", "JJR", "JJS", "RB", "VBN", "VBG", "CC", ",", "HYPH", "-LRB-", "-RRB-"))


def single_count(sentence: Sentence, first: int, head: int, of: int) -> Count | None:
    """What "only one", "a lone" and "at least one" say before a singular; None if a chunk has no such words. of: as of
    `plain_count`."""
    words = sentence.words
    for token in range(first, head):
        count = None
        if words[token] in _ONE:
            count = _one(sentence, first, token, head)
        elif words[token] in _ALONE:
            count = _alone(sentence, first, token, head)
        if count and _is_thing(sentence, token, head):
            predicate, number, start = count
            if predicate == EXACTLY and _may_have_others(sentence, first):
                predicate = AT_LEAST
            return Count(predicate, number, start, max(token, of))
    return None


def _may_have_others(sentence: Sentence, first: int) -> bool:
    """Whether a caption says where others may be: of "a lone sheep near the flock", "vases with a single rose", "a
    table for only one person", "two pictures of a lone man". first: of the chunk."""
    words, before = sentence.words, first - 1
    if before >= 0 and words[before] == "for":
        return True
    if before >= 0 and words[before] == "with" and sentence.is_plural(sentence.heads[before]):
        return True
    for word, following in pairwise([*words[max(first - _NEAR, 0) : first + _NEAR], ""]):
        if following != "of" and word in words_of("quantities", "others"):
            return True
        is_picture = following == "of" and word.removesuffix("s") in words_of("predicates", "pictures")
        if word in words_of("quantities", "repeated") or (is_picture and word.endswith("s")):
            return True
    return False


def _is_thing(sentence: Sentence, token: int, head: int) -> bool:
    """Whether the token before a noun is not about an "inch", a "couple", a "one story house", or a noun that the
    parser has in no chunk, or in the next one: "a single person" / "kayak"."""
    words, units = sentence.words, words_of("quantities", "units")
    noun, after = words[head], sentence.chunks[sentence.chunk_at[head]].last + 1
    if sentence.is_plural(head) or noun in words_of("quantities", "no_things"):
        return False
    if after < len(words) and sentence.tags[after] in NOUNS:
        return False
    is_unit = noun in units - words_of("quantities", "also_things") and f"{words[head - 1]} {noun}" not in compounds()
    return not is_unit and (token + 1 == head or words[token + 1] not in units)


def _one(sentence: Sentence, first: int, token: int, head: int) -> tuple[str, int, int] | None:
    """Predicate, number and first token of "only one dog", "at least one dog", "more than one dog"; else None."""
    words = sentence.words
    three, two, one = ("", "", "", *words[:token])[-3:]
    if is_approximate(words[max(token - 3, 0) : max(token - 1, 0)]):  # "perhaps only one dog"
        return None
    if has_more_numbers(sentence, first, token, token, head) or not MORE.isdisjoint(words[token + 1 : head]):
        return None
    if (two, one) == ("at", "least"):
        return AT_LEAST, 1, max(token - 2, first)
    if one == "than" and two in words_of("quantities", "more_than") and three not in _NOT:
        return AT_LEAST, 2, max(token - 2, first)
    if one not in ONLY or two in _NOT or two == "than" or is_of_others(sentence, token, head):
        return None
    return EXACTLY, 1, max(token - 1, first)


def _alone(sentence: Sentence, first: int, token: int, head: int) -> tuple[str, int, int] | None:
    """The same of "a lone dog", "one solitary tree", "a single stop sign". Not of what is called single: "a single
    bed", "a single engine plane", "a single sided film"."""
    words, tags = sentence.words, sentence.tags
    following = words[token + 1]
    if not words_of("quantities", "not_alone").isdisjoint(words[max(first - 1, 0) : token]):  # "every single dog"
        return None
    if token in sentence.capitals and (not sentence.is_first(token) or token + 1 in sentence.capitals):
        return None  # the Lone Ranger
    if is_approximate(words[first:token]) or bound_of(sentence, first, token, head):  # "hardly", "up to a single dog"
        return None
    if token == first and words[token] in ("sole", "solitary"):  # "sole focus"
        return None
    if f"{words[token]} {following}" in words_of("quantities", "not_single"):
        return None
    if token > first and words[token - 1].endswith("ly"):  # "a newly single woman"
        return None
    between = range(token + 1, head)
    if "or" in words[token:head] or any(tags[at] in NOUNS and words[at + 1] == "and" for at in between):
        return None  # "a single or double bed", "a lone man and woman"
    if words[token] == "single" and not _is_described(sentence, between):
        return None
    return EXACTLY, 1, token - (token > first and words[token - 1] in ("a", "an", "one"))


def _is_described(sentence: Sentence, between: range) -> bool:
    """Whether the words between "single" and its noun say what the thing is like, or are part of its name: a single
    "red rose", "stop sign". In a single "engine plane", "sided film", the word belongs to them."""
    words, tags = sentence.words, sentence.tags
    if between and len(words[between[0]]) > 3 and words[between[0]].endswith("ed"):
        return False
    return all(tags[at] in _LIKE_ADJECTIVES or f"{words[at]} {words[at + 1]}" in compounds() for at in between)
