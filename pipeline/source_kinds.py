"""Kinds of sources by name: the endings of file names that tell them, and where their classes are.

A package of your own adds one through the entry-point group `gritmill.sources`: the entry's name is the kind's, its
value a class that takes a `FileInfo` and the `SourceSettings`, has the methods of `pipeline.sources.Source`, and may
have an attribute `suffixes`. It is imported whenever a kind is told by a file's name, so it should import what is slow
only when it is used.
"""

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pipeline.faults import CallError, first_line

GROUP = "gritmill.sources"

_BUILTIN = {
    "webdataset": ("webdataset:WebDatasetSource", (".tar", ".tar.gz", ".tgz")),
    "parquet": ("parquet:ParquetSource", (".parquet",)),
    "jsonl": ("jsonl:JsonlSource", (".jsonl", ".ndjson")),
    "csv": ("delimited:CsvSource", (".csv",)),
    "tsv": ("delimited:TsvSource", (".tsv",)),
    "coco": ("coco:CocoSource", (".json",)),
}
"""By name: the class, below `pipeline.sources`, and the endings."""


def names() -> list[str]:
    """All kinds, the built-in ones first."""
    return list(dict.fromkeys([*_BUILTIN, *_from_outside(tuple(sys.path))]))


def load(kind: str) -> Any:
    """The class of a kind.

    Raises:
      CallError: there is no such kind, or its package cannot be imported.
    """
    if kind in _BUILTIN:
        return EntryPoint(kind, f"pipeline.sources.{_BUILTIN[kind][0]}", GROUP).load()
    entry = _from_outside(tuple(sys.path)).get(kind)
    if entry is None:
        raise CallError(f"source.kind: no kind {kind}; there are {', '.join(names())}; is its package installed?")
    try:
        return entry.load()
    except Exception as error:
        raise CallError(f"source.kind: {kind} of {entry.value}: {type(error).__name__}: {first_line(error)}") from error


def told_by(name: str) -> str:
    """The kind that a file's name tells, by the longest ending that fits; "" if it tells none."""
    endings = _endings(tuple(sys.path))
    return endings[max((e for e in endings if name.lower().endswith(e)), key=len, default="")]


@lru_cache(maxsize=1)
def _from_outside(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """By kind. path: `sys.path`, where packages are looked for: it takes some ms, and a folder has many files."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in _BUILTIN}


@lru_cache(maxsize=1)
def _endings(path: tuple[str, ...]) -> dict[str, str]:
    """The kind by the ending that tells it; where two want the same one, the built-in kind has it."""
    outside = {e.lower(): kind for kind in _from_outside(path) for e in getattr(load(kind), "suffixes", ())}
    return {"": "", **outside, **{e: kind for kind, (_, endings) in _BUILTIN.items() for e in endings}}
