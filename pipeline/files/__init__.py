"""Files by URI, on every file system that fsspec supports. A plain path is a local file.

uris      functions on URIs that do not access files, and the meaning of file-system errors
access    read, list, remove
publish   atomic writes
guards    whether the files of a folder may still change
typed     JSON files as typed values
checksum  the checksum that a file contains of itself
holder    which process holds something, and whether it is gone
lock      one run per folder
lease     which command on an engine may write into a run folder
run_log   what each call did in a run folder
foreign   files in an output folder that gritmill did not write
remote    files that are not local, through fsspec
azure     what the client of Azure does otherwise
raw_file  the base of files that change what another file returns
unpack    files that are read forward: gzip, zstd, other encodings of text
"""

from pipeline.files.access import (
    delete,
    exists,
    folders_in,
    is_forbidden,
    iter_folders,
    list_folder,
    list_tree,
    match,
    move_folder,
    need_file_place,
    need_folder,
    need_place,
    open_read,
    read_bytes,
    read_json,
    skipped_by_glob,
)
from pipeline.files.raw_file import RawFile
from pipeline.files.unpack import ForwardFile, unpacked
from pipeline.files.uris import (
    FileInfo,
    canonical,
    check_extra,
    is_local,
    is_missing,
    is_store,
    join,
    name,
    parent,
    place_of,
    resolve_below,
)
