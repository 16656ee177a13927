"""Kinds of sources: how each is cut into ranges, read, and asked for images again. `source_kinds` has their names.

A kind is a class with the methods of `Source`; positions are small JSON objects whose meaning only the kind knows,
apart from `index`, the number of the pair within the source.

webdataset, parquet, jsonl, delimited, coco   the kinds; `delimited` is CSV and TSV
base           what all of them share: ranges, positions, a table row as pairs
table          tables in text files
tar_members    the members of a tar, whatever is wrong with it
read_images    image files and containers, read ahead
fetch_images   the images of pairs that were read before
"""

from pipeline import source_kinds
from pipeline.configuration import SourceSettings
from pipeline.faults import CallError
from pipeline.files import FileInfo, name
from pipeline.sources.base import Position, RangeSpec, Source


def is_source(uri: str) -> bool:
    """Whether the name says that this is a source."""
    return bool(source_kinds.told_by(name(uri)))


def kind_of(uri: str, settings: SourceSettings) -> str:
    """The kind of a source: as set, else as its name tells.

    Raises:
      CallError: the name tells nothing.
    """
    kind = source_kinds.told_by(name(uri)) if settings.kind == "auto" else settings.kind
    if not kind:
        raise CallError(f"--input: {uri}: cannot tell its kind by its name; say it with --set source.kind=…")
    return kind


def open_source(kind: str, info: FileInfo, settings: SourceSettings) -> Source:
    """The reader for one source of a kind; raises as `source_kinds.load`. Nothing is read yet."""
    source: Source = source_kinds.load(kind)(info, settings)
    return source
