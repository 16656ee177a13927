"""The options of a call of `ground`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.files.run_log import RunLog

if TYPE_CHECKING:  # its import takes too long for a command line
    from pipeline.engines.claim import Claim
    from pipeline.engines.remote import RemoteEngine


@dataclass(frozen=True)
class GroundOptions:
    """How `ground` treats the existing content of the run folder, and how it runs.

    limit: the maximum number of pairs. extend: add new sources to the plan. redo_changed: read changed sources again.
    fresh: move the existing plan and tables aside.
    retry: process rows again that failed for this reason; `EVERY_REASON`: for any reason; None: no retry.
    log: the log of the run folder; None: no log.
    claim: what the call has of the run folder; an engine on other machines needs it. None: no lease.
    engine: the one on other machines, when it has answered. `beam` are then its options.
    """

    limit: int | None = None
    extend: bool = False
    redo_changed: bool = False
    fresh: bool = False
    retry: str | None = None
    quiet: bool = False
    beam: tuple[str, ...] = ()
    log: RunLog | None = None
    claim: "Claim | None" = None
    engine: "RemoteEngine | None" = None

    def take_lease(self) -> None:
        """Takes the lease of the run folder, if the call needs one: it is about to write."""
        if self.claim:
            self.claim.take()
