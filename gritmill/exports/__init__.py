"""The formats that a finished run can be exported to, one file each.

coco, flickr30k_entities, grit, hf, instructions, mdetr, odvg, refcoco, tsv, yolo   formats
relations    the format of statements that boxes decide, in several files
export       a finished run -> one format, shard by shard
shards       the shards of an export, written by this process, or by several
write_shard  writes one shard, in this process or in a child
format       the interface of a format, and code that the formats share
plugin       wraps a format of another package: names it in errors, checks what it returns
options      the options of an export
card         the data card of exported data
checked_boxes   the figures of `calibrate --clicks`, for the data card
readers      the libraries that `make interop` runs on exports, for the data card
image_entries   formats that list images: the samples of one image are one entry
bert_tokens  how many tokens a text has for a text encoder
coco_json    long lists in JSON, written entry by entry

Another package can add a format through the entry-point group `gritmill.exports`. The name of the entry is the name of
the format; its value is a callable that takes the options and returns a `Format`.
"""

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from gritmill.exports.options import ExportOptions, Level
from pipeline.faults import CallError, RunFault
from transforms.culprits import calling
from transforms.plugins import check_callable, check_made, load_entry, name_entry
from transforms.wording import suggestion

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
    "relations": "relations.format:Relations",
}


def formats() -> "dict[str, EntryPoint]":
    """All formats by name, the built-in ones first. A format is imported when its entry point is loaded."""
    from importlib.metadata import EntryPoint, entry_points  # takes 25 ms, which `--help` should not pay

    builtin = {name: EntryPoint(name, f"{__name__}.{place}", GROUP) for name, place in _BUILTIN.items()}
    return builtin | {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in builtin}


def is_built_in(name: str) -> bool:
    """Whether a format is gritmill's own."""
    return name in _BUILTIN


def find_format(name: str, options: ExportOptions) -> "Format":
    """The format called `name`.

    Raises:
      CallError: no format has this name, or the package of the format fails.
    """
    if name in _BUILTIN:
        module, _, kind = _BUILTIN[name].partition(":")
        built_in: Format = getattr(import_module(f"{__name__}.{module}"), kind)(options)
        return built_in
    known = formats()
    if name not in known:
        raise CallError(f"--to: {name}: no such format; {suggestion(name, known)}")
    entry = known[name]
    from gritmill.exports.plugin import ATTRIBUTES, METHODS, PluginFormat

    with calling(f"--to: {name}: {name_entry(entry)}", CallError, (RunFault,)):
        make = load_entry(entry, f"--to: {name}", CallError)
        check_callable(make)
        made = make(replace(options, level=options.level or Level.EXPRESSIONS))
        check_made(made, "it", *METHODS, attributes=ATTRIBUTES)
    return PluginFormat(made, name)
