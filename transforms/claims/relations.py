"""The relations of a caption: subject, predicate and objects, read from words and tree.

Words are found first: the longest wording of `predicates.yaml` at each place. Then the tree decides whether they say
what they could say: what follows must be an object of one of the words, and they must have a subject.
"""

from collections.abc import Iterator
from dataclasses import replace

from transforms.claims.attachment import Subject
from transforms.claims.sentence import Sentence
from transforms.claims.subjects import find_subject
from transforms.claims.word_lists import Wording, forms_of, no_places, wordings, wordings_at, words_of
from transforms.records import Claim, ClaimKind

_RECIPROCAL = (("each", "other"), ("one", "another"))
_SYMMETRIC = frozenset(
    ("next_to", "near", "touching", "facing", "parallel_to", "perpendicular_to", "across_from", "opposite")
)
_OBJECT = frozenset(("pobj", "dobj", "attr", "pcomp", "npadvmod", "oprd"))
_COMPARE = frozenset(
    ("left_of", "right_of", "left_side_of", "right_side_of", "above", "over", "below", "under", "next_to", "near")
)
_NAMES_FOLLOW = frozenset(("in", "at", "by", "on", "into"))
"""Before a name without an article, they say where or by whom a picture was made, or when."""
_BE = frozenset(("is", "are", "was", "were", "'s", "’s", "not", "n't"))
_PREDICATES_OF_PLACE = frozenset(("in", "into", "inside"))


def read_relations(sentence: Sentence) -> Iterator[Claim]:
    """The relations, in the order of their words."""
    words, first_words = sentence.words, wordings().following
    token = 0
    while token < len(words):
        after = token + 1
        if words[token] in first_words:
            for wording in reversed(wordings_at(words, token)):
                last = token + len(wording.words) - 1
                if _fits(sentence, wording, token, last):
                    yield from _claims(sentence, wording, token, last)
                    after = last + 1
                    break
        token = after


def _fits(sentence: Sentence, wording: Wording, first: int, last: int) -> bool:
    """Whether the words at a place may be a wording."""
    if wording.kind == "verbs":
        return sentence.tags[first].startswith("VB")
    if wording.kind == "bare_places":
        if _is_direction(sentence, first):
            return False
        following = last + 1
        return following == len(sentence.words) or (
            sentence.words[following] not in ("of", "side", "hand", "corner") and sentence.starting_at(following) < 0
        )
    if wording.kind == "predicative":
        return first > 0 and sentence.words[first - 1] in _BE
    return wording.kind != "ordinals_from"


def _is_direction(sentence: Sentence, first: int) -> bool:
    """Whether "to the left" and "on the left" say where something looks or goes: "looking to the left", "drives on the
    left". "To the left" is a place only right after a noun, "is" or a participle such as "seated"."""
    before = max(first - 1, 0)
    is_place = sentence.chunk_at[before] >= 0 or sentence.words[before] in _BE | words_of("predicates", "located")
    if sentence.words[first] == "to" and not is_place:
        return True
    governor = sentence.heads[first]
    is_verb = sentence.tags[governor].startswith("VB") and sentence.chunk_at[governor] < 0
    verb = sentence.words[governor]
    return is_verb and (verb in forms_of("motion") or verb in forms_of("looking"))


def _is_with(sentence: Sentence, subject: Subject) -> bool:
    """Whether a subject is what something has: the fork of "a plate with a fork on the left", the left of the plate."""
    return any(sentence.words[sentence.heads[sentence.top(chunk)]] == "with" for chunk in subject.chunks)


def _claims(sentence: Sentence, wording: Wording, first: int, last: int) -> Iterator[Claim]:
    kind = wording.kind
    if kind in ("places", "bare_places", "mutual"):
        subject = _subject(sentence, wording, first, last)
        sentence.spent.update(range(first, last + 1))
        if subject and kind == "mutual":
            yield from _mutual(sentence, wording.predicate, subject, first, last)
        elif subject and not (kind == "bare_places" and _is_with(sentence, subject)):
            for chunk in subject.chunks:
                yield _claim(sentence, wording.predicate, subject, first, last, chunk, ())
        return
    if tuple(sentence.words[last + 1 : last + 3]) in _RECIPROCAL:
        if subject := _subject(sentence, wording, first, last):
            yield from _mutual(sentence, wording.predicate, subject, first, last + 2)
        return
    objects = _objects(sentence, wording, first, last)
    if not objects:
        return
    subject = _subject(sentence, wording, first, last)
    if wording.predicate in _COMPARE:
        sentence.compared.update(objects)
    if subject is None or (kind == "predicative" and not subject.copular):
        return
    others = _coordinated(sentence, objects[0]) if subject.copular and len(objects) == 1 else ()
    for chunk in subject.chunks:
        for each in (objects, *others):
            if chunk not in each:
                yield _claim(sentence, wording.predicate, subject, first, last, chunk, each)


def _subject(sentence: Sentence, wording: Wording, first: int, last: int) -> Subject | None:
    """The subject of the words, if it has a place; "not" may stand right before them: "a cat not on the mat"."""
    subject = find_subject(sentence, first, last, wording.predicate)
    if subject is not None:
        heads = [sentence.words[sentence.chunks[chunk].head] for chunk in subject.chunks]
        if not words_of("predicates", "no_subjects").isdisjoint(heads):
            return None
    if subject is None or not first or not sentence.negates(first - 1):
        return subject
    return replace(subject, negated=True)


def _coordinated(sentence: Sentence, number: int) -> tuple[tuple[int, ...], ...]:
    """The fork of "the cup is next to a plate and a fork.": only at the end, where it cannot be the subject of more."""
    other = sentence.starting_at(sentence.chunks[number].last + 2)
    if other < 0 or sentence.words[sentence.chunks[number].last + 1] != "and":
        return ()
    chunk, top = sentence.chunks[other], sentence.top(other)
    is_object = sentence.deps[top] == "conj" and sentence.chunk_at[sentence.heads[top]] == number
    ends = chunk.last + 1 == len(sentence.words) or sentence.words[chunk.last + 1] == "."
    return ((other,),) if is_object and ends and chunk.is_stated else ()


def _claim(
    sentence: Sentence, predicate: str, subject: Subject, first: int, last: int, chunk: int, objects: tuple[int, ...]
) -> Claim:
    spans = tuple(offset for number in objects for offset in sentence.span(number))
    words = sentence.characters(first, last)
    return Claim(ClaimKind.RELATION, *words, *sentence.span(chunk), predicate, 0, subject.negated, spans)


def _mutual(sentence: Sentence, predicate: str, subject: Subject, first: int, last: int) -> Iterator[Claim]:
    """ "Two dogs next to each other": the dogs are subject and object. "A dog and a cat next to each other": the dog is
    next to the cat."""
    chunks = subject.chunks
    if len(chunks) == 1 and _is_several(sentence, chunks[0]):
        yield _claim(sentence, predicate, subject, first, last, chunks[0], chunks)
    elif len(chunks) == 2 and predicate in _SYMMETRIC:
        yield _claim(sentence, predicate, subject, first, last, chunks[0], chunks[1:])


def _is_several(sentence: Sentence, number: int) -> bool:
    chunk = sentence.chunks[number]
    return sentence.is_plural(chunk.head) or "of" in sentence.words[chunk.first : chunk.head]


def _objects(sentence: Sentence, wording: Wording, first: int, last: int) -> tuple[int, ...]:
    """The chunks that follow the words, if they are their objects; none if they are no place."""
    number = sentence.starting_at(last + 1)
    if number < 0 and wording.predicate == "part_of":  # "part of the train" is one chunk
        number = sentence.chunk_at[last + 1] if last + 1 < len(sentence.words) else -1
        return (number,) if number >= 0 and sentence.chunks[number].drop is None else ()
    if number < 0:
        return ()
    chunk = sentence.chunks[number]
    if chunk.last + 1 < len(sentence.words) and sentence.tags[chunk.last + 1] == "POS":
        return ()  # "on the man's left"
    if not chunk.is_stated or not _depends(sentence, number, first, last):
        return ()
    if _is_no_place(sentence, wording.predicate, number):
        return ()
    if wording.predicate == "between":
        return _both(sentence, number)
    return (number,)


def _depends(sentence: Sentence, number: int, first: int, last: int) -> bool:
    """Whether a chunk is an object of one of the words, or of the verb that they belong to: "is near a dog"."""
    top = sentence.top(number)
    head = sentence.heads[top]
    if sentence.deps[first] == "prt" and first == last:  # "walking up a hill"
        return head == sentence.heads[first] and sentence.words[head] in forms_of("motion")
    return first <= head <= last and sentence.deps[top] in _OBJECT


def _is_no_place(sentence: Sentence, predicate: str, number: int) -> bool:
    """Whether a noun with this preposition is no place: "in a row", "in a suit", "on the left", "by John Smith"."""
    chunk = sentence.chunks[number]
    words = sentence.words[chunk.first : chunk.last + 1]
    noun = sentence.words[chunk.head]
    if len(words) < 3 and noun in words_of("predicates", "place_nouns"):
        return True
    if noun in no_places().get(predicate, ()) or noun in words_of("predicates", "pictures"):
        return True
    if (
        predicate in _NAMES_FOLLOW
        and sentence.tags[chunk.head] in ("NNP", "NNPS")
        and sentence.tags[chunk.first] != "DT"
    ):
        return True
    colours = no_places()["in"]
    if predicate == "in" and sentence.words[chunk.first] in colours and noun.endswith("ing"):
        return True  # "a man in black standing", which parsers take for a noun
    return predicate in _PREDICATES_OF_PLACE and not words_of("predicates", "clothes").isdisjoint(words)


def _both(sentence: Sentence, number: int) -> tuple[int, ...]:
    """ "Between two cars": one chunk. "Between a car and a bus": two. None if a single thing follows."""
    chunk = sentence.chunks[number]
    after = chunk.last + 1
    if after < len(sentence.words) and sentence.words[after] == "and":
        other = sentence.starting_at(after + 1)
        if other >= 0 and sentence.chunks[other].drop is None and not sentence.is_plural(chunk.head):
            return number, other
    return (number,) if _is_several(sentence, number) else ()
