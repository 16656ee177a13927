"""Files by URI, on every file system that Beam knows. A plain path is a local file.

uris      what a URI says without a look at the file, and what errors of file systems mean
access    read, list, remove
publish   write: whole or not at all
typed     JSON files as typed values
lock      one run a folder
remote    files that are not local, through Beam
gunzip    gzipped files, read forward
"""

from pipeline.files.access import (
    delete,
    exists,
    gunzipped,
    is_forbidden,
    list_folder,
    match,
    move_folder,
    open_read,
    read_bytes,
    read_json,
    skipped_by_glob,
)
from pipeline.files.uris import (
    FileInfo,
    canonical,
    check_extra,
    is_local,
    is_missing,
    join,
    name,
    parent,
    resolve_below,
)
