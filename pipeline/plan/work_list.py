"""The work list: the ranges that a graph processes, fixed when the graph is submitted.

An engine may compute a step again at any time. If the list of ranges were computed in the graph, it would be shorter
when some are done: an engine that deals the elements of a lost partition anew, as Spark does, would then end well
without some ranges.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from pipeline import files, layout
from pipeline.faults import EnvironmentFault
from pipeline.files.guards import unguarded
from pipeline.files.typed import find_typed, publish_typed
from pipeline.ids import RangeId


class Work(NamedTuple):
    """A range, and how many chunks it has; None if it is finished, or if it does not matter. decoys: how many of its
    chunks have decoys, from the first one on; None if the table of decoys has finished it."""

    range_id: RangeId
    chunks: int | None = None
    decoys: int | None = 0


@dataclass(frozen=True)
class WorkList:
    """The content of the file. ranges: numbers of source and range of each one, the number of its chunks, and the
    number of those with decoys."""

    REMEDY: ClassVar[str] = "run the same command again"

    ranges: tuple[tuple[int, int, int | None, int | None], ...]


@contextmanager
def work_list(folder: str, work: Iterable[Work]) -> Iterator[str]:
    """Writes a list, in input order, into a folder. Yields its URI, and removes the file at the end of the block.

    Also removes lists that were left by runs that were killed: the caller must hold the lock of the folder.
    """
    files.delete(info.uri for info in files.list_folder(folder, f"{layout.WORK_LIST}*"))
    uri = files.join(folder, f"{layout.WORK_LIST}{uuid.uuid4().hex}.json")
    content = WorkList(tuple((one.range_id.source, one.range_id.range, one.chunks, one.decoys) for one in work))
    publish_typed(uri, content)
    try:
        yield uri
    except BaseException:
        with suppress(Exception):  # if the store does not answer any more, what ended the run is worth more than this
            _remove(uri)
        raise
    _remove(uri)


def _remove(uri: str) -> None:
    # Nobody else has a file of this name. Workers in this process (LOOPBACK) may have guards that say no by now.
    with unguarded():
        files.delete([uri])


def read_work(uri: str) -> list[Work]:
    """The content of a list.

    Raises:
      EnvironmentFault: it is missing or damaged.
    """
    content = find_typed(uri, WorkList)
    if content is None:
        raise EnvironmentFault(f"{uri} is missing: this worker does not see the folder, or the run has ended")
    return [Work(RangeId(source, number), *numbers) for source, number, *numbers in content.ranges]
