"""The formats that a finished run can be exported to, by name: a file each.

coco, flickr30k_entities, grit, hf, instructions, mdetr, odvg, refcoco, tsv, yolo   the formats
export       a finished run -> one of them, shard by shard
format       what a format is, and what all of them share
options      what a user can say about an export
card         the data card beside exported data
coco_json    long lists in JSON, written entry by entry

A package of your own adds one through the entry-point group `gritmill.exports`: the entry's name is the format's, its
value a callable that takes the options and returns a `Format`.
"""

from typing import TYPE_CHECKING

from gritmill.exports.options import ExportOptions
from pipeline.faults import CallError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from gritmill.exports.format import Format

GROUP = "gritmill.exports"

_BUILTIN = {
    "grit": "grit:Grit",
    "tsv": "tsv:Tsv",
    "odvg": "odvg:Odvg",
    "mdetr": "mdetr:Mdetr",
    "coco": "coco:Coco",
    "refcoco": "refcoco:RefCoco",
    "flickr30k-entities": "flickr30k_entities:Flickr30kEntities",
    "yolo": "yolo:Yolo",
    "instructions": "instructions:Instructions",
    "hf": "hf:Hf",
}


def formats() -> "dict[str, EntryPoint]":
    """All formats by name, the built-in ones first; none is imported before it is loaded."""
    from importlib.metadata import EntryPoint, entry_points  # 25 ms: not for a help

    builtin = {name: EntryPoint(name, f"{__name__}.{place}", GROUP) for name, place in _BUILTIN.items()}
    return builtin | {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in builtin}


def find_format(name: str, options: ExportOptions) -> "Format":
    """The format called `name`.

    Raises:
      CallError: there is none of that name.
    """
    known = formats()
    if name not in known:
        raise CallError(f"--to: no format {name}; there are {', '.join(known)}")
    export_format: Format = known[name].load()(options)
    return export_format
