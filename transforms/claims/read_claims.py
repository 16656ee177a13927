"""A parsed caption -> its claims."""

from spacy.tokens import Doc

from transforms.claims.counts import read_counts
from transforms.claims.ranks import read_ranks
from transforms.claims.relations import read_relations
from transforms.claims.sentence import Sentence
from transforms.phrases.noun_phrases import Phrases
from transforms.records import Claim


def read_claims(doc: Doc, phrases: Phrases) -> tuple[Claim, ...]:
    """The claims of a caption, in the order of their words.

    Args:
      doc: the parsed caption, after `find_phrases`, which may join tokens. Of a language other than English, nothing is
        read: the lists and the labels of the tree are English.
      phrases: what `find_phrases` found in it.
    """
    if not phrases.kept or doc.lang_ != "en":
        return ()
    sentence = Sentence.from_doc(doc, phrases)
    claims = [*read_counts(sentence), *read_relations(sentence), *read_ranks(sentence)]
    claims.sort(key=lambda claim: (claim.words_start, claim.words_end, claim.subject_start))
    return tuple(claims)
