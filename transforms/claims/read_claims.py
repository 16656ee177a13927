"""A parsed caption -> its claims, and its phrases without those of things that it says are not there."""

from spacy.tokens import Doc

from transforms.claims.counts import read_counts
from transforms.claims.presence import read_presence
from transforms.claims.ranks import read_ranks
from transforms.claims.relations import read_relations
from transforms.claims.sentence import Presence, Sentence
from transforms.phrases.noun_phrases import Phrases
from transforms.records import Claim, Drop, Dropped


def read_claims(doc: Doc, phrases: Phrases) -> tuple[Claim, ...]:
    """The claims of a caption, in the order of their words. See `read_caption`."""
    return read_caption(doc, phrases)[1]


def read_caption(doc: Doc, phrases: Phrases) -> tuple[Phrases, tuple[Claim, ...]]:
    """The phrases of a caption without the absent ones, which are dropped, and its claims in the order of their words.

    Args:
      doc: the parsed caption, after `find_phrases`, which may join tokens. Of a language other than English, nothing is
        read: the lists and the labels of the tree are English.
      phrases: what `find_phrases` found in it.
    """
    if not phrases.kept or doc.lang_ != "en":
        return phrases, ()
    sentence = Sentence.from_doc(doc, phrases)
    none = read_presence(sentence)
    if sentence.is_title:  # of a book, a song or a product: most of what it says is in no picture
        return _without_absent(sentence, phrases), ()
    claims = [*read_counts(sentence, none), *read_relations(sentence), *read_ranks(sentence)]
    claims.sort(key=lambda claim: (claim.words_start, claim.words_end, claim.subject_start))
    return _without_absent(sentence, phrases), tuple(claims)


def _without_absent(sentence: Sentence, phrases: Phrases) -> Phrases:
    chunks = enumerate(sentence.chunks)
    absent = {sentence.span(number) for number, chunk in chunks if chunk.presence is Presence.ABSENT}
    if not absent:
        return phrases
    kept = tuple(phrase for phrase in phrases.kept if (phrase.start, phrase.end) not in absent)
    dropped = (*phrases.dropped, *(Dropped(*span, Drop.ABSENT) for span in absent))
    return Phrases(kept, tuple(sorted(dropped, key=lambda one: (one.start, one.end))))
