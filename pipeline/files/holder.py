"""Which process holds something, and whether it is gone."""

import hashlib
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Holder:
    """A process. boot: what tells one start of the host, and one container on it, from others; "" if unknown.

    started: when the process started, as the system counts it: a later process may have the same number. "" if unknown.
    """

    host: str
    boot: str
    pid: int
    started: str

    @property
    def name(self) -> str:
        """The name of its files. Containers on a host can have its name, and their processes the same numbers."""
        start = hashlib.blake2b(f"{self.boot}\n{self.started}".encode(), digest_size=4).hexdigest()
        return f"{self.host}-{self.pid}-{start}"


def this_process() -> Holder:
    """The calling process."""
    pid = os.getpid()
    return Holder(socket.gethostname(), _boot(), pid, _started(pid))


def is_gone(holder: Holder) -> bool:
    """Whether the process has surely ended. False if it ran elsewhere: only this system knows its processes."""
    if not _is_here(holder):
        return False
    if started := _started(holder.pid):
        return started != holder.started
    # A mount of /proc with hidepid hides processes of other users that run.
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def is_running(holder: Holder) -> bool:
    """Whether the process surely runs. False if it ran elsewhere."""
    return _is_here(holder) and _started(holder.pid) == holder.started


def _is_here(holder: Holder) -> bool:
    return bool(holder.boot and holder.started) and (holder.host, holder.boot) == (socket.gethostname(), _boot())


@cache
def _boot() -> str:
    # Containers can share the name of their host, and the numbers of their processes are their own.
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _started(pid: int) -> str:
    """When a process started, in ticks since the start of the system. "zombie": it has ended. "": there is none, or it
    is hidden, or this is another system."""
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()  # the name before it may contain anything
        return "zombie" if fields[0] == "Z" else fields[19]
    return ""
