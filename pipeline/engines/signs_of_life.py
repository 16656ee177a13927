"""Whether another process is alive: its heartbeat changes while we look, by our clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pipeline import files, layout
from pipeline.engines.heartbeat import Beat, Beats
from pipeline.faults import EnvironmentFault
from pipeline.files.guards import unguarded
from pipeline.files.holder import Holder, is_gone, is_running
from pipeline.files.lease import Lease
from pipeline.files.typed import find_typed
from transforms.wording import counted

ALIVE_SECONDS = 90.0
"""A process whose heartbeat does not change for so long is dead. It changes every 20 s, if the file system can."""

QUIET_SECONDS = 60.0
"""A worker that may write nothing more removes its heartbeat, or was killed and its heartbeat stands still. A worker
of the same run whose heartbeat stands still for so long was killed, too."""

_LOOK_SECONDS = 5.0
"""Looks that are further apart say nothing: storage that hangs lets no heartbeat change."""

_MOST_SECONDS = 300.0


def find_alive(
    beats: Beats,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> tuple[str, Beat] | None:
    """The URI and the content of a heartbeat that changes, or whose process runs on this machine; None if there is
    none within `ALIVE_SECONDS`."""
    began = clock()
    first: dict[str, Beat] = {}
    while seen := {uri: beat for uri, beat in beats.look().items() if not is_gone(beat.process)}:
        for uri, beat in seen.items():
            if is_running(beat.process) or (first and first.get(uri) != beat):
                return uri, beat
        if not first:
            tell("a job of an earlier command may still use this folder; looking for a sign of life for 90 seconds")
            first = seen
        if clock() - began >= ALIVE_SECONDS:
            return None
        sleep(1.0)
    return None


def wait_until_quiet(
    beats: Beats,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> set[Holder]:
    """Waits until all processes of revoked leases have ended, or their heartbeats have stood still for
    `QUIET_SECONDS`; then removes the heartbeats.

    Returns:
      The processes that have not removed their heartbeat, because they were killed.

    Raises:
      EnvironmentFault: one still changes after five minutes.
    """
    began = clock()
    since: dict[str, tuple[Beat, float]] = {}
    killed: set[Holder] = set()
    while seen := _left(beats, killed):
        now = clock()
        since = {
            uri: since[uri] if uri in since and since[uri][0] == beat else (beat, now) for uri, beat in seen.items()
        }
        if all(now - changed >= QUIET_SECONDS for _, changed in since.values()):
            with unguarded():
                files.delete(seen)
            return killed | {beat.process for beat in seen.values()}
        if now - began >= _MOST_SECONDS:
            beat, _ = max(since.values(), key=lambda one: one[1])
            process = f"process {beat.process.pid} on host {beat.process.host}"
            raise EnvironmentFault(f"{process} goes on although its lease is revoked; end it, then run this again")
        if now == began:
            tell(f"waiting for the end of {counted(len(seen), 'process')} of an earlier job, a minute at most")
        sleep(0.5)
    return killed


@dataclass(frozen=True)
class Workers:
    """The workers of a run on all hosts. It is sent to the workers with the graph."""

    lease: Lease

    def has_ended(self, process: Holder) -> bool | None:
        """Whether a worker has ended. None: it is not known yet; ask again each second, until it is after
        `QUIET_SECONDS`.

        Raises what reading a file raises.
        """
        if is_running(process):
            return False
        return True if is_gone(process) else _sign(self.lease, process).has_ended()


class _Sign:
    """The heartbeat of a worker on another host, and since when this process has seen it unchanged."""

    def __init__(self, lease: Lease, process: Holder) -> None:
        self._uri = files.join(lease.folder, layout.heartbeat(lease.run_id, process.name))
        self._process = process
        self._beat: Beat | None = None
        self._since = self._looked = float("-inf")

    def has_ended(self) -> bool | None:
        beat = find_typed(self._uri, Beat)
        if beat is None or beat.process != self._process:  # it had a heartbeat before its first step
            return True
        now = time.monotonic()
        goes_on, self._looked = now - self._looked <= _LOOK_SECONDS, now
        if goes_on and beat == self._beat:
            return True if now - self._since >= QUIET_SECONDS else None
        self._beat, self._since = beat, now
        return False if goes_on else None


_sign = cache(_Sign)


def _left(beats: Beats, killed: set[Holder]) -> dict[str, Beat]:
    """The heartbeats of processes that may be alive. Those of others are removed, and the processes are added to
    `killed`."""
    seen = beats.look()
    gone = {uri: beat.process for uri, beat in seen.items() if is_gone(beat.process)}
    killed.update(gone.values())
    with unguarded():
        files.delete(gone)
    return {uri: beat for uri, beat in seen.items() if uri not in gone}
