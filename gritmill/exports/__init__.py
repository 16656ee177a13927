"""The formats that a finished run can be exported to, one file each.

coco, flickr30k_entities, grit, hf, instructions, mdetr, odvg, refcoco, tsv, yolo   the formats
export       a finished run -> one format, shard by shard
format       the interface of a format, and code that the formats share
options      the options of an export
card         the data card of exported data
coco_json    long lists in JSON, written entry by entry

Another package can add a format through the entry-point group `gritmill.exports`. The name of the entry is the name of
the format; its value is a callable that takes the options and returns a `Format`.
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
    """All formats by name, the built-in ones first. A format is imported when its entry point is loaded."""
    from importlib.metadata import EntryPoint, entry_points  # takes 25 ms, which `--help` should not pay

    builtin = {name: EntryPoint(name, f"{__name__}.{place}", GROUP) for name, place in _BUILTIN.items()}
    return builtin | {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in builtin}


def find_format(name: str, options: ExportOptions) -> "Format":
    """The format called `name`.

    Raises:
      CallError: no format has this name.
    """
    known = formats()
    if name not in known:
        raise CallError(f"--to: {name}: no such format; use one of {', '.join(known)}")
    export_format: Format = known[name].load()(options)
    return export_format
