"""The figures of `gritmill calibrate --clicks` for a data card: which share of boxes people found right."""

from bisect import bisect_right

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import files
from pipeline.faults import CallError, FolderMismatch
from pipeline.files.typed import first_fault
from pipeline.pack.manifest import Manifest


class _Part(BaseModel):
    """A part of the file. Other keys are ignored."""

    model_config = ConfigDict(allow_inf_nan=False)


class _Answers(_Part):
    yes: int = Field(ge=0)
    no: int = Field(ge=0)
    skipped: int = Field(ge=0)


class _Fingerprints(_Part):
    ground: str


class _Point(_Part):
    threshold: float
    precision: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class _Curves(_Part):
    all: list[_Point] = Field(min_length=1)


class _Calibration(_Part):
    clicks: _Answers
    fingerprints: _Fingerprints
    notes: list[str] = Field(default_factory=list)
    curves: _Curves


def checked_boxes(path: str, manifest: Manifest) -> str:
    """What a data card says about the boxes that people checked, at the threshold of the run.

    path: of the `calibration.json`. If it has no figures at the threshold, those at the next lower one are taken:
    there, rather fewer boxes are right.

    Raises:
      CallError: the file is missing or another one, or the run has other detections.
    """
    name = f"--calibration: {path}"
    try:
        found = _Calibration.model_validate_json(files.read_bytes(files.canonical(path)))
    except ValidationError as error:
        raise CallError(
            f"{name}: not the calibration.json of gritmill calibrate --clicks: {first_fault(error)}"
        ) from error
    except OSError as error:
        raise CallError(f"{name}: {error.strerror or error}; name a calibration.json") from error
    if found.fingerprints.ground != manifest.fingerprints.ground:
        raise FolderMismatch(f"{name}: it is of a run with other detections", "answer boxes of this run")
    points = sorted(found.curves.all, key=lambda point: point.threshold)
    at = bisect_right([point.threshold for point in points], manifest.threshold.score + 1e-9) - 1
    if at < 0:
        raise CallError(f"{name}: it has no figures at the score threshold of the run, {manifest.threshold.score:g}")
    point, answers = points[at], found.clicks
    notes = "".join(f"; {note}" for note in found.notes if note.startswith("indicative"))
    return (
        f"{point.precision:.1%} of the boxes with a score of at least {point.threshold:g} are right (95 % interval: "
        f"{point.low:.1%} to {point.high:.1%}), from {answers.yes + answers.no:,} answers of people, "
        f"{answers.yes:,} yes, {answers.no:,} no, {answers.skipped:,} skipped{notes}"
    )
