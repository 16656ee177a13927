"""Errors of user code: what it raised or returned, and the file and line of the user's code."""

import os
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_NOT_USERS = (
    *(os.path.join(_HOME, name, "") for name in ("gritmill", "pipeline", "transforms")),
    os.path.join(os.path.realpath(sysconfig.get_path("stdlib")), ""),
)
_INSTALLED = {"site-packages", "dist-packages"}


class PluginError(ValueError):
    """User code raised an exception or broke its contract. The message is one line that names the plug-in."""


class WrongAnswer(ValueError):
    """User code returned something that breaks its contract. The message says what; no line of code is at fault."""


class Place(NamedTuple):
    """A line of code. users: whether it is the user's, not one of gritmill, Python or an installed package."""

    file: str
    line: int
    users: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class RemoteTraceback(Exception):
    """The cause of an exception that another process raised: what is known of it there; see `place_of`, `message_of`.

    text: the traceback.
    """

    def __init__(self, text: str, message: str, place: Place | None) -> None:
        super().__init__(text, message, place)
        self.text = text
        self.message = message
        self.place = place

    @classmethod
    def of(cls, error: BaseException) -> "RemoteTraceback":
        """To be sent with an exception of this process."""
        return cls("".join(traceback.format_exception(error)), message_of(error), place_of(error))

    def __str__(self) -> str:
        return f"\n{self.text}"


def place_of(error: BaseException) -> Place | None:
    """The last line of the user's code in the traceback; if there is none, the last line.

    None without a traceback, and for a module that does not exist.
    """
    if isinstance(error.__cause__, RemoteTraceback):
        return error.__cause__.place
    if isinstance(error, WrongAnswer):
        return None
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:  # the file that cannot be compiled has no frame
        lines.append((error.filename, error.lineno or 1))
    places = [Place(file, line, _is_users(file)) for file, line in lines if not file.startswith("<")]
    users = [place for place in places if place.users]
    if not places or (isinstance(error, ModuleNotFoundError) and not users):
        return None
    return (users or places)[-1]


def _is_users(file: str) -> bool:
    # Compiled extensions have relative names, and code without a file has names such as <string>.
    path = os.path.realpath(file)
    return os.path.isabs(file) and not path.startswith(_NOT_USERS) and not _INSTALLED & set(Path(path).parts)


def message_of(error: BaseException) -> str:
    """The class of an exception and the first line of its message. Of a `WrongAnswer`, only the message."""
    if isinstance(error.__cause__, RemoteTraceback):
        return error.__cause__.message
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # the method of a user's class
        lines = []
    name = [] if isinstance(error, WrongAnswer) else [type(error).__name__]
    return ": ".join([*name, *lines[:1]])


def describe(error: BaseException) -> str:
    """One line: class, message, and file:line of the user's code."""
    place = place_of(error)
    return f"{message_of(error)} ({place})" if place else message_of(error)


@contextmanager
def calling(
    plugin: str, raises: Callable[[str], Exception] = PluginError, passing: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turns each exception of user code into one whose message names the plug-in, the exception and its place.

    plugin: what is called, as messages name it. passing: exceptions that the contract allows, raised unchanged.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (PluginError, *passing)) and not isinstance(error, WrongAnswer):
            raise
        raise raises(f"{plugin}: {describe(error)}") from error
