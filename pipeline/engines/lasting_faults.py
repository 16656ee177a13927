"""What keeps a worker from working for good, such as another version of gritmill: an engine would try again and again.

The worker writes it into the run folder; the driver shows it, cancels the job, and ends.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from pipeline import files, layout
from pipeline.faults import EnvironmentFault
from pipeline.files.holder import this_process
from pipeline.files.typed import publish_typed, read_typed


@dataclass(frozen=True)
class LastingFault:
    """The content of a file of `faults/`. message: one line with host, cause and cure."""

    REMEDY: ClassVar[str] = "remove it"

    message: str


def write(folder: str, run_id: str, message: str) -> None:
    """Says in the run folder why this process cannot work. Raises what `publish` raises."""
    name = layout.fault(run_id, this_process().name)
    publish_typed(files.join(folder, name), LastingFault(message))


def read(folder: str, run_id: str) -> str:
    """What a worker of a run says; "" if none says anything that can be read."""
    for info in files.list_folder(files.join(folder, layout.FAULTS), f"{run_id}/*.json"):
        if not files.name(info.uri).startswith(layout.TEMPORARY):
            with suppress(EnvironmentFault):  # damaged, or removed meanwhile
                return read_typed(info.uri, LastingFault).message
    return ""
