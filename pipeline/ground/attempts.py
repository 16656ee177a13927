"""Failed attempts: tries at a chunk whose process died.

A worker writes a record for a chunk before it starts on it, and removes it once the chunk is committed. A record that
says "working" when the next attempt starts therefore counts as one more failed attempt. A run that is interrupted, or
meets a full disk, clears "working" in the records that it leaves: no process has died.
"""

from contextlib import suppress

from pipeline import files, layout
from pipeline.files.publish import publish_json
from pipeline.ids import ChunkId

ISOLATE_AFTER = 2
"""A chunk with this many failed attempts is done in a process of its own."""


def begin(detections: str, chunk: ChunkId) -> int:
    """Records that a chunk is being worked on. Returns how many attempts at it have failed."""
    failed = failed_count(detections, chunk)
    publish_json(_uri(detections, chunk), {"deaths": failed, "working": True})
    return failed


def failed_count(detections: str, chunk: ChunkId) -> int:
    """How many attempts at a chunk have failed."""
    uri = _uri(detections, chunk)
    if not files.exists(uri):
        return 0
    record = files.read_json(uri)
    return int(record["deaths"]) + bool(record["working"])


def end(detections: str, chunk: ChunkId) -> None:
    """Removes the record of a chunk that is committed."""
    files.delete([_uri(detections, chunk)])


def clear_in_progress(detections: str) -> None:
    """No process has died: clears "working" in all records, or removes them where nothing can be written any more."""
    for info in files.list_folder(detections, layout.ALL_WORKING):
        if files.name(info.uri).startswith(layout.TEMPORARY):
            continue  # of a worker that was ended while it wrote
        try:
            publish_json(info.uri, {"deaths": files.read_json(info.uri)["deaths"], "working": False})
        except OSError:
            with suppress(Exception):  # a disk that takes no deletion either
                files.delete([info.uri])


def delete_all(detections: str) -> None:
    """Removes all records: everything is done."""
    files.delete([info.uri for info in files.list_folder(detections, layout.ALL_WORKING)])


def _uri(detections: str, chunk: ChunkId) -> str:
    return files.join(detections, layout.working(chunk))
