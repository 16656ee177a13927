"""What a call of `ground` may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GroundOptions:
    """How `ground` deals with what is in the output folder already, and how it runs.

    limit: only so many pairs. extend: take new sources in. redo_changed: read sources anew that have changed.
    fresh: move an old plan and its detections aside.
    retry: rows that failed for this reason are done again; `EVERY_REASON`: for whatever reason; None: none are.
    """

    limit: int | None = None
    extend: bool = False
    redo_changed: bool = False
    fresh: bool = False
    retry: str | None = None
    quiet: bool = False
    beam: tuple[str, ...] = ()
