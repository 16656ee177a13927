"""Flickr30k Entities as published (BryanPlummer/flickr30k_entities): `Sentences/`, `Annotations/`, and split lists.

A sentence is `[/EN#283585/people A young child] is wearing [/EN#283587/clothing blue goggles] .`, with tokens separated
by blanks. Character offsets refer to the words joined by single blanks. The number in a tag is that of a chain; the XML
has the boxes of each chain under its number.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from gritmill.evaluation.sets.truth import (
    TrueCaption,
    TruePhrase,
    Truth,
    make_pair,
    normalised,
    picture_folder,
    read_text,
)
from pipeline import files
from pipeline.faults import CallError
from transforms.text.grounded_caption import Corners

NOT_VISUAL = "notvisual"
"""The type of phrases that name nothing visible. Their chain is 0."""

_TAG_START = "[/EN#"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class TaggedPhrase:
    """A phrase of a sentence. start, end: characters of the sentence's plain text, end exclusive."""

    chain: str
    types: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Annotation:
    """The size of an image in pixels, and the boxes of each chain that has any, as normalised corners."""

    width: int
    height: int
    boxes: dict[str, tuple[Corners, ...]]


def load(paths: Sequence[str], images: str | None, split: str | None) -> Truth:
    """The captions of a split. Phrases without boxes are included, because a run would query them too.

    images: folder of the images; default: `flickr30k-images` in the folder of the set.

    Raises:
      CallError: a file is missing, or is not in this format.
    """
    if len(paths) != 1:
        raise CallError(f"--truth: {len(paths)} paths given; flickr30k needs exactly one folder")
    folder = files.canonical(paths[0])
    if not split:
        raise CallError("--split: missing; flickr30k needs one of train, val, test")
    names = read_text(files.join(folder, f"{split}.txt")).split()
    root = picture_folder(images, files.join(folder, "flickr30k-images"))
    return Truth(len(names), _captions(folder, names, root))


def _captions(folder: str, names: Sequence[str], root: str) -> Iterator[TrueCaption]:
    for name in names:
        sentences = files.join(folder, "Sentences", f"{name}.txt")
        annotation = read_annotation(files.join(folder, "Annotations", f"{name}.xml"))
        for number, line in enumerate(read_text(sentences).splitlines()):
            if line.strip():
                text, tagged = read_sentence(line, f"{sentences}:{number + 1}")
                phrases = tuple(_phrase(text, one, annotation) for one in tagged)
                pair = make_pair(sentences, number, f"{name}.jpg", root, text)
                yield TrueCaption(pair, name, phrases, annotation.width, annotation.height)


def _phrase(text: str, one: TaggedPhrase, annotation: Annotation) -> TruePhrase:
    boxes = annotation.boxes.get(one.chain, ())
    visual = NOT_VISUAL not in one.types
    return TruePhrase(text[one.start : one.end], boxes if visual else (), one.types, one.start, one.end, queried=visual)


def read_sentence(line: str, location: str = "sentence") -> tuple[str, list[TaggedPhrase]]:
    """Returns the plain text of a tagged sentence, and its phrases in order. location: names the line in errors.

    Raises:
      CallError: a phrase is not closed, or its tag is malformed.
    """
    words: list[str] = []
    tagged: list[TaggedPhrase] = []
    length = 0  # of the words so far, each followed by a blank
    tag, start = "", 0
    for token in line.split():
        if token.startswith(_TAG_START):
            if tag:
                raise CallError(f"--truth: {location}: {token} is inside {tag}")
            tag, start = token, length
            continue
        closing = bool(tag) and token.endswith("]")
        word = token[:-1] if closing else token
        if word:
            words.append(word)
            length += len(word) + 1
        if closing:
            tagged.append(_parse_tag(tag, start, length - 1, location))
            tag = ""
    if tag:
        raise CallError(f"--truth: {location}: {tag} has no closing bracket")
    return " ".join(words), tagged


def _parse_tag(tag: str, start: int, end: int, location: str) -> TaggedPhrase:
    chain, *types = tag.removeprefix(_TAG_START).split("/")
    if not (chain and types and start < end):
        raise CallError(f"--truth: {location}: {tag} is not [/EN#number/type words]")
    return TaggedPhrase(chain, tuple(types), start, end)


def read_annotation(uri: str) -> Annotation:
    """Reads the XML of an image. Its pixels count from 1; 1 is subtracted from each, as in the set's own program.

    Raises:
      CallError: the file is missing, or is not in this format.
    """
    text = read_text(uri)
    try:
        root = ElementTree.fromstring(text)
        width, height = (int(_text(root, f"size/{side}")) for side in ("width", "height"))
        boxes: defaultdict[str, list[Corners]] = defaultdict(list)
        for thing in root.iter("object"):
            if thing.find("bndbox") is not None:
                corners = [float(_text(thing, f"bndbox/{corner}")) - 1 for corner in _CORNERS]
                for chain in thing.findall("name"):
                    boxes[(chain.text or "").strip()].append(normalised(corners, width, height))
    except (ElementTree.ParseError, ValueError) as error:
        raise CallError(f"--truth: {uri}: not an annotation of Flickr30k Entities: {error}") from error
    return Annotation(width, height, {chain: tuple(found) for chain, found in boxes.items()})


def _text(element: ElementTree.Element, path: str) -> str:
    found = element.findtext(path)
    if found is None:
        raise ValueError(f"no {path}")
    return found
