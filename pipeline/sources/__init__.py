"""Kinds of sources: how each is recognised, cut into ranges, and read.

A kind is a class with the methods of `Source`; positions are small JSON objects whose meaning only the kind knows,
apart from `index`, the number of the pair within the source.

webdataset, parquet, jsonl, delimited, coco   the kinds; `delimited` is CSV and TSV
base          what all of them share: ranges, positions, a table row as pairs
table         tables in text files
tar_members   the members of a tar, whatever is wrong with it
"""

from pipeline.configuration import SourceSettings
from pipeline.faults import CallError
from pipeline.files import FileInfo, name
from pipeline.sources.base import Position, RangeSpec, Source
from pipeline.sources.coco import CocoSource
from pipeline.sources.delimited import DelimitedSource
from pipeline.sources.jsonl import JsonlSource
from pipeline.sources.webdataset import WebDatasetSource

__all__ = ["Position", "RangeSpec", "Source", "is_source", "kind_of", "open_source"]

_SUFFIXES = {
    ".tar": "webdataset",
    ".tar.gz": "webdataset",
    ".tgz": "webdataset",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "coco",
}


def is_source(uri: str) -> bool:
    """Whether the name says that this is a source."""
    return any(name(uri).lower().endswith(suffix) for suffix in _SUFFIXES)


def kind_of(uri: str, settings: SourceSettings) -> str:
    """The kind of a source: as set, else as its name tells.

    Raises:
      CallError: the name tells nothing.
    """
    if settings.kind != "auto":
        return settings.kind
    for suffix, kind in _SUFFIXES.items():
        if name(uri).lower().endswith(suffix):
            return kind
    raise CallError(f"--input: {uri}: cannot tell its kind by its name; say it with --set source.kind=…")


def open_source(kind: str, info: FileInfo, settings: SourceSettings) -> Source:
    """The reader for one source of a kind."""
    match kind:
        case "webdataset":
            return WebDatasetSource(info, settings)
        case "parquet":
            from pipeline.sources.parquet import ParquetSource  # with pyarrow, which takes a while

            return ParquetSource(info, settings)
        case "jsonl":
            return JsonlSource(info, settings)
        case "csv" | "tsv":
            return DelimitedSource(info, settings, "," if kind == "csv" else "\t")
        case "coco":
            return CocoSource(info, settings)
    raise ValueError(kind)
