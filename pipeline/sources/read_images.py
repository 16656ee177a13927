"""Encoded images, read ahead of the consumer: image files in several threads, containers in one thread."""

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
"""Threads that read image files. On an object store, each image file costs one request."""

MAX_AHEAD = 32
_MAX_AHEAD_BYTES = 64 << 20  # or one image that is larger


def read_file(uri: str, stage: FailureStage) -> bytes | Fault:
    """Reads an image that is a separate file. Returns a Fault if it is missing or permission is denied.

    stage: READ if the image is read for the first time, FETCH if it was read before.
    Other errors are raised, because they are faults of the environment.
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
    """Yields a function that returns `make(file)`. Its first call opens the file. The end of the block closes it."""
    with ExitStack() as stack:
        yield cache(lambda: make(stack.enter_context(files.open_read(uri))))


def fetch_ahead(
    references: Iterable[ImageRef], read: Callable[[ImageRef], bytes | Fault], threads: int = 1
) -> Iterator[bytes | Fault]:
    """The result of `read` for each reference, in order. With one thread, the calls run one after the other, as
    a container requires.

    Raises:
      EnvironmentFault: `read` raised an exception.
    """

    def read_or_raise(image: ImageRef) -> bytes | Fault:
        try:
            return read(image)
        except Exception as error:
            raise EnvironmentFault(f"{image.uri}: {type(error).__name__}: {error}") from error

    fetched = read_ahead(
        references,
        read_or_raise,
        threads=threads,
        ahead=MAX_AHEAD,
        cost=lambda image: image.length,
        max_cost=_MAX_AHEAD_BYTES,
        name="images",
    )
    for _, data in fetched:
        yield data
