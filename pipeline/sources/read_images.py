"""Encoded images, read ahead of whoever takes them: files in several threads, the content of a container in one."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import BinaryIO, TypeVar

from pipeline import files
from pipeline.faults import EnvironmentFault
from transforms.read_ahead import read_ahead
from transforms.records import FailureStage, Fault, ImageRef, Reason

Opened = TypeVar("Opened")

LOADERS = 8
"""Threads for image files: a table on an object store costs a request each."""

MAX_AHEAD = 32
_MAX_AHEAD_BYTES = 64 << 20  # or a single image


def read_file(uri: str, stage: FailureStage) -> bytes | Fault:
    """An image that is a file of its own; a Fault if it is not there or may not be read.

    stage: READ for one that is read for the first time, FETCH for one that was there before.
    Other trouble is the environment's, and raises.
    """
    try:
        return files.read_bytes(uri)
    except Exception as error:
        first = stage is FailureStage.READ
        never = first and isinstance(error, (IsADirectoryError, ValueError))  # a folder; a NUL in the path
        if files.is_missing(error) or never:
            return Fault.from_error(stage, Reason.MISSING_FILE if first else Reason.GONE, uri)
        if files.is_forbidden(uri):
            return Fault.from_error(stage, Reason.FORBIDDEN, uri)
        raise


@contextmanager
def opened_once(uri: str, make: Callable[[BinaryIO], Opened]) -> Iterator[Callable[[], Opened]]:
    """Gives what `make` makes of a file, which is opened when it is first asked for, and closed in the end."""
    with ExitStack() as stack:
        yield cache(lambda: make(stack.enter_context(files.open_read(uri))))


def fetch_ahead(
    references: Iterable[ImageRef], read: Callable[[ImageRef], bytes | Fault], threads: int = 1
) -> Iterator[bytes | Fault]:
    """What `read` makes of each reference, in order; with one thread, of one after the other, as a container wants.

    Raises:
      EnvironmentFault: `read` has raised.
    """

    def read_or_blame(image: ImageRef) -> bytes | Fault:
        try:
            return read(image)
        except Exception as error:
            raise EnvironmentFault(f"{image.uri}: {type(error).__name__}: {error}") from error

    fetched = read_ahead(
        references,
        read_or_blame,
        threads=threads,
        ahead=MAX_AHEAD,
        cost=lambda image: image.length,
        max_cost=_MAX_AHEAD_BYTES,
        name="images",
    )
    for _, data in fetched:
        yield data
