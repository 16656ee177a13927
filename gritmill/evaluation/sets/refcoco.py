"""RefCOCO, RefCOCO+ and RefCOCOg: expressions that each name one thing in an image of COCO train2014.

Reads two formats. Published by lichengunc/refer: a folder with `refs(unc).p`, a pickle of plain containers, and
`instances.json`. Used by evaluation programs: a JSON list of {"img_id", "sents", "bbox", "height", "width"}, one file
per split.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, TypeAdapter

from gritmill import plain_pickle
from gritmill.evaluation.sets.truth import (
    TrueCaption,
    TruePhrase,
    Truth,
    make_pair,
    normalised,
    parsing,
    picture_folder,
    read_file,
)
from pipeline import files
from pipeline.faults import CallError

_Box = tuple[float, float, float, float]


class _Row(BaseModel):
    """One expression of a JSON list. `img_id` is the name of the image, "_" and a number."""

    img_id: str
    sents: str
    bbox: _Box
    height: int
    width: int


class _Sentence(BaseModel):
    sent: str


class _Ref(BaseModel):
    ann_id: int
    image_id: int
    split: str
    sentences: list[_Sentence]


class _Image(BaseModel):
    id: int
    file_name: str
    width: int
    height: int


class _Annotation(BaseModel):
    id: int
    bbox: _Box


class _Instances(BaseModel):
    """The part of instances.json that is needed. The outlines, nine tenths of the file, never become Python objects."""

    images: list[_Image]
    annotations: list[_Annotation]


_ROWS, _REFS = TypeAdapter(list[_Row]), TypeAdapter(list[_Ref])


@dataclass(frozen=True, slots=True)
class _Expression:
    """image: file name of the image. bbox: x, y, width, height in pixels. part: the split, or the file's name."""

    image: str
    text: str
    bbox: _Box
    width: int
    height: int
    part: str


def load(paths: Sequence[str], images: str | None, split: str | None) -> Truth:
    """The expressions, grouped by image. Each expression is queried in its own prompt.

    paths: folders with one `refs(...).p` each, such files, or JSON lists. split: train, val, testA, testB or test; None
    means all of them. images: folder of the images; default: that of the REFER toolkit,
    `images/mscoco/images/train2014` next to the folder of the set.

    Raises:
      CallError: a file is missing or is not in this format, or a split is given with a JSON list.
    """
    expressions: list[_Expression] = []
    folder = ""
    for path in paths:
        uri = files.canonical(path)
        if uri.endswith(".json"):
            if split:
                raise CallError(f"--split: {uri} is a single split; name the file of the split instead")
            expressions += _read_rows(uri)
            continue
        uri = uri if uri.endswith(".p") else _find_pickle(uri)
        folder = files.parent(uri)
        name = f"{files.name(folder)}/" if len(paths) > 1 else ""
        expressions += (replace(expression, part=name + expression.part) for expression in _read_refs(uri, split))
    default_folder = files.join(files.parent(folder), "images/mscoco/images/train2014") if folder else ""
    groups: dict[str, list[_Expression]] = {}
    for expression in expressions:
        groups.setdefault(expression.image, []).append(expression)
    root = picture_folder(images, default_folder) if images or default_folder else ""
    return Truth(len(groups), _captions(groups, root, files.canonical(paths[0])))


def _captions(groups: dict[str, list[_Expression]], root: str, source: str) -> Iterator[TrueCaption]:
    number = 0
    for image, expressions in groups.items():
        for expression in expressions:
            x, y, wide, high = expression.bbox
            box = normalised((x, y, x + wide, y + high), expression.width, expression.height)
            phrase = TruePhrase(expression.text, (box,), (expression.part,), 0, len(expression.text))
            pair = make_pair(source, number, image, root, expression.text)
            yield TrueCaption(pair, image, (phrase,), expression.width, expression.height)
            number += 1


def _read_rows(uri: str) -> Iterator[_Expression]:
    part = files.name(uri).removesuffix(".json")
    with parsing(uri):
        rows = _ROWS.validate_json(read_file(uri))
    for row in rows:
        image = f"{row.img_id.rpartition('_')[0]}.jpg"
        yield _Expression(image, row.sents, row.bbox, row.width, row.height, part)


def _read_refs(uri: str, split: str | None) -> Iterator[_Expression]:
    instances_uri = files.join(files.parent(uri), "instances.json")
    with parsing(instances_uri):
        instances = _Instances.model_validate_json(read_file(instances_uri))
    pictures = {image.id: image for image in instances.images}
    boxes = {annotation.id: annotation.bbox for annotation in instances.annotations}
    with parsing(uri):
        refs = _REFS.validate_python(plain_pickle.load(read_file(uri)))
    of_split = [ref for ref in refs if split in (None, ref.split)]
    if not of_split:
        raise CallError(f"--split: {uri} has no {split}; it has {_joined(ref.split for ref in refs)}")
    for ref in of_split:
        if ref.image_id not in pictures or ref.ann_id not in boxes:
            missing = f"no image {ref.image_id} or no annotation {ref.ann_id}"
            raise CallError(f"--truth: {instances_uri}: {missing}, although {files.name(uri)} refers to them")
        image = pictures[ref.image_id]
        for sentence in ref.sentences:
            yield _Expression(image.file_name, sentence.sent, boxes[ref.ann_id], image.width, image.height, ref.split)


def _find_pickle(folder: str) -> str:
    """The only `refs(...).p` of a folder. RefCOCOg has two, umd and google: then the user must name one."""
    pickles = [info.uri for info in files.list_folder(folder) if info.uri.endswith(".p")]
    if len(pickles) == 1:
        return pickles[0]
    listing = f"contains {_joined(files.name(uri) for uri in pickles)}; name one of them"
    raise CallError(f"--truth: {folder}: {listing if pickles else 'contains no refs(...).p'}")


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))
