"""What a call of `ground` may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ResumeOptions:
    """What a call may ask of the plan.

    limit: only so many pairs. extend: take new sources in. redo_changed: read sources anew that have changed.
    fresh: move an old plan and its detections aside.
    """

    limit: int | None = None
    extend: bool = False
    redo_changed: bool = False
    fresh: bool = False


@dataclass(frozen=True)
class GroundOptions(ResumeOptions):
    """How `ground` deals with what lies in the output folder already, and how it runs.

    retry: rows that failed for this reason are done again; `EVERY_REASON`: for whatever reason; None: none are.
    """

    retry: str | None = None
    quiet: bool = False
    beam: tuple[str, ...] = ()
