"""The lease of a run folder: which command on an engine may write there.

The job of a driver that was killed or interrupted runs on, on other machines, and no lock of the driver tells. So each
command on an engine takes a lease: a file `lease/<number>.json`, created with a number above all others. A worker holds
the lease as long as this file is there, and asks before each file that it publishes or deletes. A lease is revoked by a
file with a higher number, then the deletion of all lower ones, so that the numbers never start again.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import ClassVar

from pipeline import files, layout
from pipeline.faults import EnvironmentFault
from pipeline.files.guards import unguarded
from pipeline.files.holder import Holder, this_process
from pipeline.files.typed import find_typed, publish_typed

GOOD_SECONDS = 2.0
"""A worker asks at most this often."""


@dataclass(frozen=True)
class LeaseFile:
    """The content of a lease.

    run: the id of the call that holds it; "" if nobody does: the last one has ended. command: such as `ground`.
    engine: Beam's name of the runner. job: the name of its jobs. rest: the address of Flink's REST interface; "" if it
    is not known. time: when it was taken, in seconds since 1970. driver: the process of the command. versions: of its
    installation, by name.
    """

    REMEDY: ClassVar[str] = "remove it if no job is using the folder"

    run: str
    command: str
    engine: str
    job: str
    rest: str
    time: float
    driver: Holder
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def call(self) -> str:
        """The command, its start and its host, for messages."""
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.time))
        return f"gritmill {self.command}, begun {began} on host {self.driver.host}"


@dataclass(frozen=True)
class Lease:
    """The right of one call to write into a run folder. It is sent to the workers with the graph."""

    folder: str
    number: int
    run_id: str

    def is_revoked(self, now: bool = False) -> bool:
        """Whether another command, or the end of this one, has revoked it. Once revoked, it stays so.

        now: ask the file system. Otherwise, an answer is good for `GOOD_SECONDS`, for the whole process.

        Raises what reading a file raises: without an answer, nothing may be written. EnvironmentFault: this is not the
        folder where the lease was taken, so that it says nothing about it.
        """
        with _answers_lock:
            asked, revoked = _answers.get(self, (float("-inf"), False))
        if revoked or not (now or time.monotonic() - asked >= GOOD_SECONDS):
            return revoked
        asked = time.monotonic()
        # Reading, unlike asking whether it exists, gets what others did from the server of a network disk.
        found = find_typed(self.uri, LeaseFile)
        revoked = found is None or found.run != self.run_id
        if revoked:
            self._check_replaced(found is None)
        with _answers_lock:
            _answers[self] = asked, revoked
        return revoked

    def _check_replaced(self, is_missing: bool) -> None:
        """Raises EnvironmentFault unless a later lease explains why the own one is not there: a worker that does not
        see the folder of its driver must not end as if its work was done."""
        numbers = _numbers(self.folder)
        # A client of a network disk may list a file for a while after it was deleted.
        if any(number > self.number for number in numbers) or (is_missing and self.number in numbers):
            return
        cure = "give workers the folder of the driver under the same path, or use an object store"
        raise EnvironmentFault(f"--output {self.folder}: not there, or not the folder that the driver sees; {cure}")

    def is_in_force(self) -> bool:
        """The guard for `pipeline.files.guards`."""
        return not self.is_revoked()

    def end(self) -> bool:
        """Revokes the lease, so that workers write nothing more. Returns False if another command has done it."""
        if self.is_revoked(now=True):
            return False
        number = _replace(self.folder, self.number, nobody())
        with _answers_lock:  # steps of this process end at once
            _answers[self] = time.monotonic(), True
        return number is not None

    @property
    def uri(self) -> str:
        """The file of the lease."""
        return files.join(self.folder, layout.lease(self.number))


_answers: dict[Lease, tuple[float, bool]] = {}
_answers_lock = threading.Lock()


def nobody() -> LeaseFile:
    """The content after the end of a command."""
    return LeaseFile("", "", "", "", "", time.time(), this_process())


def leases(folder: str) -> dict[int, LeaseFile]:
    """The leases of a run folder by number; more than one only if a command was killed while it revoked one.

    Raises:
      EnvironmentFault: one is damaged.
    """
    found = {}
    for number in _numbers(folder):
        if content := find_typed(files.join(folder, layout.lease(number)), LeaseFile):
            found[number] = content
    return found


def take(folder: str, content: LeaseFile) -> Lease:
    """Takes the lease of a run folder and revokes all others."""
    while True:
        number = max(_numbers(folder), default=0)
        if taken := _replace(folder, number, content):
            return Lease(folder, taken, content.run)


def _replace(folder: str, number: int, content: LeaseFile) -> int | None:
    """Writes the lease after `number`, and deletes all before it. None if another command was faster."""
    uri = files.join(folder, layout.lease(number + 1))
    with unguarded():
        try:
            publish_typed(uri, content, create=True)
        except FileExistsError:
            if find_typed(uri, LeaseFile) != content:  # clients repeat requests
                return None
        found = _numbers(folder)
        if max(found, default=0) > number + 1:
            # Others took this number and a higher one after our listing, and deleted this one: it was free again.
            files.delete([uri])
            return None
        files.delete(files.join(folder, layout.lease(one)) for one in sorted(found) if one <= number)
    return number + 1


def _numbers(folder: str) -> list[int]:
    found = (layout.lease_number(info.uri) for info in files.list_folder(files.join(folder, layout.LEASES)))
    return sorted(number for number in found if number is not None)
