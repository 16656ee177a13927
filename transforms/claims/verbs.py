"""Which noun chunks are the subject of a verb, or of words that depend on it."""

from dataclasses import dataclass, replace

from transforms.claims.attachment import (
    STEPS,
    Subject,
    is_joined,
    is_own,
    nearest_chunk,
    of_chunk,
    of_farther,
    of_nearest,
    wearer_of,
)
from transforms.claims.sentence import Sentence
from transforms.claims.word_lists import forms_of, without_place, words_of
from transforms.records import Drop

_RELATIVE = ("WDT", "WP", "WP$")
_MODALS = frozenset(("can", "could", "may", "might", "should", "would", "will", "must", "shall"))
_BE = frozenset(("is", "are", "was", "were", "be", "being", "been", "'s", "’s", "'re", "am"))
_RECIPROCAL = (("each", "other"), ("one", "another"))
_JOINS = frozenset(("and", "or", ",", "but", "&", "then", "while"))


@dataclass(frozen=True, slots=True)
class _Clause:
    """What depends on a verb: its subject before the words (-1 if none), "not", "there", and words such as "might"."""

    subject: int = -1
    negated: bool = False
    expletive: bool = False
    modal: bool = False


def of_verb(sentence: Sentence, verb: int, first: int, last: int, predicate: str, own: bool = False) -> Subject | None:
    """The subject of a verb, for the words from `first` to `last`; None if it is in doubt.

    own: whether the verb itself is the predicate, such as "contains".
    """
    if not own:
        if _names_no_place(sentence, verb, predicate):
            return None
        if verb < first and (moved := _moved(sentence, verb, first, last)) is not None:
            return moved if moved.chunks else None
    negated = copular = False
    for _ in range(STEPS):
        if sentence.deps[verb] in ("aux", "auxpass") and sentence.heads[verb] != verb:
            verb = sentence.heads[verb]
            continue
        clause = _clause(sentence, verb, first)
        negated, copular = negated or clause.negated, copular or sentence.words[verb] in _BE
        if clause.modal:
            return None
        if clause.expletive:
            return None if negated else _attribute(sentence, verb, first)
        if not own and sentence.words[verb] in _BE and _has_place(sentence, verb, first):
            return None
        found: Subject | None = None
        if clause.subject >= 0:
            is_relative = sentence.tags[clause.subject] in _RELATIVE
            found = _relative(sentence, verb, first) if is_relative else _finite(sentence, clause.subject, verb, first)
        elif sentence.deps[verb] in ("acl", "relcl"):
            found = _relative(sentence, verb, first)
        elif (governor := _main_verb(sentence, verb)) >= 0:
            verb = governor
            continue
        return replace(found, negated=negated, copular=copular) if found else None
    return None


def _names_no_place(sentence: Sentence, verb: int, predicate: str) -> bool:
    """ "Looking at a dog", "painted by a man"."""
    word = sentence.words[verb]
    is_agent = predicate == "by" and sentence.tags[verb] in ("VBN", "VBD")
    return word in without_place().get(predicate, ()) or (is_agent and word not in words_of("predicates", "located"))


def _clause(sentence: Sentence, verb: int, first: int) -> _Clause:
    subject, negated, expletive, modal = -1, False, False, False
    for child, head in enumerate(sentence.heads):
        if head != verb or child == verb:
            continue
        dep, word = sentence.deps[child], sentence.words[child]
        if dep in ("nsubj", "nsubjpass", "csubj") and child < first:
            subject = child
        negated = negated or ((dep == "neg" or word == "longer") and sentence.negates(child))
        expletive = expletive or dep == "expl"
        modal = modal or (dep == "aux" and word in _MODALS)
    return _Clause(subject, negated, expletive, modal)


def _has_place(sentence: Sentence, verb: int, first: int) -> bool:
    """Whether the words may belong to a noun between "is" and them: "is in front of food on a table"."""
    nearest = nearest_chunk(sentence, first)
    return nearest >= 0 and sentence.chunks[nearest].first > verb and sentence.words[first - 1] not in ("and", ",")


def _main_verb(sentence: Sentence, verb: int) -> int:
    """The verb whose subject is that of a verb without one: of "holds a bag while standing", "sits and looks". -1 if
    there is none, or if what it says may not be so: "trying to get on a bus"."""
    dep, governor = sentence.deps[verb], sentence.heads[verb]
    if governor == verb or not sentence.tags[governor].startswith("VB"):
        return -1
    if dep == "conj":  # not "helping a child stand on a board"
        return -1 if _JOINS.isdisjoint(sentence.words[governor:verb]) else governor
    is_participle = sentence.tags[verb] in ("VBG", "VBN")
    return governor if dep in ("xcomp", "advcl", "ccomp", "dep") and is_participle else -1


def _moved(sentence: Sentence, verb: int, first: int, last: int) -> Subject | None:
    """What a verb brings to a place: the cup of "a man putting a cup on a table". None if it has no object before the
    words; without chunks if it is in doubt which of its nouns is there."""
    direct = next((c for c in sentence.children(verb, "dobj") if verb < c < first), -1)
    if direct in sentence.spent:  # "side by side"
        return None
    if direct > 0 and sentence.before(direct + 1, 2) in _RECIPROCAL:  # "biting each other on the grass"
        return None
    if direct < 0 or sentence.chunk_at[direct] < 0 or sentence.words[verb] in forms_of("acting"):
        return None
    number, nearest = sentence.chunk_at[direct], nearest_chunk(sentence, first)
    holds = is_own(sentence, last) and sentence.words[verb] in forms_of("holding")
    moves = holds or sentence.words[verb] in forms_of("moving")
    if not moves or sentence.chunks[nearest].last != first - 1:
        return Subject(())
    sure = nearest == number or nearest in sentence.compared or is_joined(sentence, nearest, number)
    return (of_chunk(sentence, nearest) if sure else None) or Subject(())


def _attribute(sentence: Sentence, verb: int, first: int) -> Subject | None:
    """The dog of "there is a dog on the mat"."""
    for child in sentence.children(verb, "attr", "nsubj", "dobj"):
        if child < first and sentence.chunk_at[child] >= 0:
            number = sentence.chunk_at[child]
            nearest = nearest_chunk(sentence, first)
            return of_chunk(sentence, number) if number == nearest else of_farther(sentence, number, nearest, first)
    return None


def _relative(sentence: Sentence, verb: int, first: int) -> Subject | None:
    """The noun that a participle or a relative clause belongs to."""
    noun = sentence.heads[verb]
    number = sentence.chunk_at[noun]
    if number < 0 or noun >= first:
        return None
    chunk = sentence.chunks[number]
    nearest = nearest_chunk(sentence, verb)
    if nearest > 0 and sentence.chunks[nearest].drop is Drop.PRONOUN:  # "a sign which hangs over a door"
        nearest = nearest_chunk(sentence, sentence.chunks[nearest].first)
    if nearest == number:
        return of_chunk(sentence, wearer_of(sentence, number))
    if chunk.drop is Drop.PICTURE:
        return of_nearest(sentence, nearest, _start_of_clause(sentence, verb), number)
    if nearest >= 0 and is_joined(sentence, nearest, number):
        return of_nearest(sentence, nearest, _start_of_clause(sentence, verb), number)
    if sentence.deps[sentence.top(number)] == "pobj":  # "men at a table with ties sitting near a laptop"
        return None
    return of_chunk(sentence, number)


def _start_of_clause(sentence: Sentence, verb: int) -> int:
    """The first token of "that is sitting", "sitting", "all sitting"."""
    token = verb
    while token and sentence.chunk_at[token - 1] < 0 and sentence.words[token - 1] not in (",", "and"):
        token -= 1
    return token


def _finite(sentence: Sentence, subject: int, verb: int, first: int) -> Subject | None:
    """The subject of a finite verb, and what "and" joins to it."""
    number = sentence.chunk_at[subject]
    if number < 0:
        return None
    found = of_chunk(sentence, number)
    if found is None:
        return None
    chunks, last = [number], subject
    for other in range(number + 1, len(sentence.chunks)):
        top = sentence.top(other)
        if top >= min(first, verb):
            break
        if sentence.deps[top] == "conj" and sentence.heads[top] in (last, subject, sentence.top(number)):
            last = top
            if of_chunk(sentence, other):
                chunks.append(other)
    return Subject(tuple(chunks))
