"""Source kinds: each one cuts a source into ranges, reads its pairs, and fetches images again later.

A kind is a class with the methods of `Source`; `source_kinds` contains the names of the kinds. Positions are small
JSON objects. Only the kind knows their meaning, except for `index`, the number of the pair in the source.

webdataset, parquet, arrow, jsonl, json_records, delimited, coco, folder   the kinds; `delimited` is CSV and TSV
base           code that all kinds share: ranges, positions, pairs from table rows
table          code that all tables share
columns        the columns of a table that are used, by name
image_cells    the image in a cell: bytes, base64, a data URI, numbers, a path
text_file      text files as UTF-8: compressed ones, other encodings
caption_text   the caption without the framing of its container
json_text      JSON that other programs wrote
parquet_cells  cells of parquet columns, one by one where a whole column cannot be converted
tar_layout     how a tar names and orders its members, if not as webdataset does
tar_index      offsets of the members of each sample, even if they are not adjacent
tar_members    the members of a tar, even if it is damaged
member_names   the names of members: key, role, extension
image_folder   the folder of the images that a table names, if they are elsewhere
read_images    reads images of files and containers ahead
fetch_images   the images of pairs that were read before
plugin         wraps a source of another package: names it in errors, checks what it returns
"""

import shlex

from pipeline import source_kinds
from pipeline.configuration import SourceSettings
from pipeline.faults import CallError, RunFault
from pipeline.files import FileInfo, name, parent
from pipeline.sources.base import Position, RangeSpec, Source
from pipeline.sources.columns import NO_FIELDS, Fields
from pipeline.sources.plugin import METHODS, PluginSource
from transforms.culprits import calling
from transforms.plugins import check_made


def is_source(uri: str) -> bool:
    """Whether the suffix of the name is that of a source kind. What other programs write beside data is no source."""
    return bool(source_kinds.kind_from_name(name(uri))) and not source_kinds.METADATA.search(uri)


def kind_of(uri: str, settings: SourceSettings) -> str:
    """The kind of a source: as set in `source.kind`, else detected from the file name, and for JSON from the content.

    Raises:
      CallError: the suffix of the name is unknown.
    """
    if uri.endswith("/"):  # a folder of pictures that `find_sources` found
        return "folder"
    kind = source_kinds.kind_from_name(name(uri)) if settings.kind == "auto" else settings.kind
    if not kind:
        from pipeline.sources.member_names import IMAGES

        if uri.rpartition(".")[2].lower() in IMAGES:
            folder = shlex.quote(parent(uri))
            raise CallError(f"--input: {uri}: a picture is no source; use its folder: --input {folder}")
        raise CallError(f"--input: {uri}: {source_kinds.explain_unknown(name(uri))}")
    if settings.kind == "auto" and kind in ("coco", "jsonl"):
        from pipeline.sources.json_records import kind_of_json

        return kind_of_json(uri, kind, settings)
    return kind


def open_source(kind: str, info: FileInfo, settings: SourceSettings) -> Source:
    """Opens a source of a kind. Reads nothing yet. Raises the errors of `source_kinds.load`."""
    make, origin = source_kinds.load(kind), source_kinds.origin(kind)
    if not origin:
        built_in: Source = make(info, settings)
        return built_in
    name = f"source.kind: {origin}"
    with calling(name, CallError, (RunFault,)):
        source = make(info, settings)
        check_made(source, "it", *METHODS)
    return PluginSource(source, f"{name}: {info.uri}")


def fields(source: Source, start: Position | None = None) -> Fields:
    """The columns or JSON fields that a source is known to have. None are known of kinds of other packages, of COCO
    files, and of a source that cannot be read so far.

    start: of the first pair, from which samples of a tar or a folder are read. None: only what planning has read.
    """
    try:
        known: Fields = source.fields(start) if hasattr(source, "fields") else NO_FIELDS
        return known
    except Exception:  # see `notices`
        return NO_FIELDS


def notices(source: Source, start: Position) -> list[str]:
    """Lines for a person about what may not be meant in a source. start: of its first pair. There are none for kinds of
    other packages, and for a source that cannot be read so far."""
    try:
        return list(source.notices(start)) if hasattr(source, "notices") else []
    except Exception:  # of any file system; whoever reads the pairs says what is wrong
        return []
