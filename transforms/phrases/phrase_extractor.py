"""Adds phrases to pairs, with a spaCy pipeline."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from transforms.phrases.language import LanguageGate
from transforms.phrases.markup import hide_markup
from transforms.phrases.noun_phrases import PhraseRules, Phrases, find_phrases
from transforms.records import Claim, Drop, Dropped, Pair


@dataclass(eq=False)
class PhraseExtractor:
    """A `Model` whose rows are pairs with phrases, dropped noun chunks and claims, and without their images.

    load: returns a parser; called once per thread. claims: reads the claims of a parsed caption, and drops the phrases
    of what it says is not there; None: pairs get no claims, and keep these phrases, as in release 0.1.
    """

    load: Callable[[], Language]
    rules: PhraseRules
    gate: LanguageGate | None = None
    claims: Callable[[Doc, Phrases], tuple[Phrases, tuple[Claim, ...]]] | None = None
    _parsers: Any = field(default_factory=threading.local)  # spaCy's string store is not thread-safe

    def process(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs with their phrases. A caption that the language gate rejects is dropped as a whole."""
        rejected = [self.gate is not None and self.gate.rejects(pair.caption) for pair in pairs]
        # Without a memory zone, spaCy's string store keeps every word that it has seen (spaCy pull request 13621).
        with self._parser().memory_zone():
            docs = self.docs(pair.caption for pair, out in zip(pairs, rejected, strict=True) if not out)
            return [
                replace(pair, data=b"", dropped=(Dropped(0, len(pair.caption), Drop.LANGUAGE),))
                if out
                else self._extracted(pair, next(docs))
                for pair, out in zip(pairs, rejected, strict=True)
            ]

    def docs(self, captions: Iterable[str]) -> Iterator[Doc]:
        """The parsed captions, which phrases are read from: without markup if borders are corrected."""
        docs: Iterator[Doc] = self._parser().pipe(map(hide_markup, captions) if self.rules.corrected else captions)
        return docs

    def probe(self) -> object:
        """Parses "a dog"."""
        return list(self._parser().pipe(["a dog"]))

    def _extracted(self, pair: Pair, doc: Doc) -> Pair:
        found = find_phrases(doc, self.rules)
        found, claims = self.claims(doc, found) if self.claims else (found, ())
        return replace(pair, data=b"", phrases=found.kept, dropped=found.dropped, claims=claims)

    def _parser(self) -> Language:
        if not hasattr(self._parsers, "nlp"):
            self._parsers.nlp = self.load()
        nlp: Language = self._parsers.nlp
        return nlp
