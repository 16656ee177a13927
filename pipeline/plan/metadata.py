"""Files that other programs write beside data: which of them have no pairs.

Their names only say which files are looked into. One that has pairs is a source, whatever its name is.
"""

import re
from collections.abc import Collection

from pipeline import files
from pipeline.configuration import ColumnSettings, SourceSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.source_kinds import METADATA
from pipeline.sources import json_text, kind_of
from pipeline.sources.columns import Columns
from pipeline.sources.json_records import JsonSource, has_records
from pipeline.sources.jsonl import JsonlSource
from pipeline.sources.member_names import is_image_name
from pipeline.sources.text_file import read_text

_STATS = re.compile(r"_stats\.json\Z")
_CAPTION_FIELD = re.compile(rb'"caption"\s*:')
_WINDOW, _WINDOWS = 1 << 16, 8
_LONGEST_FIELD = 100

_MAX_BYTES = 1 << 24
"""Of a JSON file that is parsed only to know whether it has pairs. No program writes so much beside data."""


def is_metadata(info: FileInfo, uris: Collection[str], columns: ColumnSettings) -> bool:
    """Whether a file is metadata of img2dataset or `datasets`, by its name and its content.

    The stats of a shard that is there are not read: a run of img2dataset has ten thousand of them.

    uris: of files and folders beside it. columns: `source.columns`.
    """
    if not METADATA.search(info.uri):
        return False
    shard = _STATS.sub("", info.uri)
    if not info.uri.endswith(".json") or any(f"{shard}{end}" in uris for end in (".tar", ".parquet", "/")):
        return True
    return info.size <= _MAX_BYTES and not _has_pairs(info, columns)


def lacks_captions(info: FileInfo) -> bool:
    """Whether there is no field "caption" in windows of a JSON file of COCO, which are all of it up to 0.5 MiB.

    Annotations of one file have the same fields, and to parse COCO's instances (450 MB) takes many seconds.
    """
    starts = range(0, info.size, max(info.size // _WINDOWS, _WINDOW - _LONGEST_FIELD))
    try:
        with files.open_read(info.uri) as file:
            for start in (*starts, max(info.size - _WINDOW, 0)):
                file.seek(start)
                if _CAPTION_FIELD.search(file.read(_WINDOW)):
                    return False
    except Exception:  # of any file system; whoever reads the file says what is wrong
        return False
    return True


def _has_pairs(info: FileInfo, columns: ColumnSettings) -> bool:
    """Whether a JSON file has records with a caption and an image, or COCO's annotations with captions."""
    settings = SourceSettings(columns=columns)
    try:
        kind = kind_of(info.uri, settings)
        if kind == "jsonl":
            return Columns.fit(JsonlSource(info, settings).column_names(), columns)
        value = json_text.parse(read_text(info.uri, ""))
        if kind == "coco":
            found = value.get("annotations") if isinstance(value, dict) else None
            annotations = found if isinstance(found, list) else []
            return any(isinstance(one, dict) and isinstance(one.get("caption"), str) for one in annotations)
        # The values of other objects may look like records, as `features` of dataset_info.json does.
        if not has_records(info.uri) and not any("." in name and is_image_name(name) for name in value):
            return False
        return Columns.fit(JsonSource(info, settings).column_names(), columns)
    except (SourceFault, ValueError, RecursionError):
        return False
    except Exception:  # of any file system; whoever reads the file says what is wrong
        return True
