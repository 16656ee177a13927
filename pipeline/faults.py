"""Exceptions that end a run, each with its exit status and a one-line message that names the culprit."""

import reprlib
from collections.abc import Collection

from transforms.wording import type_of

_LONGEST = 1000
"""Characters of a message. Two paths and a list of allowed values fit."""


class RunFault(Exception):
    """Ends a run with the exit status `status`. The message is one line for the user."""

    status = 3


class DataFault(RunFault):
    """The data has more faults than allowed. The output written so far remains."""

    status = 1


class CallError(RunFault):
    """The arguments or the configuration are wrong."""

    status = 2


START_OVER = "use another folder, or run ground --fresh"


class FolderMismatch(CallError):
    """The run folder contains a run with other sources, models or settings.

    difference: what differs. remedy: what the user can do about it on the command line.
    """

    def __init__(self, difference: str, remedy: str = START_OVER) -> None:
        super().__init__(f"{difference}; {remedy}")
        self.difference = difference
        self.remedy = remedy


class EnvironmentFault(RunFault):
    """The environment failed: disk, permissions, network, device, or a worker that was killed."""

    status = 3


class PermissionFault(EnvironmentFault):
    """A store refused a request."""


class BucketFault(EnvironmentFault):
    """A bucket or container does not exist."""


class WorkerDied(EnvironmentFault):
    """A worker process was killed or crashed. ended: the process ids of the others, which gritmill then ended."""

    def __init__(self, message: str, ended: Collection[int] = ()) -> None:
        super().__init__(message)
        self.ended = ended


class SourceFault(Exception):
    """Part of a source cannot be read, and the number of its pairs is unknown. Recorded, not raised to the user."""


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or the name of its class if the message is empty."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def printable(text: str) -> str:
    """Replaces characters that a terminal interprets (escapes, line ends, marks that change the writing direction) by
    their escape codes. The result is one line. File names and captions can contain any character.

    A text of more than 1000 characters loses its middle: the culprit is at its start, the cure at its end.
    """
    half = _LONGEST // 2
    if len(text) > _LONGEST:
        text = f"{text[:half]} … {len(text) - 2 * half} characters … {text[-half:]}"
    return escaped(text)


def escaped(text: str) -> str:
    """The same without the limit."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short_repr(value: object) -> str:
    """`repr(value)` for a message, with at most some 100 characters. Takes no longer for a larger value."""
    try:
        text = _SHORT.repr(value)
    except Exception:  # an integer of more than 4300 digits, for example, has no decimal text
        return type_of(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxlong, _SHORT.maxother = 2, 80, 80, 80
