"""ExtractPhrases: chunks of pairs -> the same chunks, each pair with its phrases."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import apache_beam as beam
from spacy.language import Language

from transforms.phrases.drop_lists import drop_heads
from transforms.phrases.language import LanguageGate
from transforms.phrases.noun_phrases import with_phrases
from transforms.phrases.parser import load_parser
from transforms.records import Chunk
from transforms.settings import PhraseSettings


class _ExtractPhrasesDoFn(beam.DoFn):
    def __init__(self, settings: PhraseSettings) -> None:
        self.settings = settings

    def setup(self) -> None:
        self._nlp: Language | None = None
        self._heads = drop_heads(self.settings.drop_lists)

    def process(self, chunk: Chunk) -> Iterator[Chunk]:
        started = time.perf_counter()
        if chunk.pairs:
            if self._nlp is None:
                self._nlp = load_parser(self.settings.model)
                self._gate = LanguageGate(self.settings.languages) if self.settings.languages else None
            chunk = replace(chunk, pairs=with_phrases(self._nlp, chunk.pairs, self._heads, self._gate))
        yield replace(chunk, seconds=chunk.timed("phrases", time.perf_counter() - started))


@dataclass
class ExtractPhrases(beam.PTransform):
    """Chunks of pairs -> the same chunks, each pair with its phrases and its dropped noun chunks."""

    settings: PhraseSettings

    def expand(self, chunks: beam.PCollection) -> beam.PCollection:
        return chunks | beam.ParDo(_ExtractPhrasesDoFn(self.settings))
