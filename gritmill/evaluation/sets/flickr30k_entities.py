"""Flickr30k Entities as published (BryanPlummer/flickr30k_entities): `Sentences/`, `Annotations/`, and split lists.

A sentence is `[/EN#283585/people A young child] is wearing [/EN#283587/clothing blue goggles] .`, tokens between
blanks; character offsets are those of the words joined by one blank. A chain's boxes stand in the XML under its number.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from gritmill.evaluation.sets.truth import (
    TrueCaption,
    TruePhrase,
    Truth,
    normalised,
    only,
    pair_of,
    picture_folder,
    text_of,
)
from pipeline import files
from pipeline.faults import CallError
from transforms.text.grounded_caption import Corners

NOT_VISUAL = "notvisual"
"""The type of phrases that name nothing that can be seen; their chain is 0."""

_MARK = "[/EN#"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Marked:
    """A phrase of a sentence: its chain, its types, and its characters in the sentence's plain text, end exclusive."""

    chain: str
    types: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Annotation:
    """A picture's size in pixels, and the boxes of every chain that has some, as normalised corners."""

    width: int
    height: int
    boxes: dict[str, tuple[Corners, ...]]


def load(paths: Sequence[str], images: str | None, split: str | None) -> Truth:
    """The captions of a split; phrases without boxes come along, since a run would ask for them too.

    images: folder of the pictures; default: `flickr30k-images` in the folder of the set.

    Raises:
      CallError: a file is not there, or not of this form.
    """
    folder = only(paths, "flickr30k")
    if not split:
        raise CallError("--split: flickr30k has train, val and test; say which")
    names = text_of(files.join(folder, f"{split}.txt")).split()
    root = picture_folder(images, files.join(folder, "flickr30k-images"))
    return Truth(len(names), _captions(folder, names, root))


def _captions(folder: str, names: Sequence[str], root: str) -> Iterator[TrueCaption]:
    for name in names:
        sentences = files.join(folder, "Sentences", f"{name}.txt")
        about = read_annotation(files.join(folder, "Annotations", f"{name}.xml"))
        for number, line in enumerate(text_of(sentences).splitlines()):
            if line.strip():
                text, marked = read_sentence(line, f"{sentences}:{number + 1}")
                phrases = tuple(_phrase(text, one, about) for one in marked)
                pair = pair_of(sentences, number, f"{name}.jpg", root, text)
                yield TrueCaption(pair, name, phrases, about.width, about.height)


def _phrase(text: str, one: Marked, about: Annotation) -> TruePhrase:
    boxes = about.boxes.get(one.chain, ())
    visual = NOT_VISUAL not in one.types
    return TruePhrase(text[one.start : one.end], boxes if visual else (), one.types, one.start, one.end, asked=visual)


def read_sentence(line: str, where: str = "sentence") -> tuple[str, list[Marked]]:
    """The plain text of a marked sentence, and its phrases in order.

    Raises:
      CallError: a phrase is not closed, or its mark is none; `where` names the line.
    """
    words: list[str] = []
    marked: list[Marked] = []
    length = 0  # of the words joined so far, with a blank behind each
    mark, first = "", 0
    for token in line.split():
        if token.startswith(_MARK):
            if mark:
                raise CallError(f"--truth: {where}: {token} inside {mark}")
            mark, first = token, length
            continue
        closing = bool(mark) and token.endswith("]")
        word = token[:-1] if closing else token
        if word:
            words.append(word)
            length += len(word) + 1
        if closing:
            marked.append(_marked(mark, first, length - 1, where))
            mark = ""
    if mark:
        raise CallError(f"--truth: {where}: {mark} has no end")
    return " ".join(words), marked


def _marked(mark: str, start: int, end: int, where: str) -> Marked:
    chain, *types = mark.removeprefix(_MARK).split("/")
    if not (chain and types and start < end):
        raise CallError(f"--truth: {where}: {mark} is no [/EN#number/type words]")
    return Marked(chain, tuple(types), start, end)


def read_annotation(uri: str) -> Annotation:
    """A picture's XML. Its pixels count from 1; one is taken off all four, as the set's own program does.

    Raises:
      CallError: the file is not there, or not of this form.
    """
    text = text_of(uri)
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
