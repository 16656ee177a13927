"""What a caption says is not there: "no dog", "without a helmet", "neither a dog nor a cat", "not a single cup".

Such a noun chunk is no phrase: a detector that is asked for "no dog" finds the dog of another phrase, or anything. The
count "none" of it is a claim all the same. Where it is open whether a thing is there ("waiting for a bus", "not wearing
the hat"), the chunk stays a phrase, and nothing is read about it.

So does what nobody does to a thing: "nobody is wearing a hat".

"No" has other senses: "no. 5", "the No 10 bus", "a no parking sign", "no fewer than five", "this is no ordinary dog".
"""

from functools import partial

from transforms.claims.numerals import MORE, Count, value_of
from transforms.claims.sentence import Presence, Sentence
from transforms.claims.unsure import is_unsure
from transforms.claims.word_lists import forms_of, words_of
from transforms.phrases.quotations import is_quoted
from transforms.records import NONE

_Found = tuple[Presence, Count | None]
_INDEFINITE = frozenset(("a", "an", "any", "one"))
_NOBODY = frozenset(("nobody", "none", "nothing", "neither"))
_UNSURE: _Found = (Presence.UNSURE, None)
_ABSENT: _Found = (Presence.ABSENT, None)
_STATED: _Found = (Presence.STATED, None)


def read_presence(sentence: Sentence) -> dict[int, Count]:
    """Sets `presence` of the noun chunks. Returns the counts "none", by number of the chunk."""
    negated = _negated_verbs(sentence)
    counts = {}
    for number, chunk in enumerate(sentence.chunks):
        if chunk.drop is None:
            chunk.presence, count = _presence(sentence, number, negated)
            if count:
                counts[number] = count
    return counts


def _presence(sentence: Sentence, number: int, negated: frozenset[int]) -> _Found:
    chunk = sentence.chunks[number]
    first, words = chunk.first, sentence.words
    quoted = is_quoted(sentence.text, *sentence.span(number))
    unsure = quoted or is_unsure(words, first, chunk.last)
    is_zero = words[first] in ("zero", "0") and sentence.is_plural(chunk.head)  # but "a zero gravity chair"
    if words[first] == "no" or is_zero:  # "a sign that says no dogs"
        presence, count = _after_no(sentence, number)
        return presence, None if unsure else count
    if first and words[first - 1] == "without":
        if sentence.before(first, 3)[:2] in (("with", "or"), ("with", "and")) or sentence.negates(max(first - 2, 0)):
            return _UNSURE
        last = first if words[first] == "any" else first - 1
        return Presence.ABSENT, None if quoted or _is_name(sentence, number) else Count(NONE, 0, first - 1, last)
    if unsure and not _is_joined_to_absent(sentence, number):
        return _UNSURE
    return _negated(sentence, number, negated) or _joined(sentence, number) or _STATED


def _after_no(sentence: Sentence, number: int) -> _Found:
    chunk = sentence.chunks[number]
    first, head, words = chunk.first, chunk.head, sentence.words
    following = words[first + 1] if first < chunk.last else ""
    is_forbidden = following in words_of("quantities", "signs") - MORE or following.endswith("ing")
    is_forbidden = is_forbidden or any(sentence.is_plural(token) for token in range(first + 1, head))
    if words[head] in words_of("quantities", "sign_heads") and head > first + 1 and is_forbidden:
        return _STATED  # "an orange no parking sign", but not "no stop sign"
    if _is_name(sentence, number) or _may_be_name(sentence, first, chunk.last):
        return _ABSENT if sentence.before(first, 1) in (("with",), ("has",), ("have",)) else _UNSURE
    if following in ("", "longer") or value_of(following) or "than" in words[first : head + 1]:  # "no two dogs"
        return _UNSURE
    if following in MORE:  # "no other dogs"
        return _ABSENT
    if _is_attribute(sentence, number):  # "this is no ordinary dog"
        return _UNSURE
    if following in words_of("quantities", "signs") or _is_rule(sentence, number):
        return _ABSENT
    return Presence.ABSENT, Count(NONE, 0, first, first)


def _negated(sentence: Sentence, number: int, negated: frozenset[int]) -> _Found | None:
    """After "not", "neither", "nor", or as an object of a verb with "not"; None if it is neither."""
    chunk = sentence.chunks[number]
    first, words = chunk.first, sentence.words
    top = sentence.top(number)
    governor = sentence.heads[top]
    if sentence.deps[top] == "dobj" and _is_of_nobody(sentence, governor):
        return _UNSURE
    there = governor in negated and bool(sentence.children(governor, "expl"))
    negation = first if sentence.negates(first) else first - 1
    if negation >= 0 and sentence.negates(negation) and not there:
        following = next(iter(words[negation + 1 :]), "")
        if words[negation + 1 : negation + 3] == ["a", "single"]:
            return Presence.ABSENT, Count(NONE, 0, negation, negation + 2)
        # "Neither dog" is there, and so is the dog of "the cat, not the dog", and of "not two dogs but three".
        is_thing = following in ("a", "an", "any") or (first > negation and first == chunk.head)
        return _ABSENT if is_thing and not _is_attribute(sentence, number) else _UNSURE
    if governor not in negated or not (there or sentence.deps[top] in ("attr", "dobj", "oprd")):
        return None
    if there and words[first] in _INDEFINITE:
        sign = next(iter(sentence.children(governor, "neg")), -1)
        return Presence.ABSENT, Count(NONE, 0, sign, first) if 0 <= sign < first else None
    has = words[governor] in forms_of("having") and sentence.deps[top] == "dobj"
    return _ABSENT if has and words[first] in ("a", "an", "any") else _UNSURE


def _is_of_nobody(sentence: Sentence, verb: int) -> bool:
    """Whether nobody and nothing does what a verb says: "none of the men wears", "with no one holding"."""
    heads = [sentence.heads[verb]] if sentence.deps[verb] == "acl" else []
    return any(map(partial(_is_nobody, sentence), (*sentence.children(verb, "nsubj"), *heads)))


def _is_nobody(sentence: Sentence, token: int) -> bool:
    chunk = sentence.chunk_at[token]
    if chunk < 0:
        return sentence.words[token] in _NOBODY
    first = sentence.words[sentence.chunks[chunk].first]
    is_no_one = first == "no" and sentence.words[token] == "one"
    return first in _NOBODY or is_no_one or sentence.chunks[chunk].presence is Presence.ABSENT


def _is_attribute(sentence: Sentence, number: int) -> bool:
    """Whether a chunk says what something is: "this is no ordinary dog", but not "there is no dog"."""
    top = sentence.top(number)
    return sentence.deps[top] == "attr" and not sentence.children(sentence.heads[top], "expl")


def _joined(sentence: Sentence, number: int) -> _Found | None:
    """ "Without a hat or a coat". After "and" it is open: "no toilets and a red bucket"."""
    if _is_joined_to_absent(sentence, number):
        return _ABSENT
    top = sentence.top(number)
    other = sentence.chunk_at[sentence.heads[top]] if sentence.deps[top] == "conj" else -1
    if not 0 <= other < number or sentence.words[sentence.chunks[number].first - 1] == "but":
        return None
    return None if sentence.chunks[other].presence is Presence.STATED else _UNSURE


def _is_joined_to_absent(sentence: Sentence, number: int) -> bool:
    """Whether "or" or "nor" joins a chunk to one that is not there."""
    top = sentence.top(number)
    other = sentence.chunk_at[sentence.heads[top]] if sentence.deps[top] == "conj" else -1
    joins = sentence.before(sentence.chunks[number].first, 1) in (("or",), ("nor",))
    return joins and 0 <= other < number and sentence.chunks[other].presence is Presence.ABSENT


def _is_rule(sentence: Sentence, number: int) -> bool:
    """Whether "no" belongs to what a sign or a proverb says: "no dogs allowed", "no man is an island"."""
    chunk, top = sentence.chunks[number], sentence.top(number)
    before, after = sentence.before(chunk.first, 4), sentence.words[chunk.last + 1 : chunk.last + 6]
    if not words_of("quantities", "sign_words").isdisjoint(sentence.words[chunk.first : chunk.last + 1] + after):
        return True
    if not words_of("quantities", "says").isdisjoint(before):
        return True
    verb = sentence.heads[top]
    return sentence.deps[top] == "nsubj" and bool(sentence.children(verb, "attr")) and sentence.tags[verb] != "VBG"


def _is_name(sentence: Sentence, number: int) -> bool:
    """Whether a chunk is a name, "No Shoes Nation", or begins with the number of one, "No 7"."""
    chunk = sentence.chunks[number]
    return sentence.tags[chunk.head] in ("NNP", "NNPS") or any(
        sentence.tags[token] == "CD" and sentence.words[token].isdigit() for token in range(chunk.first, chunk.head)
    )


def _may_be_name(sentence: Sentence, first: int, last: int) -> bool:
    """Whether capital letters after "no" may make a name: "No Fear Shirt"; in "Man With No Shirt", they do not."""
    is_capital = first in sentence.capitals
    if is_capital and (not sentence.is_first(first) or first + 1 in sentence.capitals):
        return True
    return any(sentence.is_name(token) for token in range(first + 1, last + 1))


def _negated_verbs(sentence: Sentence) -> frozenset[int]:
    return frozenset(
        sentence.heads[token]
        for token, dep in enumerate(sentence.deps)
        if (dep == "neg" or sentence.words[token] == "longer") and sentence.negates(token)
    )
