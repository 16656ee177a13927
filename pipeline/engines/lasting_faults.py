"""Lasting faults: why a worker refuses its work, whatever the engine retries. The driver's watch looks for them."""

import os
import socket
from dataclasses import dataclass
from typing import ClassVar

from pipeline import files, layout
from pipeline.files.typed import publish_typed, read_many


@dataclass(frozen=True)
class LastingFault:
    """The content of a file. message: one line for the user: host, cause and cure."""

    REMEDY: ClassVar[str] = "remove it"

    message: str


def write_fault(folder: str, run_id: str, message: str) -> None:
    """Writes why this process refuses its work into the run folder. Raises OSError and the store's errors."""
    name = layout.fault_file(run_id, socket.gethostname(), os.getpid())
    publish_typed(files.join(folder, name), LastingFault(message))


def read_faults(folder: str, run_id: str) -> list[str]:
    """The messages of all workers of a run, in the order of hosts and processes. One listing if there are none."""
    found = files.list_folder(folder, layout.all_faults(run_id))
    return [fault.message for fault in read_many(sorted(info.uri for info in found), LastingFault)]


def delete_faults(folder: str, run_id: str) -> None:
    """Removes the files of a run: its command has ended."""
    files.delete(info.uri for info in files.list_folder(folder, layout.all_faults(run_id)))
