"""What a call of `pack` may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PackOptions:
    """How `pack` deals with what it finds, and how it runs.

    fresh: shards are written anew, also those of this very pack. replace: those of another one are replaced.
    """

    detections: str | None = None
    fresh: bool = False
    replace: bool = False
    partial: bool = False
    quiet: bool = False
    beam: tuple[str, ...] = ()
