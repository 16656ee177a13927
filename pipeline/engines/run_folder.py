"""A call's claim on its run folder: the lock, the log, and the right to take a lease, for an engine on other machines.

Each command that writes into a run folder respects the lease of another one, also on this machine: the job of a driver
that was killed runs on. `--take-over` revokes it.
"""

import os
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass

from pipeline import files, layout
from pipeline.configuration import EngineSettings
from pipeline.engines import progress, signs_of_life
from pipeline.engines.claim import Claim, cancel_job
from pipeline.engines.heartbeat import Beat, Beats
from pipeline.engines.versions import installed
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files import lease as leases
from pipeline.files.foreign import check_foreign
from pipeline.files.guards import guarded, unguarded
from pipeline.files.holder import Holder, this_process
from pipeline.files.lease import LeaseFile
from pipeline.files.lock import hold
from pipeline.files.publish import delete_unfinished
from pipeline.files.run_log import record

_LAST_SECONDS = 2.0


@contextmanager
def claimed(
    folder: str,
    function: str,
    configuration: str,
    settings: EngineSettings,
    beam: Sequence[str] = (),
    take_over: bool = False,
    quiet: bool = True,
    sweep: bool = True,
) -> Iterator[Claim]:
    """Locks a run folder for a call, and records the call in its log. `Claim.take` takes the lease; it ends with the
    block.

    function: `run`, `ground` or `pack`. configuration: its name, for the log. beam: Beam's options. take_over: revoke
    the lease of another command, if there is one. sweep: as for `hold`.

    Raises:
      CallError: another command, or its job on an engine, uses the folder, or it has files of others that the call
        would replace. With `take_over`, also if the engine of this call does not answer: the other job goes on.
      EnvironmentFault: another command has taken over the folder in the meantime.
    """
    content = _content(function, beam)

    def tell(line: str) -> None:
        progress.tell(function, line, quiet)

    with ExitStack() as stack:
        patience = None
        if take_over:
            patience = signs_of_life.QUIET_SECONDS if _revoke_others(folder, content, beam) else 0.0
        check = _Check(folder, tell)
        stack.enter_context(hold(folder, patience, check, sweep))
        check_foreign(folder)
        log = stack.enter_context(record(folder, function, configuration))
        own = Claim(folder, content, log, settings, tell, check.killed)
        with _kept(own):
            yield own


@contextmanager
def _kept(own: Claim) -> Iterator[None]:
    """Ends the lease with the block, if the block takes it, and lets nothing be written after it is revoked."""
    taken_over = f"{own.folder}: another command has taken over this folder; check the result of that command"
    try:
        with guarded(own.folder, own.may_write):
            yield
        own.end()
        if own.is_taken_over():
            raise EnvironmentFault(taken_over)
        if own.lease:
            _remove(own.folder, layout.HEARTBEATS, own.run_id)  # the job is done: nothing beats any more
            delete_unfinished(own.folder)  # of workers that were killed during the call
    except BaseException as error:
        was_taken_over = isinstance(error, Exception) and _asks_true(own.is_taken_over)
        own.end()
        if own.lease:
            _wait_for_workers(own)
        if was_taken_over:
            raise EnvironmentFault(taken_over) from error
        raise
    finally:
        own.stop()
        if own.lease and not _asks_true(own.is_taken_over):  # the workers of the other command may make this folder now
            with suppress(Exception):
                _remove(own.folder, layout.FAULTS, own.run_id)


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
            _remove(own.folder, layout.HEARTBEATS, own.run_id)


def _remove(folder: str, kind: str, run_id: str = "*") -> None:
    """Removes what the processes of a run have written. kind: `HEARTBEATS` or `FAULTS`. run_id: `*` for all runs."""
    with unguarded():
        files.delete(info.uri for info in files.list_folder(files.join(folder, kind), f"{run_id}/*.json"))
    if files.is_local(folder):
        for empty in (*files.folders_in(files.join(folder, kind)), files.join(folder, kind)):
            with suppress(OSError):  # it is not empty, or not there
                os.rmdir(empty)


def _content(function: str, beam: Sequence[str]) -> LeaseFile:
    """What the lease of this call says; without a run for a local engine, which takes none."""
    if not beam:
        return leases.nobody()
    from pipeline.engines.beam_options import is_local, parse_beam_options  # imports Beam
    from pipeline.engines.given_options import GivenOptions

    options = parse_beam_options(beam)
    if is_local(options):
        return leases.nobody()
    given, run_id = GivenOptions(options, beam), uuid.uuid4().hex
    driver, versions = this_process(), asdict(installed())
    job, rest = given.job_name(run_id), given.rest_address
    return LeaseFile(run_id, function, given.runner_name, job, rest, time.time(), driver, versions)


def _revoke_others(folder: str, content: LeaseFile, beam: Sequence[str]) -> bool:
    """Revokes the lease of another command and cancels its job. Returns whether there was one.

    Raises:
      CallError: the engine of this call does not answer, or does not fit. Nothing is revoked.
    """
    others = [other for other in leases.leases(folder).values() if other.run]
    if others and content.run:
        from pipeline.engines import remote

        remote.connect(beam, content.run, slots=False)  # the other job may have them
    _revoke(folder, others)
    return bool(others)


def _revoke(folder: str, others: Collection[LeaseFile]) -> None:
    """Revokes leases of other commands, and cancels their jobs. After that, nobody has the lease, and no worker begins
    to change a file: each has asked again."""
    if not others:
        return
    leases.take(folder, leases.nobody())
    until = time.monotonic() + leases.GOOD_SECONDS
    for other in others:
        cancel_job(other.rest, other.job)
    time.sleep(max(0.0, until - time.monotonic()))


@dataclass
class _Check:
    """Called when the folder is locked: refuses if a job uses it, else waits until none writes there, and removes the
    lasting faults of killed drivers. killed: then, the processes of earlier jobs that were killed."""

    folder: str
    tell: Callable[[str], None]
    killed: frozenset[Holder] = frozenset()

    def __call__(self) -> None:
        found = leases.leases(self.folder)
        if not found:
            return  # no command on an engine has ever used this folder
        others = {number: other for number, other in found.items() if other.run}
        beats = Beats(self.folder)
        if others:
            if alive := signs_of_life.find_alive(beats, self.tell):
                raise CallError(_refusal(self.folder, others, *alive))
            _revoke(self.folder, others.values())
        self.killed = frozenset(signs_of_life.wait_until_quiet(beats, self.tell))
        _remove(self.folder, layout.FAULTS)


def _refusal(folder: str, others: dict[int, LeaseFile], uri: str, beat: Beat) -> str:
    run_id = uri.split("/")[-2]
    newest = others[max(others)]
    lease = next((other for other in others.values() if other.run == run_id), newest)
    who = "its driver" if files.name(uri) == f"{layout.DRIVER}.json" else "its worker"
    where = f"{who} on host {beat.process.host} (process {beat.process.pid}) was alive a moment ago"
    job = f"job {lease.job} on {lease.engine} ({lease.call})"
    cure = "wait until it has finished, or take the folder over with --take-over"
    return f"--output: {folder}: {job} uses this folder: {where}; {cure}"
