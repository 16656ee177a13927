"""How many things a noun chunk says there are.

A claim's predicate is "exactly", "at_least" or "none". An article says "at least one": "a dog" is also true of a
picture with two. A plural without a number says "at least two", and its words are the noun itself (see
`Claim.is_bare_plural`). Nobody counts for a plural, and a detector often draws one box around all, so boxes never
contradict it.

Where a word may be something else, there is no claim: sizes, times, years, names, "the other two", "about ten", "a
couple" without "of".
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from transforms.claims.numerals import Count, bound_of, value_of
from transforms.claims.quantities import count_of
from transforms.claims.sentence import NounChunk, Presence, Sentence
from transforms.claims.stuff import is_stuff
from transforms.claims.word_lists import no_places, words_of
from transforms.records import AT_LEAST, EXACTLY, NONE, Claim, ClaimKind

_DEFINITE = frozenset(("the", "these", "those", "all", "his", "her", "its", "their", "our", "my", "your", "both"))
_EACH = frozenset(("each", "every"))
_NEAR = 15  # tokens; a caption may have thousands
_AT = frozenset(("on", "in", "at", "by", "for", "per"))


def read_counts(sentence: Sentence, none: Mapping[int, Count]) -> Iterator[Claim]:
    """The counts of a caption's noun chunks. none: the result of `read_presence`, which has set their presence."""
    for number, chunk in enumerate(sentence.chunks):
        if chunk.drop is not None:
            continue
        found = none.get(number)
        if chunk.presence is Presence.STATED and _is_thing(sentence, chunk):
            found = _partitive(sentence, number) or count_of(sentence, chunk.first, chunk.head)
        if found is not None:
            if found.predicate == EXACTLY and _is_of_each(sentence, chunk):
                found = replace(found, predicate=AT_LEAST)
            words = sentence.characters(found.first, found.last)
            yield Claim(ClaimKind.COUNT, *words, *sentence.span(number), found.predicate, found.number)


def _is_thing(sentence: Sentence, chunk: NounChunk) -> bool:
    """Whether a chunk names something that has instances, and a place: no sky, no jump, nothing "in a row"."""
    noun = sentence.words[chunk.head]
    if is_stuff(noun) or noun in words_of("quantities", "events"):
        return False
    before = sentence.words[chunk.first - 1] if chunk.first else ""
    return before not in ("in", "at") or noun not in no_places().get(before, ())


def _is_of_each(sentence: Sentence, chunk: NounChunk) -> bool:
    """Whether there are so many of each of several things: "each plate has two donuts", "a single flower on every
    table", "two plates with a donut each". Not "three men, each with a dog", "two men facing each other"."""
    words = sentence.words
    after = words[chunk.last + 1 : chunk.last + 3]
    if after[:1] in (["each"], ["apiece"]) and not any(map(str.isalnum, "".join(after[1:]))):
        return True
    if len(after) == 2 and after[0] in _AT and after[1] in _EACH:
        return True
    for token in range(chunk.first - 1, max(chunk.first - _NEAR, -1), -1):
        if not any(map(str.isalnum, words[token])):
            return False
        if words[token] in _EACH and words[token + 1] != "other":
            return True
    return False


def _partitive(sentence: Sentence, number: int) -> Count | None:
    """ "Two of the dogs": at least two of them are there. "One of the dogs": at least one."""
    chunk = sentence.chunks[number]
    words, first = sentence.words, chunk.first
    if first < 2 or words[first - 1] != "of" or words[first] not in _DEFINITE or not sentence.is_plural(chunk.head):
        return None
    if sentence.is_name(chunk.head):  # "#90 of the Auburn Tigers"
        return None
    before = first - 2
    if sentence.chunk_at[before] >= 0 and sentence.chunks[sentence.chunk_at[before]].drop is None:
        return None
    value = 1 if words[before] == "one" else value_of(words[before])
    if words[before] in ("both", "several", "many", "few", "couple", "some"):
        value = 2
    if bound_of(sentence, before, before, before) is NONE:  # "at most two of the dogs"
        return None
    return Count(AT_LEAST, value, before, first - 1) if value else None
