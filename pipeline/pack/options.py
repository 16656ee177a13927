"""The options of a call of `pack`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.files.run_log import RunLog

if TYPE_CHECKING:  # its import takes too long for a command line
    from pipeline.engines.claim import Claim
    from pipeline.engines.remote import RemoteEngine


@dataclass(frozen=True)
class PackOptions:
    """How `pack` treats existing shards, and how it runs.

    detections: a detections or run folder; None: the run folder. fresh: write all shards again, including shards
    with the same fingerprint. replace: replace shards with another fingerprint. partial: accept unfinished ranges.
    log: the log of the run folder; None: no log.
    claim: what the call has of the run folder; an engine on other machines needs it. None: no lease.
    engine: the one on other machines, when it has answered. `beam` are then its options.
    """

    detections: str | None = None
    fresh: bool = False
    replace: bool = False
    partial: bool = False
    quiet: bool = False
    beam: tuple[str, ...] = ()
    log: RunLog | None = None
    claim: "Claim | None" = None
    engine: "RemoteEngine | None" = None
