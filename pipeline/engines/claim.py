"""What a call has of its run folder, and how its job on an engine is ended."""

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline import layout
from pipeline.configuration import EngineSettings
from pipeline.engines.heartbeat import Heart
from pipeline.files import lease as leases
from pipeline.files.holder import Holder
from pipeline.files.lease import Lease, LeaseFile
from pipeline.files.run_log import RunLog

if TYPE_CHECKING:
    from apache_beam.runners.runner import PipelineResult

Tell = Callable[[str], None]
"""Shows a line to the user."""

_CANCEL_SECONDS = 4.0
"""The end of an interrupted command has eight seconds for everything."""


@dataclass
class Claim:
    """What a call has of its run folder.

    content: what its lease says; without a run for a local engine, which takes none. tell: shows a line. killed: the
    processes of earlier jobs that were killed. lease: None until `take`.
    """

    folder: str
    content: LeaseFile
    log: RunLog
    settings: EngineSettings
    tell: Tell
    killed: frozenset[Holder] = frozenset()
    lease: Lease | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _heart: Heart | None = field(default=None, repr=False)
    _ended: bool = field(default=False, repr=False)
    _taken_over: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self.run_id = self.content.run or self.run_id

    def take(self) -> None:
        """Takes the lease, unless the call has it or needs none. Call it when the engine has answered and before the
        first file is written: a call that is refused leaves nothing."""
        if self.lease or not self.content.run:
            return
        self.lease = leases.take(self.folder, self.content)
        self._heart = Heart(self.lease, layout.DRIVER)
        self._heart.start()

    def stop(self) -> None:
        """Ends the heartbeat of the driver."""
        if self._heart:
            self._heart.stop()

    def may_write(self) -> bool:
        """Whether the driver may write. It still may after it has ended its own lease, but not after another command
        has."""
        if self._taken_over:
            return False
        return self._ended or self.lease is None or not self.lease.is_revoked()

    def is_taken_over(self) -> bool:
        """Whether another command has revoked the lease."""
        if self.lease and not (self._ended or self._taken_over):
            self._taken_over = self.lease.is_revoked(now=True)
        return self._taken_over

    def end(self) -> None:
        """Ends the lease: no worker writes anything after this."""
        if self.lease and not (self._ended or self._taken_over):
            with suppress(Exception):  # of a folder that is gone or cannot be reached, which workers notice, too
                self._ended = self.lease.end()
                self._taken_over = not self._ended

    def cancel(self, result: "PipelineResult | None" = None) -> None:
        """Ends the lease, then the job, as far as the engine lets us. Takes a few seconds at most."""
        self.end()
        cancel_job(self.content.rest, self.content.job, result)


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
