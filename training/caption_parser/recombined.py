"""New captions, built from parts of the silver captions and parsed by the teacher.

The pipeline must learn to parse as the teacher does. There are too few silver parses of referring expressions and web
alt-texts for that. The teacher can parse any text, so each text that looks like one of them is a further example.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import spacy

from training.caption_parser.silver import Parse, from_doc, to_doc
from training.caption_parser.word_classes import WordClassRuler

SPLICED = {"ref": 0.0, "laion": 0.3}
"""Sources that new captions are built from. The value is the share, 0..1, that joins the start of one caption to the
end of another. In the other new captions, one or two noun phrases are replaced by those of other captions."""

_Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Parts:
    """The captions of one source. spans: character spans of the noun phrases, per caption. phrases: all their texts."""

    source: str
    captions: tuple[Parse, ...]
    spans: tuple[_Spans, ...]
    phrases: tuple[str, ...]


def parts_of(parses: Sequence[Parse], source: str) -> Parts:
    """Collects the parts that new captions of a source are built from. Captions without a noun phrase are left out.

    Raises:
      ValueError: no caption of that source has a noun phrase.
    """
    ruler = WordClassRuler()
    of_source = [parse for parse in parses if parse.source == source]
    spans = [_noun_phrases(ruler, parse) for parse in of_source]
    kept = [(parse, some) for parse, some in zip(of_source, spans, strict=True) if some]
    if not kept:
        raise ValueError(f"no silver parse of the source {source} has a noun phrase")
    phrases = tuple(parse.text[start:end] for parse, some in kept for start, end in some)
    return Parts(source, tuple(parse for parse, _ in kept), tuple(some for _, some in kept), phrases)


def _noun_phrases(ruler: WordClassRuler, parse: Parse) -> _Spans:
    doc = ruler(to_doc(ruler.vocab, parse))
    return tuple((chunk.start_char, chunk.end_char) for chunk in doc.noun_chunks)


def caption(parts: Parts, rng: Random) -> str:
    """Builds one new caption; see `SPLICED`."""
    if rng.random() < SPLICED[parts.source]:
        return _spliced(rng.choice(parts.captions), rng.choice(parts.captions), rng)
    number = rng.randrange(len(parts.captions))
    text, spans = parts.captions[number].text, parts.spans[number]
    for start, end in sorted(rng.sample(spans, min(len(spans), rng.choice((1, 1, 2)))), reverse=True):
        text = text[:start] + rng.choice(parts.phrases) + text[end:]
    return text


def _spliced(one: Parse, other: Parse, rng: Random) -> str:
    stop, start = rng.randrange(1, len(one.words) + 1), rng.randrange(len(other.words))
    return f"{_text(one, 0, stop)} {_text(other, start, len(other.words))}"


def _text(parse: Parse, start: int, stop: int) -> str:
    pairs = zip(parse.words[start:stop], parse.spaces[start:stop], strict=True)
    return "".join(word + " " * space for word, space in pairs).strip()


class Teacher:
    """The pipeline whose parses are the training targets."""

    def __init__(self, folder: Path) -> None:
        self._nlp = spacy.load(folder, exclude=["lemmatizer"])

    def parses(self, texts: Sequence[str], source: str) -> list[Parse]:
        """Parses each text. Texts without a token are left out."""
        with self._nlp.memory_zone():
            return [from_doc(doc, source) for doc in self._nlp.pipe(texts) if len(doc)]
