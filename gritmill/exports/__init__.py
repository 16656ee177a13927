"""The formats that a finished run can be exported to, by name."""

from collections.abc import Callable

from gritmill.exports.coco import Coco
from gritmill.exports.flickr30k_entities import Flickr30kEntities
from gritmill.exports.format import Format, Options
from gritmill.exports.grit import Grit
from gritmill.exports.hf import Hf
from gritmill.exports.instructions import Instructions
from gritmill.exports.mdetr import Mdetr
from gritmill.exports.odvg import Odvg
from gritmill.exports.refcoco import RefCoco
from gritmill.exports.tsv import Tsv
from gritmill.exports.yolo import Yolo
from pipeline.faults import CallError

FORMATS: dict[str, Callable[[Options], Format]] = {
    "grit": Grit,
    "tsv": Tsv,
    "odvg": Odvg,
    "mdetr": Mdetr,
    "coco": Coco,
    "refcoco": RefCoco,
    "flickr30k-entities": Flickr30kEntities,
    "yolo": Yolo,
    "instructions": Instructions,
    "hf": Hf,
}


def find(name: str, options: Options) -> Format:
    """The format called `name`.

    Raises:
      CallError: there is none of that name.
    """
    if name not in FORMATS:
        raise CallError(f"--to: no format {name}; there are {', '.join(FORMATS)}")
    return FORMATS[name](options)
