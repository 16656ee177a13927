"""How many things a noun chunk says there are.

A claim's predicate is "exactly", "at_least" or "none". An article says "at least one": "a dog" is also true of a
picture with two. A plural without a number says "at least two", and its words are the noun itself (see
`Claim.is_bare_plural`). Nobody counts for a plural, and a detector often draws one box around all, so boxes never
contradict it.

Where a word may be something else, there is no claim: sizes, times, years, names, "the other two", "about ten", "a
couple" without "of".
"""

from collections.abc import Iterator

from transforms.claims.numerals import AT_LEAST, NONE, Count, value_of
from transforms.claims.quantities import count_of
from transforms.claims.sentence import NounChunk, Sentence
from transforms.claims.stuff import is_stuff
from transforms.claims.word_lists import no_places, unreal, words_of
from transforms.records import Claim, ClaimKind

_DEFINITE = frozenset(("the", "these", "those", "all", "his", "her", "its", "their", "our", "my", "your", "both"))


def read_counts(sentence: Sentence) -> Iterator[Claim]:
    """The counts of a caption's noun chunks. Sets `absent` of the chunks that the caption does not say are there."""
    negated = _negated_verbs(sentence)
    for number, chunk in enumerate(sentence.chunks):
        if chunk.drop is not None:
            continue
        if sentence.is_asked(chunk.last):
            chunk.absent = True
            continue
        found = _none(sentence, number, negated)
        if found is None and not chunk.absent and _is_thing(sentence, chunk):
            found = _partitive(sentence, number) or count_of(sentence, chunk.first, chunk.head)
        if found is not None:
            words = sentence.characters(found.first, found.last)
            yield Claim(ClaimKind.COUNT, *words, *sentence.span(number), found.predicate, found.number)


def _is_thing(sentence: Sentence, chunk: NounChunk) -> bool:
    """Whether a chunk names something that has instances, and a place: no sky, no jump, nothing "in a row"."""
    noun = sentence.words[chunk.head]
    if is_stuff(noun) or noun in words_of("quantities", "events"):
        return False
    before = sentence.words[chunk.first - 1] if chunk.first else ""
    return before not in ("in", "at") or noun not in no_places().get(before, ())


def _none(sentence: Sentence, number: int, negated: frozenset[int]) -> Count | None:
    """ "No dog", "without a dog", "there is not a dog". None if the chunk is there, or if its verb is negated."""
    chunk = sentence.chunks[number]
    first, words = chunk.first, sentence.words
    if words[first] == "no":
        chunk.absent = True
        is_sign = words[first + 1 : first + 2] and words[first + 1] in words_of("quantities", "signs")
        is_sign = is_sign or _is_rule(sentence, number)
        return None if is_sign or _is_name(sentence, number) else Count(NONE, 0, first, first)
    if first and words[first - 1] == "without":
        chunk.absent = True
        if _is_name(sentence, number):
            return None
        return Count(NONE, 0, first - 1, first if words[first] == "any" else first - 1)
    if sentence.before(first, 2) in unreal() or sentence.before(first, 1) in unreal():
        chunk.absent = True
        return None
    top = sentence.top(number)
    governor = sentence.heads[top]
    there = governor in negated and bool(sentence.children(governor, "expl"))
    negation = first if sentence.negates(first) else first - 1
    if negation >= 0 and sentence.negates(negation) and not there:  # "a man, not a woman", "neither a dog nor a cat"
        chunk.absent = True
        none = words[negation + 1 : negation + 3] == ["a", "single"]
        return Count(NONE, 0, negation, negation + 2) if none else None
    if sentence.deps[top] == "conj":  # "without a hat or a coat"
        other = sentence.chunk_at[governor]
        if 0 <= other < number and sentence.chunks[other].absent and words[first - 1] != "but":
            chunk.absent = True
            return None
    if governor in negated and (there or sentence.deps[top] in ("attr", "dobj", "oprd")):
        chunk.absent = True
        negation = next(iter(sentence.children(governor, "neg")), -1)
        if there and 0 <= negation < first and words[first] in ("a", "an", "any", "one"):
            return Count(NONE, 0, negation, first)
    return None


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


def _negated_verbs(sentence: Sentence) -> frozenset[int]:
    return frozenset(
        sentence.heads[token]
        for token, dep in enumerate(sentence.deps)
        if (dep == "neg" or sentence.words[token] == "longer") and sentence.negates(token)
    )


def _partitive(sentence: Sentence, number: int) -> Count | None:
    """ "Two of the dogs": at least two of them are there. "One of the dogs": at least one."""
    chunk = sentence.chunks[number]
    words, first = sentence.words, chunk.first
    if first < 2 or words[first - 1] != "of" or words[first] not in _DEFINITE or not sentence.is_plural(chunk.head):
        return None
    before = first - 2
    if sentence.chunk_at[before] >= 0 and sentence.chunks[sentence.chunk_at[before]].drop is None:
        return None
    value = 1 if words[before] == "one" else value_of(words[before])
    if words[before] in ("both", "several", "many", "few", "couple", "some"):
        value = 2
    return Count(AT_LEAST, value, before, first - 1) if value else None
