"""Failed attempts: attempts at a chunk during which the worker process was killed.

A worker writes a record before it starts a chunk and removes it when the chunk is committed. If a record still says
"working" when the next attempt starts, it counts as one more failed attempt. A run that stops for another reason (an
interrupt, a full disk) clears "working" in the remaining records, because no process was killed.
"""

from contextlib import suppress

from pipeline import files, layout
from pipeline.files.publish import publish_json
from pipeline.ids import ChunkId

ISOLATE_AFTER = 2
"""After this many failed attempts, a chunk is processed in a separate process."""


def begin(detections: str, chunk: ChunkId) -> int:
    """Records the start of work on a chunk. Returns the number of failed attempts at it."""
    failed = failed_count(detections, chunk)
    publish_json(_uri(detections, chunk), {"deaths": failed, "working": True})
    return failed


def failed_count(detections: str, chunk: ChunkId) -> int:
    """Returns the number of failed attempts at a chunk."""
    uri = _uri(detections, chunk)
    if not files.exists(uri):
        return 0
    record = files.read_json(uri)
    return int(record["deaths"]) + bool(record["working"])


def end(detections: str, chunk: ChunkId) -> None:
    """Removes the record of a committed chunk."""
    files.delete([_uri(detections, chunk)])


def clear_in_progress(detections: str) -> None:
    """Clears "working" in all records because no process was killed. Deletes a record that it cannot rewrite."""
    for info in files.list_folder(detections, layout.ALL_WORKING):
        if files.name(info.uri).startswith(layout.TEMPORARY):
            continue  # left by a worker that was stopped during a write
        try:
            publish_json(info.uri, {"deaths": files.read_json(info.uri)["deaths"], "working": False})
        except OSError:
            with suppress(Exception):  # the disk may refuse deletions too
                files.delete([info.uri])


def delete_all(detections: str) -> None:
    """Removes all records."""
    files.delete([info.uri for info in files.list_folder(detections, layout.ALL_WORKING)])


def _uri(detections: str, chunk: ChunkId) -> str:
    return files.join(detections, layout.working(chunk))
