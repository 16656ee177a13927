"""Files by URI, on every file system that Beam knows. A plain path is a local file.

`access` reads, lists and removes them, `publish` writes them, `lock` keeps a folder to one run.
"""

from pipeline.files.access import (
    delete,
    exists,
    is_forbidden,
    list_folder,
    match,
    move_folder,
    open_read,
    passed_over,
    read_bytes,
    read_json,
    unpacked,
)
from pipeline.files.uris import FileInfo, canonical, check_extra, inside, is_local, is_missing, join, name, parent

__all__ = [
    "FileInfo",
    "canonical",
    "check_extra",
    "delete",
    "exists",
    "inside",
    "is_forbidden",
    "is_local",
    "is_missing",
    "join",
    "list_folder",
    "match",
    "move_folder",
    "name",
    "open_read",
    "parent",
    "passed_over",
    "read_bytes",
    "read_json",
    "unpacked",
]
