"""The formats that a finished run can be exported to, by name: a file each.

coco, flickr30k_entities, grit, hf, instructions, mdetr, odvg, refcoco, tsv, yolo   the formats
export       a finished run -> one of them, shard by shard
format       what a format is, and what all of them share
options      what a user can say about an export
card         the data card beside exported data
coco_json    long lists in JSON, written entry by entry
"""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from gritmill.exports.options import Options
from pipeline.faults import CallError

if TYPE_CHECKING:
    from gritmill.exports.format import Format

FORMATS = {
    "grit": "Grit",
    "tsv": "Tsv",
    "odvg": "Odvg",
    "mdetr": "Mdetr",
    "coco": "Coco",
    "refcoco": "RefCoco",
    "flickr30k-entities": "Flickr30kEntities",
    "yolo": "Yolo",
    "instructions": "Instructions",
    "hf": "Hf",
}
"""The class of each; its module is called like the format. None is imported before it is used."""


def find_format(name: str, options: Options) -> "Format":
    """The format called `name`.

    Raises:
      CallError: there is none of that name.
    """
    if name not in FORMATS:
        raise CallError(f"--to: no format {name}; there are {', '.join(FORMATS)}")
    module = importlib.import_module(f"gritmill.exports.{name.replace('-', '_')}")
    make: Callable[[Options], Format] = getattr(module, FORMATS[name])
    return make(options)
