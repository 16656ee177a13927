"""Which chunks were being worked on when a process died.

A worker leaves a mark before it starts on a chunk and removes it once the chunk is committed. A mark that is found at
the start says that an earlier attempt came to no end. A run that ends for another reason, an interrupt or a full disk,
takes the blame from the marks that it leaves.
"""

from contextlib import suppress

from pipeline import files
from pipeline.files.publish import TEMPORARY, publish_json
from pipeline.ids import ChunkId

FOLDER = "working"

ISOLATE_AFTER = 2
"""Deaths from which on a chunk is done in a process of its own."""


def begin(detections: str, chunk: ChunkId) -> int:
    """Marks a chunk as being worked on. Returns how many attempts at it have died."""
    failed = failed_count(detections, chunk)
    publish_json(_uri(detections, chunk), {"deaths": failed, "working": True})
    return failed


def failed_count(detections: str, chunk: ChunkId) -> int:
    """How many attempts at a chunk have died."""
    uri = _uri(detections, chunk)
    if not files.exists(uri):
        return 0
    record = files.read_json(uri)
    return int(record["deaths"]) + bool(record["working"])


def end(detections: str, chunk: ChunkId) -> None:
    """Removes a chunk's mark: it is committed."""
    files.delete([_uri(detections, chunk)])


def clear_in_progress(detections: str) -> None:
    """Nobody died: the marks that are left say so, or are removed where nothing can be written any more."""
    for info in files.list_folder(files.join(detections, FOLDER), "*.json"):
        if files.name(info.uri).startswith(TEMPORARY):
            continue  # of a worker that was ended while it wrote
        try:
            publish_json(info.uri, {"deaths": files.read_json(info.uri)["deaths"], "working": False})
        except OSError:
            with suppress(Exception):  # a disk that takes no deletion either
                files.delete([info.uri])


def delete_all(detections: str) -> None:
    """Removes all marks: everything is done."""
    files.delete([info.uri for info in files.list_folder(files.join(detections, FOLDER), "*.json")])


def _uri(detections: str, chunk: ChunkId) -> str:
    return files.join(detections, FOLDER, f"{chunk.source:05}-{chunk.range:05}-{chunk.number:05}.json")
