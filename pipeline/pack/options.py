"""The options of a call of `pack`."""

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.files.run_log import RunLog

if TYPE_CHECKING:  # its import takes too long for a command line
    from pipeline.engines.claim import Claim


@dataclass(frozen=True)
class PackOptions:
    """How `pack` treats existing shards, and how it runs.

    detections: a detections or run folder; None: the run folder. fresh: write all shards again, including shards
    with the same fingerprint. replace: replace shards with another fingerprint. partial: accept unfinished ranges.
    log: the log of the run folder; None: no log. run_id: names the job of this command on a remote engine.
    claim: what the call has of the run folder; None: no lease.
    """

    detections: str | None = None
    fresh: bool = False
    replace: bool = False
    partial: bool = False
    quiet: bool = False
    beam: tuple[str, ...] = ()
    log: RunLog | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    claim: "Claim | None" = None
