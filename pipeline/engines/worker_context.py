"""What each step on a worker does first: it asks whether the lease of its run is still in force.

A step whose lease is revoked returns at once and without output, so that the job ends as if it were done. An exception
would make the engine try again. In the step, each file that appears or disappears in the run folder asks, too.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.engines import heartbeat
from pipeline.files.guards import guarded
from pipeline.files.lease import Lease

Output = TypeVar("Output")


def outputs(
    lease: Lease | None, step: str, run: Callable[[], Iterable[Output]], complete: bool = False
) -> Iterator[Output]:
    """Yields what `run()` returns, until the lease is revoked. Without a lease, everything.

    step: its name in the heartbeat. complete: whether `run` needs everything that steps before it put out. They may
    have dropped something a moment ago, so no older answer about the lease is good enough.
    """
    if lease is None:
        yield from run()
        return
    heart = heartbeat.of_worker(lease)
    if lease.is_revoked(now=complete):
        return
    with heart.working(step), guarded(lease.folder, lease.is_in_force):
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
