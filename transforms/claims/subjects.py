"""Which noun chunk a preposition, an adverb, a participle or a verb says something about.

The way leads up the tree, to a noun ("a cup on a table"), or to a verb and from there to its subject ("a cup that is
on a table", "a man sitting on a bench"). Where the parse is often wrong, or where a sentence has two readings, there is
no subject: parsers attach one in five prepositions to the wrong word, and a claim that the caption does not make is
worse than none.
"""

from dataclasses import dataclass

from transforms.claims.sentence import Sentence
from transforms.claims.word_lists import forms_of, without_place, words_of
from transforms.records import Drop

_STEPS = 6  # up the tree: longer chains are errors of the parser in nearly all captions
_NEGATIONS = frozenset(("not", "n't", "never", "n’t"))
_RELATIVE = ("WDT", "WP", "WP$")
_MODALS = frozenset(("can", "could", "may", "might", "should", "would", "will", "must", "shall"))
_BE = frozenset(("is", "are", "was", "were", "be", "being", "been", "'s", "’s", "'re", "am"))
_LOCATES = frozenset(
    (
        *("parked", "seated", "located", "positioned", "placed", "situated", "tied", "stopped", "docked", "gathered"),
        *("perched", "left", "standing", "surrounded", "moored", "anchored", "stationed", "huddled", "lined", "mounted"),
    )
)
"""Participles after which "by" names a place, not who did it."""


_RECIPROCAL = (("each", "other"), ("one", "another"))
_JOINS = frozenset(("and", "or", ",", "but", "&", "then", "while"))
_PLACES = frozenset(("in", "at", "on", "inside", "within"))
_BESIDE = frozenset(("next_to", "near", "by", "in_front_of", "behind", "under", "against", "over", "above", "side_of", "across_from"))


@dataclass(frozen=True, slots=True)
class Subject:
    """The chunks that something is said about, and whether the caption says that it is not so.

    copular: whether the verb is "is" or "are".
    """

    chunks: tuple[int, ...]
    negated: bool = False
    copular: bool = False


def find_subject(sentence: Sentence, first: int, last: int, predicate: str) -> Subject | None:
    """The subject of the words from `first` to `last`; None if it is in doubt."""
    anchor = _anchor(sentence, first, last)
    if anchor < 0:
        return None
    if (owned := _owned(sentence, first, last)) is not None:
        return owned
    if sentence.tags[anchor].startswith("VB") and sentence.deps[anchor] not in ("prep", "amod"):
        return _of_verb(sentence, anchor, first, last, predicate, own=True)
    token = anchor
    for _ in range(_STEPS):
        governor = sentence.heads[token]
        if governor == token:
            return None
        tag = sentence.tags[governor]
        if first <= governor <= last or governor in sentence.spent:
            token = governor
        elif tag.startswith("VB") and sentence.deps[governor] != "amod" and sentence.chunk_at[governor] < 0:
            return _of_verb(sentence, governor, first, last, predicate)
        elif sentence.chunk_at[governor] >= 0:
            return _of_noun(sentence, governor, first, last, predicate)
        elif tag in ("IN", "RB", "JJ", "JJR", "TO", "RP") or sentence.deps[governor] in ("acomp", "advmod", "prep"):
            if sentence.deps[token] == "pobj" or sentence.deps[governor] == "conj":
                return None
            token = governor
        else:
            return None
    return None


def _owned(sentence: Sentence, first: int, last: int) -> Subject | None:
    """The towel of "a woman with a towel on her head", whatever the parser says. None if the words are not like that."""
    if last + 1 == len(sentence.words) or sentence.tags[last + 1] != "PRP$" or first == 0:
        return None
    number = sentence.chunk_at[first - 1]
    if number < 0 or sentence.chunks[number].first == 0:
        return None
    is_with = sentence.words[sentence.chunks[number].first - 1] == "with"
    return _of_chunk(sentence, number) if is_with else None


def _anchor(sentence: Sentence, first: int, last: int) -> int:
    """The token of the words that depends on one outside of them, or is the root. -1 if there are two such tokens that
    depend on different ones."""
    found, outside = -1, -1
    for token in range(first, last + 1):
        head = sentence.heads[token]
        if (head == token or not first <= head <= last) and sentence.deps[token] != "punct":
            if found < 0:
                found, outside = token, head
            elif head not in (outside, found):
                return -1
    return found


def _of_noun(sentence: Sentence, noun: int, first: int, last: int, predicate: str) -> Subject | None:
    """The chunk of a noun that the words depend on, if it stands before them and no other can be meant."""
    number = sentence.chunk_at[noun]
    chunk = sentence.chunks[number]
    if chunk.first >= first:
        return None
    nearest = _nearest(sentence, first)
    if chunk.drop is Drop.PICTURE and number != nearest:  # "a photo of a dog on a mat": not the photo
        return _of_nearest(sentence, nearest, first, number)
    if number != nearest:
        return _of_farther(sentence, number, nearest, first)
    governor = sentence.heads[sentence.top(number)]
    if sentence.deps[sentence.top(number)] == "dobj" and sentence.words[governor] in forms_of("acting"):
        return _of_verb(sentence, governor, first, last, predicate)
    if (wearer := _wearer(sentence, number)) != number:
        return _of_chunk(sentence, wearer)
    return None if _in_doubt(sentence, number, last, predicate) else _of_chunk(sentence, number)


def _in_doubt(sentence: Sentence, number: int, last: int, predicate: str) -> bool:
    """Whether the words may say something about an earlier noun or verb than the chunk right before them, although the
    parser says that they do not."""
    words, top = sentence.words, sentence.top(number)
    governor = sentence.heads[top]
    is_own = last + 1 < len(words) and sentence.tags[last + 1] == "PRP$"  # "in his hand"
    if sentence.deps[top] == "dobj":  # "riding a wave on a board", "holding a bag in a park"
        return words[governor] not in forms_of("moving") and not (is_own and words[governor] in forms_of("holding"))
    if sentence.deps[top] != "pobj":
        return False
    if words[governor] == "with":  # "a man with a bag in a park"
        return words[sentence.heads[governor]] in words_of("predicates", "people") and not is_own
    return words[governor] in _PLACES and predicate in _BESIDE  # "a couch in a room next to a window"


def _of_chunk(sentence: Sentence, number: int) -> Subject | None:
    chunk = sentence.chunks[number]
    return Subject((number,)) if chunk.drop is None and not chunk.absent else None


def _nearest(sentence: Sentence, token: int) -> int:
    """The number of the last chunk before a token; -1 if there is none."""
    for before in range(token - 1, -1, -1):
        if sentence.chunk_at[before] >= 0:
            return sentence.chunk_at[before]
    return -1


def _of_nearest(sentence: Sentence, nearest: int, first: int, governor: int) -> Subject | None:
    adjacent = nearest >= 0 and sentence.chunks[nearest].last == first - 1
    return _of_chunk(sentence, nearest) if adjacent and nearest > governor else None


def _of_farther(sentence: Sentence, number: int, nearest: int, first: int) -> Subject | None:
    """The words depend on a chunk, and another one is between: "a cup and a fork on a table", "a cup on a table by a
    door". Of coordinated nouns, only the last one is sure. In a chain of comparisons, "a cup left of a plate above a
    fork", each is made with the noun before it. Otherwise it is in doubt."""
    if nearest in sentence.compared or _joins(sentence, nearest, number):
        return _of_nearest(sentence, nearest, first, number)
    return None


def _joins(sentence: Sentence, number: int, other: int) -> bool:
    """Whether "and" joins a chunk to an earlier one."""
    for _ in range(_STEPS):
        top = sentence.top(number)
        if sentence.deps[top] != "conj":
            return False
        number = sentence.chunk_at[sentence.heads[top]]
        if number < 0 or number == other:
            return number == other
    return False


def _of_verb(
    sentence: Sentence, verb: int, first: int, last: int, predicate: str, own: bool = False
) -> Subject | None:
    """The subject of a verb. own: whether the verb itself is the predicate, such as "contains"."""
    deps, heads, words = sentence.deps, sentence.heads, sentence.words
    if not own:
        if words[verb] in without_place().get(predicate, ()):
            return None
        if predicate == "by" and sentence.tags[verb] in ("VBN", "VBD") and words[verb] not in _LOCATES:
            return None
        if verb < first and (moved := _moved(sentence, verb, first, last)) is not None:
            return moved if moved.chunks else None
    negated = copular = False
    for _ in range(_STEPS):
        if deps[verb] in ("aux", "auxpass") and heads[verb] != verb:
            verb = heads[verb]
            continue
        subject, expletive = -1, False
        for child, head in enumerate(heads):
            if head != verb or child == verb:
                continue
            dep = deps[child]
            if dep in ("nsubj", "nsubjpass", "csubj"):
                subject = child if child < first else subject
            elif dep == "neg" and words[child] in _NEGATIONS:
                negated = True
            elif dep == "expl":
                expletive = True
            elif dep == "aux" and words[child] in _MODALS:
                return None
        copular = copular or words[verb] in _BE
        if expletive:
            return _attribute(sentence, verb, first, negated)
        if not own and words[verb] in _BE and words[first - 1] not in ("and", ",") and _nearest(sentence, first) >= 0:
            if sentence.chunks[_nearest(sentence, first)].first > verb:  # "is in front of food on a table"
                return None
        if subject >= 0:
            if sentence.tags[subject] in _RELATIVE or (words[subject] == "that" and sentence.chunk_at[subject] < 0):
                found = _relative(sentence, verb, first)
            else:
                found = _finite(sentence, subject, verb, first)
            return Subject(found.chunks, negated, copular) if found else None
        dep = deps[verb]
        if dep in ("acl", "relcl"):
            found = _relative(sentence, verb, first)
            return Subject(found.chunks, negated, copular) if found else None
        if dep in ("conj", "advcl", "xcomp", "ccomp", "pcomp", "dep") and heads[verb] != verb:
            if dep == "conj" and _JOINS.isdisjoint(words[heads[verb] : verb]):
                return None  # "helping a child stand on a board"
            if dep in ("xcomp", "advcl", "ccomp", "dep") and sentence.tags[verb] not in ("VBG", "VBN"):
                return None  # "trying to get on a bus"
            if dep == "pcomp" or not sentence.tags[heads[verb]].startswith("VB"):
                return None
            verb = heads[verb]
            continue
        return None
    return None


def _moved(sentence: Sentence, verb: int, first: int, last: int) -> Subject | None:
    """What a verb brings to a place: the cup of "a man putting a cup on a table". None if it has no object before the
    words; without chunks if it is in doubt which of its nouns is there."""
    direct = next((c for c in sentence.children(verb, "dobj") if verb < c < first), -1)
    if direct > 0 and sentence.before(direct + 1, 2) in _RECIPROCAL:  # "biting each other on the grass"
        return None
    if direct < 0 or sentence.chunk_at[direct] < 0 or sentence.words[verb] in forms_of("acting"):
        return None
    number, nearest = sentence.chunk_at[direct], _nearest(sentence, first)
    is_own = last + 1 < len(sentence.words) and sentence.tags[last + 1] == "PRP$"
    moves = sentence.words[verb] in forms_of("moving") or (is_own and sentence.words[verb] in forms_of("holding"))
    if not moves or sentence.chunks[nearest].last != first - 1:
        return Subject(())
    sure = nearest == number or nearest in sentence.compared or _joins(sentence, nearest, number)
    return (_of_chunk(sentence, nearest) if sure else None) or Subject(())


def _attribute(sentence: Sentence, verb: int, first: int, negated: bool) -> Subject | None:
    """The dog of "there is a dog on the mat"."""
    for child in sentence.children(verb, "attr", "nsubj", "dobj"):
        if child < first and sentence.chunk_at[child] >= 0:
            number = sentence.chunk_at[child]
            nearest = _nearest(sentence, first)
            found = _of_chunk(sentence, number) if number == nearest else _of_farther(sentence, number, nearest, first)
            return None if found is None or negated else found
    return None


def _relative(sentence: Sentence, verb: int, first: int) -> Subject | None:
    """The noun that a participle or a relative clause belongs to."""
    noun = sentence.heads[verb]
    number = sentence.chunk_at[noun]
    if number < 0 or noun >= first:
        return None
    chunk = sentence.chunks[number]
    nearest = _nearest(sentence, verb)
    if nearest == number:
        return _of_chunk(sentence, _wearer(sentence, number))
    if chunk.drop is Drop.PICTURE:
        return _of_nearest(sentence, nearest, _start_of_clause(sentence, verb), number)
    if nearest >= 0 and _joins(sentence, nearest, number):
        return _of_nearest(sentence, nearest, _start_of_clause(sentence, verb), number)
    if sentence.deps[sentence.top(number)] == "pobj":  # "men at a table with ties sitting near a laptop"
        return None
    return _of_chunk(sentence, number)


def _wearer(sentence: Sentence, number: int) -> int:
    """The man of "a man in a suit": he sits on the chair, not the suit. The chunk itself if it is not worn."""
    chunk, governor = sentence.chunks[number], sentence.heads[sentence.top(number)]
    words = sentence.words[chunk.first : chunk.last + 1]
    if sentence.words[governor] != "in" or words_of("predicates", "clothes").isdisjoint(words):
        return number
    other = sentence.chunk_at[sentence.heads[governor]]
    return other if 0 <= other < number else number


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
    found = _of_chunk(sentence, number)
    if found is None:
        return None
    chunks, last = [number], subject
    for other in range(number + 1, len(sentence.chunks)):
        top = sentence.top(other)
        if top >= min(first, verb):
            break
        if sentence.deps[top] == "conj" and sentence.heads[top] in (last, subject, sentence.top(number)):
            last = top
            if _of_chunk(sentence, other):
                chunks.append(other)
    return Subject(tuple(chunks))
