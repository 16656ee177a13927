"""The driver's watch on a job: whether workers start, whether any of them does something, and what they cannot do."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from pipeline.configuration import EngineSettings
from pipeline.engines import lasting_faults
from pipeline.engines.claim import Tell
from pipeline.engines.heartbeat import Beat, Beats
from pipeline.files import name
from pipeline.files.lease import Lease
from pipeline.layout import DRIVER
from transforms.wording import counted

LOOK_SECONDS = 10.0
_TELL_SECONDS = 60.0


class Stall:
    """Says if a job does nothing. Times are in seconds of one monotonic clock, that of the driver.

    began: when the job is submitted. old: the heartbeats that are there before it: those of workers that were killed
    in an earlier job of this call stay.
    """

    def __init__(self, settings: EngineSettings, began: float, old: Mapping[str, Beat] | None = None) -> None:
        self._settings = settings
        self._began = self._told = self._changed = began
        self._counters: dict[str, int] = {}
        self._old = {uri: beat.counter for uri, beat in (old or {}).items()}

    def look(self, workers: Mapping[str, Beat], now: float, tell: Tell) -> str:
        """What is wrong, in one line; "" if nothing is. workers: their heartbeats, by URI."""
        workers = {uri: beat for uri, beat in workers.items() if self._old.get(uri) != beat.counter}
        counters = {uri: beat.counter for uri, beat in workers.items()}
        if any(self._counters.get(uri) != counter for uri, counter in counters.items()):
            self._changed = now
        self._counters |= counters
        if not self._counters:
            return self._not_started(now, tell)
        minutes = self._settings.stall_minutes
        if now - self._changed < 60.0 * minutes:
            return ""
        last = sorted(f"{beat.process.host} (process {beat.process.pid}, {beat.step})" for beat in workers.values())
        where = f"; {counted(len(last), 'worker')} left, such as {last[0]}" if last else "; no worker is left"
        return (
            f"no worker has done anything for {minutes:g} minutes (engine.stall_minutes){where}; "
            "look at the engine's log, then run the same command to resume"
        )

    def _not_started(self, now: float, tell: Tell) -> str:
        minutes = self._settings.start_minutes
        if now - self._began >= 60.0 * minutes:
            return (
                f"no worker has started within {minutes:g} minutes (engine.start_minutes); check on the engine's page "
                "that it has free slots, and that its machines see the run folder, then run the same command"
            )
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            tell(f"no worker has started yet, {(now - self._began) / 60.0:.0f} of at most {minutes:g} minutes")
        return ""


class Watch:
    """Watches the job of a run in a thread, until `close`. Make it before the job is submitted."""

    def __init__(self, lease: Lease, settings: EngineSettings, tell: Tell) -> None:
        self._lease, self._tell = lease, tell
        self._beats = Beats(lease.folder, lease.run_id)
        old: dict[str, Beat] = {}
        with suppress(Exception):
            old = self._workers()
        self._stall = Stall(settings, time.monotonic(), old)
        self._closed = threading.Event()
        self._verdict = ""
        self._thread = threading.Thread(target=self._run, daemon=True, name="watch")
        self._thread.start()

    @property
    def verdict(self) -> str:
        """Why the job must end, in one line; "" while it may go on."""
        return self._verdict

    def lasting_fault(self) -> str:
        """What a worker cannot do; "" if none says so, or the run folder gives no answer."""
        with suppress(Exception):
            return lasting_faults.read(self._lease.folder, self._lease.run_id)
        return ""

    def close(self) -> None:
        """Ends the watch."""
        self._closed.set()

    def _run(self) -> None:
        while not (self._verdict or self._closed.wait(LOOK_SECONDS)):
            with suppress(Exception):  # the next look may get an answer
                self._verdict = self._look()

    def _look(self) -> str:
        if self._lease.is_revoked(now=True):
            return "another command has taken over this run folder"
        if fault := lasting_faults.read(self._lease.folder, self._lease.run_id):
            return fault
        return self._stall.look(self._workers(), time.monotonic(), self._tell)

    def _workers(self) -> dict[str, Beat]:
        return {uri: beat for uri, beat in self._beats.look().items() if name(uri) != f"{DRIVER}.json"}
