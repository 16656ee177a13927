"""A call's claim on its run folder: the lock, the log, and, for an engine on other machines, a lease.

Each command that writes into a run folder respects the lease of another one, also on this machine: the job of a driver
that was killed runs on. `--take-over` revokes it.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline import files, layout
from pipeline.configuration import EngineSettings
from pipeline.engines import heartbeat, progress
from pipeline.engines.heartbeat import Beat, Beats, Heart
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files import lease as leases
from pipeline.files.guards import guarded, unguarded
from pipeline.files.holder import is_gone, is_running, this_process
from pipeline.files.lease import Lease, LeaseFile
from pipeline.files.lock import hold
from pipeline.files.run_log import RunLog, record
from transforms.wording import counted

if TYPE_CHECKING:
    from apache_beam.runners.runner import PipelineResult

ALIVE_SECONDS = 90.0
"""A process whose heartbeat does not change for so long is dead. It changes every 20 s, if the file system can."""

QUIET_SECONDS = 60.0
"""A worker that may write nothing more removes its heartbeat, or was killed and its heartbeat stands still."""

_MOST_SECONDS = 300.0
_CANCEL_SECONDS = 4.0
"""The end of an interrupted command has eight seconds for everything."""

_LAST_SECONDS = 2.0


@dataclass
class Claim:
    """What a call has of its run folder.

    run_id: of this call. lease: None on a local engine. job, rest: as in `LeaseFile`. tell: shows a line.
    """

    folder: str
    run_id: str
    log: RunLog
    settings: EngineSettings
    tell: Callable[[str], None]
    lease: Lease | None = None
    job: str = ""
    rest: str = ""
    _ended: bool = field(default=False, repr=False)

    def may_write(self) -> bool:
        """Whether the driver may write. It still may after it has ended its own lease."""
        return self._ended or self.lease is None or not self.lease.is_revoked()

    def is_taken_over(self) -> bool:
        """Whether another command has revoked the lease."""
        return not self._ended and self.lease is not None and self.lease.is_revoked(now=True)

    def end(self) -> None:
        """Ends the lease: no worker writes anything after this."""
        if self.lease and not self._ended:
            with suppress(Exception):  # of a folder that is gone or cannot be reached, which workers notice, too
                self.lease.end()
            self._ended = True

    def cancel(self, result: "PipelineResult | None" = None) -> None:
        """Ends the lease, then the job, as far as the engine lets us. Takes a few seconds at most."""
        self.end()
        cancel_job(self.rest, self.job, result)


@contextmanager
def claim(
    folder: str,
    function: str,
    configuration: str,
    settings: EngineSettings,
    beam: Sequence[str] = (),
    take_over: bool = False,
    quiet: bool = True,
) -> Iterator[Claim]:
    """Locks a run folder for a call, records the call in its log, and takes its lease if the engine needs one.

    function: `run`, `ground` or `pack`. configuration: its name, for the log. beam: Beam's options. take_over: revoke
    the lease of another command, if there is one.

    Raises:
      CallError: another command, or its job on an engine, uses the folder.
      EnvironmentFault: another command has taken over the folder in the meantime.
    """
    content = _content(function, beam)

    def tell(line: str) -> None:
        progress.tell(function, line, quiet)

    with ExitStack() as stack:
        lease = _revoke_other(folder, content) if take_over else None
        if lease and content.run:
            stack.callback(_end, lease)
        check = _Check(folder, content, lease, tell)
        stack.enter_context(hold(folder, (QUIET_SECONDS if lease else 0.0) if take_over else None, check))
        log = stack.enter_context(record(folder, function, configuration))
        if not content.run:
            yield Claim(folder, uuid.uuid4().hex, log, settings, tell)
            return
        lease = check.lease or leases.take(folder, content)
        own = Claim(folder, content.run, log, settings, tell, lease, content.job, content.rest)
        with _kept(own):
            yield own


@contextmanager
def _kept(own: Claim) -> Iterator[None]:
    """Keeps a lease alive during the block, and ends it."""
    assert own.lease
    heart = Heart(own.lease, layout.DRIVER)
    heart.start()
    taken_over = f"{own.folder}: another command has taken over this folder; check the result of that command"
    try:
        with guarded(own.folder, own.may_write):
            yield
        if own.is_taken_over():
            raise EnvironmentFault(taken_over)
        own.end()
        heartbeat.delete_all(own.folder, own.run_id)  # the job is done: nothing beats any more
    except BaseException as error:
        was_taken_over = isinstance(error, Exception) and _asks_true(own.is_taken_over)
        own.end()
        _wait_for_workers(own)
        if was_taken_over:
            raise EnvironmentFault(taken_over) from error
        raise
    finally:
        heart.stop()


def _asks_true(question: Callable[[], bool]) -> bool:
    """The answer; False if there is none."""
    with suppress(Exception):
        return question()
    return False


def _wait_for_workers(own: Claim) -> None:
    """Waits a moment for workers that see the end of the lease. The next command waits for the others."""
    until = time.monotonic() + _LAST_SECONDS
    driver = files.join(own.folder, layout.heartbeat(own.run_id, layout.DRIVER))
    with suppress(Exception):
        beats = Beats(own.folder, own.run_id)
        while beats.look().keys() - {driver} and time.monotonic() < until:
            time.sleep(0.2)
        if not beats.look().keys() - {driver}:
            heartbeat.delete_all(own.folder, own.run_id)


def _content(function: str, beam: Sequence[str]) -> LeaseFile:
    """What the lease of this call says; without a run for a local engine, which takes none."""
    if not beam:
        return leases.nobody()
    from pipeline.engines import run_pipeline  # imports Beam

    facts = run_pipeline.engine_facts(beam)
    if facts is None:
        return leases.nobody()
    run_id = uuid.uuid4().hex
    job = facts.job or f"gritmill-{run_id}"
    return LeaseFile(run_id, function, facts.engine, job, facts.rest, time.time(), this_process())


def _revoke_other(folder: str, content: LeaseFile) -> Lease | None:
    """Revokes the lease of another command and cancels its job. Returns the new lease; None if there was none."""
    others = [other for other in leases.leases(folder).values() if other.run]
    if not others:
        return None
    lease = leases.take(folder, content)
    for other in others:
        cancel_job(other.rest, other.job)
    return lease


def _end(lease: Lease) -> None:
    with suppress(Exception):
        lease.end()


@dataclass
class _Check:
    """Called when the folder is locked: refuses if a job uses it, else waits until none writes there.

    lease: the one that has revoked another command's, if there is one.
    """

    folder: str
    content: LeaseFile
    lease: Lease | None
    tell: Callable[[str], None]

    def __call__(self) -> None:
        found = leases.leases(self.folder)
        if not found:
            return  # no command on an engine has ever used this folder
        others = {number: other for number, other in found.items() if other.run and other.run != self.content.run}
        beats = Beats(self.folder, without=self.content.run)
        if others:
            if alive := find_alive(beats, self.tell):
                raise CallError(_refusal(self.folder, others, *alive))
            self.lease = leases.take(self.folder, self.content)
            for other in others.values():
                cancel_job(other.rest, other.job)
        wait_until_quiet(beats, self.tell)


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
    while seen := _left(beats):
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
) -> None:
    """Waits until all processes of revoked leases have ended, or their heartbeats have stood still for
    `QUIET_SECONDS`; then removes the heartbeats.

    Raises:
      EnvironmentFault: one still changes after five minutes.
    """
    began = clock()
    since: dict[str, tuple[Beat, float]] = {}
    while seen := _left(beats):
        now = clock()
        since = {
            uri: since[uri] if uri in since and since[uri][0] == beat else (beat, now) for uri, beat in seen.items()
        }
        if all(now - changed >= QUIET_SECONDS for _, changed in since.values()):
            with unguarded():
                files.delete(seen)
            return
        if now - began >= _MOST_SECONDS:
            beat, _ = max(since.values(), key=lambda one: one[1])
            process = f"process {beat.process.pid} on host {beat.process.host}"
            raise EnvironmentFault(f"{process} goes on although its lease is revoked; end it, then run this again")
        if now == began:
            tell(f"waiting for the end of {counted(len(seen), 'process')} of an earlier job, a minute at most")
        sleep(0.5)


def _left(beats: Beats) -> dict[str, Beat]:
    """The heartbeats of processes that may be alive. Those of others are removed."""
    seen = beats.look()
    gone = [uri for uri, beat in seen.items() if is_gone(beat.process)]
    with unguarded():
        files.delete(gone)
    return {uri: beat for uri, beat in seen.items() if uri not in gone}


def _refusal(folder: str, others: dict[int, LeaseFile], uri: str, beat: Beat) -> str:
    run_id = uri.split("/")[-2]
    newest = others[max(others)]
    lease = next((other for other in others.values() if other.run == run_id), newest)
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(lease.time))
    who = "its driver" if files.name(uri) == f"{layout.DRIVER}.json" else "its worker"
    where = f"{who} on host {beat.process.host} (process {beat.process.pid}) was alive a moment ago"
    job = f"job {lease.job} on {lease.engine} (gritmill {lease.command}, begun {began} on host {lease.driver.host})"
    cure = "wait until it has finished, or take the folder over with --take-over"
    return f"--output: {folder}: {job} uses this folder: {where}; {cure}"


def cancel_job(rest: str, job: str, result: "PipelineResult | None" = None) -> None:
    """Cancels a job as far as it can be: through Flink's REST interface if its address is known, and through Beam. On
    Flink, Beam's own `cancel` leaves the job of the cluster running. No failure matters: workers ask for their lease.
    """

    def cancel() -> None:
        from pipeline.engines.flink_rest import cancel_flink_job

        if rest:
            with suppress(Exception):
                cancel_flink_job(rest, job)
        if result is not None:
            with suppress(Exception):
                result.cancel()

    if rest or result is not None:
        thread = threading.Thread(target=cancel, daemon=True, name="cancel")
        thread.start()
        thread.join(_CANCEL_SECONDS)
