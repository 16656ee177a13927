"""The formats that a finished run can be exported to, by name."""

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
