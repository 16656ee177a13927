"""The ways in which a run ends badly, each with its exit status and one line that names the culprit."""


class RunFault(Exception):
    """Ends a run with `status`; the message is one line for the user."""

    status = 3


class DataFault(RunFault):
    """The data has more faults than allowed; what came out is there."""

    status = 1


class CallError(RunFault):
    """The call or the configuration is wrong."""

    status = 2


class FolderMismatch(CallError):
    """The output folder holds a run of other sources, models or settings.

    difference: what differs. remedy: what to do about it on the command line.
    """

    def __init__(self, difference: str, remedy: str = "use another folder, or ground --fresh") -> None:
        super().__init__(f"{difference}; {remedy}")
        self.difference = difference


class EnvironmentFault(RunFault):
    """The environment failed: disk, permission, network, device, a dead worker."""

    status = 3


class WorkerDied(EnvironmentFault):
    """A worker process was killed, or killed itself."""


class SourceFault(Exception):
    """Part of a source cannot be read and nobody can count what it held. Recorded, never raised to the user."""


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its class where there is none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def printable(text: str) -> str:
    """The text as one line that can be shown: what a terminal would obey (escapes, line ends, marks that turn the
    direction of writing) is written as its code. File names and captions come from anywhere."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
