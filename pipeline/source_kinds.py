"""Source kinds by name: their classes, and the file-name suffixes from which they are detected.

A package adds a kind through the entry-point group `gritmill.sources`. The name of the entry is the name of the kind.
Its value is a class that takes a `FileInfo` and the `SourceSettings`, has the methods of `pipeline.sources.Source`, and
may have an attribute `suffixes`. The class is imported when a kind is detected from a file name, even if another kind
is the result. So its module should import slow packages only when it uses them.
"""

import re
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pipeline.faults import CallError
from transforms.culprits import WrongAnswer, calling
from transforms.plugins import check_callable, load_entry, name_entry
from transforms.wording import closest, listed

GROUP = "gritmill.sources"

_BUILTIN = {
    "webdataset": ("webdataset:WebDatasetSource", (".tar", ".tgz")),
    "parquet": ("parquet:ParquetSource", (".parquet",)),
    "arrow": ("arrow:ArrowSource", (".arrow", ".arrows", ".feather", ".ipc")),
    "jsonl": ("jsonl:JsonlSource", (".jsonl", ".ndjson")),
    "csv": ("delimited:CsvSource", (".csv",)),
    "tsv": ("delimited:TsvSource", (".tsv", ".token")),
    "coco": ("coco:CocoSource", (".json",)),
    "json": ("json_records:JsonSource", ()),
    "folder": ("folder:FolderSource", ()),
}
"""For each kind: its class, below `pipeline.sources`, and its suffixes."""

_CURES = {
    "save it as CSV": ("xlsx", "xls", "xlsm", "ods"),
    "unpack it, or pack it again as .tar or .tar.gz": ("zip", "rar", "7z", "bz2", "xz"),
    "if it is a table, set source.kind=csv or source.kind=tsv; if it lists URLs, download the images with img2dataset, "
    "from a table that has their captions, too": ("txt",),
}
"""What to do with other files, by suffix."""

TABLE_OF_ANYTHING = re.compile(r"\.(arrows|feather|ipc)(\.(gz|zst|zstd))?\Z", re.IGNORECASE)
"""Suffixes of tables that often have no pairs, such as embeddings. Runs of 0.1 did not find them in folders."""

_COMPRESSED = re.compile(r"\.(gz|zst|zstd)\Z", re.IGNORECASE)
METADATA = re.compile(
    r"(^|/)(([0-9]{5,}_stats|dataset_infos?|dataset_dict|state)\.json|cache-[^/]*\.arrow|_tmp/[0-9]+\.feather)\Z"
)
"""Names of the files that img2dataset and Hugging Face's `datasets` write beside data, and that are no sources. A run
of img2dataset that was interrupted leaves parts of its URL list in `_tmp/`."""


def names() -> list[str]:
    """The names of all kinds, the built-in ones first."""
    return list(dict.fromkeys([*_BUILTIN, *_from_outside(tuple(sys.path))]))


def load(kind: str) -> Any:
    """Returns the class of a kind.

    Raises:
      CallError: the kind does not exist, or its class cannot be imported.
    """
    if kind in _BUILTIN:
        return EntryPoint(kind, f"pipeline.sources.{_BUILTIN[kind][0]}", GROUP).load()
    entry = _from_outside(tuple(sys.path)).get(kind)
    if entry is None:
        close = closest(kind, names())
        known = f"did you mean {close}" if close else f"use one of {listed(names())}"
        raise CallError(f"source.kind: {kind}: no such kind; {known}, or install its package")
    made = load_entry(entry, "source.kind", CallError)
    with calling(f"source.kind: {name_entry(entry)}", CallError):
        check_callable(made)
        if isinstance(getattr(made, "suffixes", ()), str):
            raise WrongAnswer(f"its suffixes are {made.suffixes!r}; use a tuple")
    return made


def origin(kind: str) -> str:
    """The entry point and the package of a kind, for messages; "" for a built-in kind."""
    return "" if kind in _BUILTIN else name_entry(_from_outside(tuple(sys.path))[kind])


def kind_from_name(name: str) -> str:
    """The kind of the longest suffix that matches a file name; "" if none does. Case does not matter, nor does `.gz` or
    `.zst` at the end."""
    search, kinds = _endings(tuple(sys.path))
    match = search(name.lower())
    return kinds[match[1]] if match else ""


def explain_unknown(name: str) -> str:
    """Why no kind is detected from a file name, and what to do."""
    _, dot, suffix = unpacked_name(name.lower()).rpartition(".")
    other = "convert it, or set source.kind=… if it is one of these under another name"
    cure = next((cure for cure, suffixes in _CURES.items() if dot and suffix in suffixes), other)
    known = ", ".join(ending for _, endings in _BUILTIN.values() for ending in endings)
    return f"cannot detect its kind from its name; {cure}; gritmill reads {known} and folders of pictures"


def unpacked_name(name: str) -> str:
    """A file name or URI without `.gz`, `.zst` or `.zstd` at its end."""
    return _COMPRESSED.sub("", name)


@lru_cache(maxsize=1)
def _from_outside(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Entry points by kind. path: `sys.path`. The result is cached, because the search takes some ms for every file."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in _BUILTIN}


@lru_cache(maxsize=1)
def _endings(path: tuple[str, ...]) -> tuple[Callable[[str], re.Match[str] | None], dict[str, str]]:
    """What finds the longest suffix of a name in lower case, as its first group, and the kind of each suffix. If a
    package and a built-in kind have the same suffix, the built-in kind is used."""
    outside = {e.lower(): kind for kind in _from_outside(path) for e in getattr(load(kind), "suffixes", ())}
    kinds = outside | {e: kind for kind, (_, endings) in _BUILTIN.items() for e in endings}
    longest_first = "|".join(map(re.escape, sorted(kinds, key=len, reverse=True)))
    return re.compile(rf"({longest_first})({_COMPRESSED.pattern})?\Z").search, kinds
