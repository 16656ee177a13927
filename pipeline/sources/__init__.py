"""Source kinds: each one cuts a source into ranges, reads its pairs, and fetches images again later.

A kind is a class with the methods of `Source`; `source_kinds` contains the names of the kinds. Positions are small
JSON objects. Only the kind knows their meaning, except for `index`, the number of the pair in the source.

webdataset, parquet, jsonl, delimited, coco   the kinds; `delimited` is CSV and TSV
base           code that all kinds share: ranges, positions, pairs from table rows
table          code that all tables share
tar_members    the members of a tar, even if it is damaged
read_images    reads images of files and containers ahead
fetch_images   the images of pairs that were read before
"""

from pipeline import source_kinds
from pipeline.configuration import SourceSettings
from pipeline.faults import CallError
from pipeline.files import FileInfo, name
from pipeline.sources.base import Position, RangeSpec, Source


def is_source(uri: str) -> bool:
    """Whether the suffix of the name is that of a source kind."""
    return bool(source_kinds.kind_from_name(name(uri)))


def kind_of(uri: str, settings: SourceSettings) -> str:
    """The kind of a source: as set in `source.kind`, else detected from the file name.

    Raises:
      CallError: the suffix of the name is unknown.
    """
    kind = source_kinds.kind_from_name(name(uri)) if settings.kind == "auto" else settings.kind
    if not kind:
        raise CallError(f"--input: {uri}: cannot detect its kind from its name; set it with --set source.kind=…")
    return kind


def open_source(kind: str, info: FileInfo, settings: SourceSettings) -> Source:
    """Opens a source of a kind. Reads nothing yet. Raises the errors of `source_kinds.load`."""
    source: Source = source_kinds.load(kind)(info, settings)
    return source
