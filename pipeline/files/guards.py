"""Whether the files of a folder may still change. Each file that appears or disappears there asks first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Guard = Callable[[], bool]
"""Called right before a file appears or disappears. Returns whether it may."""

_GUARDS: dict[str, list[Guard]] = {}

_CHANGES: set[object] = set()
"""A token for each file that may appear or disappear at any moment."""

_ASKS: ContextVar[bool] = ContextVar("asks", default=True)
"""Whether changes by this thread ask the guards of folders."""


class Forbidden(Exception):
    """A guard returned False, and nothing was changed."""


def always() -> bool:
    """The guard that always returns True."""
    return True


@contextmanager
def guarded(folder: str, guard: Guard) -> Iterator[None]:
    """For the duration of the block, each change below the folder by this process asks `guard`."""
    guards = _GUARDS.setdefault(folder.rstrip("/"), [])
    guards.append(guard)
    try:
        yield
    finally:
        guards.remove(guard)


@contextmanager
def unguarded() -> Iterator[None]:
    """For the files on which guards depend: in the block, changes by this thread do not ask the guards of folders."""
    token = _ASKS.set(False)
    try:
        yield
    finally:
        _ASKS.reset(token)


@contextmanager
def changing() -> Iterator[None]:
    """While the block runs, a file whose guards have allowed it may appear or disappear at any moment: a request to a
    store can take minutes."""
    if not _ASKS.get():  # such as a heartbeat, which is no change of a run
        yield
        return
    token = object()
    _CHANGES.add(token)
    try:
        yield
    finally:
        _CHANGES.discard(token)


def is_changing() -> bool:
    """Whether this process is changing a file now, although its guards may forbid the next change."""
    return bool(_CHANGES)


def ask(uri: str, guard: Guard = always) -> None:
    """Raises Forbidden if `guard`, or one of a folder around the file, returns False."""
    # Copies, because other threads may add folders and guards, and remove guards.
    found = list(_GUARDS.items()) if _ASKS.get() else []
    around = (tuple(guards) for folder, guards in found if uri == folder or uri.startswith(f"{folder}/"))
    if not all(one() for guards in (*around, [guard]) for one in guards):
        raise Forbidden(uri)
