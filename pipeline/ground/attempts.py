"""Failed attempts: attempts at a chunk during which the worker process was killed.

A worker writes a record before it starts a chunk and removes it when the chunk is committed. If a record still says
"working" when the next attempt starts, it counts as one more failed attempt. A run that stops for another reason (an
interrupt, a full disk) clears "working" in the remaining records, because no process was killed.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from pipeline import files, layout
from pipeline.faults import EnvironmentFault
from pipeline.files.typed import find_typed, publish_typed, read_typed
from pipeline.ids import ChunkId

ISOLATE_AFTER = 2
"""After this many failed attempts, a chunk is processed in a separate process."""


@dataclass(frozen=True)
class Attempts:
    """The content of a record. deaths: failed attempts. working: whether an attempt is in progress, or has failed."""

    REMEDY: ClassVar[str] = "remove it"

    deaths: int
    working: bool


def begin(detections: str, chunk: ChunkId) -> int:
    """Records the start of work on a chunk. Returns the number of failed attempts at it."""
    failed = failed_count(detections, chunk)
    publish_typed(_uri(detections, chunk), Attempts(failed, working=True))
    return failed


def failed_count(detections: str, chunk: ChunkId) -> int:
    """Returns the number of failed attempts at a chunk. 0 if the record is damaged: no row depends on it."""
    with suppress(EnvironmentFault):
        record = find_typed(_uri(detections, chunk), Attempts)
        return record.deaths + record.working if record else 0
    return 0


def end(detections: str, chunk: ChunkId) -> None:
    """Removes the record of a committed chunk."""
    files.delete([_uri(detections, chunk)])


def clear_in_progress(detections: str) -> None:
    """Clears "working" in all records because no process was killed. Deletes a record that it cannot read or write."""
    for info in files.list_folder(detections, layout.ALL_WORKING):
        if files.name(info.uri).startswith(layout.TEMPORARY):
            continue  # left by a worker that was stopped during a write
        try:
            publish_typed(info.uri, Attempts(read_typed(info.uri, Attempts).deaths, working=False))
        except (OSError, EnvironmentFault):
            with suppress(Exception):  # the disk may refuse deletions too
                files.delete([info.uri])


def delete_all(detections: str) -> None:
    """Removes all records."""
    files.delete([info.uri for info in files.list_folder(detections, layout.ALL_WORKING)])


def _uri(detections: str, chunk: ChunkId) -> str:
    return files.join(detections, layout.working(chunk))
