"""What each step on a worker does first: it asks whether the lease of its run is still in force.

The first step of a process also looks whether it is the same gritmill as the driver. `gritmill-worker` has done that
before; Beam's own worker, which starts in a pool, in a container or on Dataflow, has not. For the same reason, it is
here that each worker is told to look for cyclic garbage rarely.

A step whose lease is revoked returns at once and without output, so that the job ends as if it were done. An exception
would make the engine try again. In the step, each file that appears or disappears in the run folder asks, too.
"""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from pipeline.engines import heartbeat, lasting_faults
from pipeline.engines.versions import Versions, installed
from pipeline.faults import EnvironmentFault
from pipeline.files.guards import guarded
from pipeline.files.lease import Lease, LeaseFile
from pipeline.files.typed import find_typed
from transforms.garbage import collect_rarely

Output = TypeVar("Output")


def outputs(
    lease: Lease | None, step: str, run: Callable[[], Iterable[Output]], complete: bool = False
) -> Iterator[Output]:
    """Yields what `run()` returns, until the lease is revoked. Without a lease, everything.

    step: its name in the heartbeat. complete: whether `run` needs everything that steps before it put out. They may
    have dropped something a moment ago, so no older answer about the lease is good enough.

    Raises:
      EnvironmentFault: this worker does not see the run folder of its driver, or has other versions.
    """
    if lease is None:
        yield from run()
        return
    if lease.is_revoked(now=complete):
        return
    _check_versions(lease)
    collect_rarely()
    heart = heartbeat.of_worker(lease)
    with heart.working(step), guarded(lease.folder, partial(_may_change, lease)):
        try:
            for output in run():
                if lease.is_revoked():
                    return
                yield output
                heartbeat.advance(step)
        except Exception:
            # Forbidden, or what came of files that the next run has replaced.
            if not lease.is_revoked(now=True):
                raise


def _may_change(lease: Lease) -> bool:
    """The guard of the run folder: each file that appears there is progress, also if a step writes many of them."""
    heartbeat.advance()
    return lease.is_in_force()


_checked: set[Lease] = set()


def _check_versions(lease: Lease) -> None:
    """Raises EnvironmentFault if the versions here are not those of the driver, and says so in the run folder."""
    if lease in _checked:
        return
    content = find_typed(lease.uri, LeaseFile)
    if content and content.run == lease.run_id and content.versions:
        here = installed()
        driver = Versions(**{name: content.versions.get(name, "") for name in asdict(here)})
        if difference := here.difference(driver):
            line = f"worker on {socket.gethostname()}: {difference}; install the same versions"
            with suppress(Exception):  # the engine reports it, too, after its retries
                lasting_faults.write(lease.folder, lease.run_id, line)
            raise EnvironmentFault(line)
    _checked.add(lease)


@dataclass(frozen=True)
class Leased:
    """A function of one element, for `FlatMap`, that runs under a lease. many: whether it returns several outputs.

    step, complete: as for `outputs`.
    """

    lease: Lease | None
    step: str
    function: Callable[..., Any]
    many: bool = False
    complete: bool = False

    def __call__(self, element: Any, *arguments: Any) -> Iterator[Any]:
        yield from outputs(self.lease, self.step, lambda: self._call(element, *arguments), self.complete)

    def _call(self, *arguments: Any) -> Iterable[Any]:
        result = self.function(*arguments)
        return result if self.many else (result,)  # type: ignore[no-any-return]
