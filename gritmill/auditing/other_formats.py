"""Data with boxes that an audit does not read, by the names in a folder or the first line of a text: what to do."""

import re
from collections.abc import Collection

from pipeline import files, layout
from pipeline.sources.member_names import is_image_name
from transforms.wording import counted

_CURE = "which audit does not read; convert the data to COCO's format, or audit the run that was exported"
_YOLO = re.compile(r"[0-9]+( -?[0-9.]+(e-?[0-9]+)?){4,}\s*")
_FLICKR = re.compile(r"\[/EN#[0-9]+/")


def explain_folder(uris: Collection[str]) -> str:
    """What a folder has besides the files that an audit reads. uris: of all files in it. Empty if nothing is known."""
    texts, annotations = _in(uris, "labels", ".txt"), _in(uris, "Annotations", ".xml")
    if _in(uris, "Sentences", ".txt"):
        return f"sentences of Flickr30k Entities, {_CURE}"
    if annotations:
        return f"{counted(annotations, 'XML file')} with boxes, as of Pascal VOC or Flickr30k Entities, {_CURE}"
    if texts:
        return f"{counted(texts, 'label file')} of YOLO, {_CURE}"
    ends = {"/".join(uri.rsplit("/", 2)[1:]) for uri in uris}
    if f"{layout.DETECTIONS}/{layout.PLAN}" in ends and not any(end.endswith(f"/{layout.MANIFEST}") for end in ends):
        return "detections of gritmill, which have no records; name the folder of their run, after gritmill pack"
    return ""


def explain_nothing(uris: Collection[str]) -> str:
    """The same for a folder without any file that an audit reads."""
    known = explain_folder(uris)
    if not known and uris and all(is_image_name(files.name(uri)) for uri in uris):
        return "only pictures; name the file or the folder with their boxes"
    return known


def explain_line(line: str) -> str:
    """What a line of text is; empty if it is not known."""
    if _YOLO.fullmatch(line):
        return f"a label file of YOLO, {_CURE}"
    return f"sentences of Flickr30k Entities, {_CURE}" if _FLICKR.match(line) else ""


def _in(uris: Collection[str], folder: str, ending: str) -> int:
    """The number of files in folders of a name, or in those below, such as `labels/train`. What is far above says
    nothing: `labels/sets/coyo/readme.txt`."""
    named = re.compile(rf"/{folder}/([^/]+/)?[^/]+{re.escape(ending)}\Z")
    return sum(bool(named.search(uri)) for uri in uris)
