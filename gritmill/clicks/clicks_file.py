"""`clicks.json`: boxes of a run, and whether each of them is right, as the page of `gritmill view` saves it."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline import files
from pipeline.faults import CallError
from pipeline.files.typed import first_fault
from pipeline.files.uris import is_missing
from pipeline.fingerprint import json_digest

VERSION: Final = 1
YES: Final = "yes"
NO: Final = "no"
SKIPPED: Final = "skipped"

_Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class AskedBox(_Part):
    """A box. uid, key: of its pair. start, end: characters of the caption, the phrase. box: x1, y1, x2, y2 as shares
    of the image. answer: yes, no, or skipped if the person could not tell; None: not answered yet."""

    uid: str
    key: str
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    box: tuple[_Share, _Share, _Share, _Share]
    score: _Share
    answer: Literal["yes", "no", "skipped"] | None = None


class ByScore(_Part):
    """How many boxes the whole run would write at each threshold. score: thresholds, rising."""

    score: tuple[_Share, ...]
    boxes: tuple[Annotated[int, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _check(self) -> "ByScore":
        if not self.score or len(self.score) != len(self.boxes) or list(self.score) != sorted(set(self.score)):
            raise ValueError("score must rise, and boxes must have a number for each")
        return self


class RunThreshold(_Part):
    """The run's threshold, and where it comes from."""

    score: _Share
    source: str


class RunFingerprints(_Part):
    """The fingerprints of `ground` and `pack`."""

    ground: str
    pack: str


class Clicks(_Part):
    """The content of `clicks.json`.

    gritmill_clicks: the version of the format. run: the name of its folder. seed: of the page, as text, because numbers
    of JavaScript have 53 bits. boxes: in the order in which they are asked about. digest: of everything but the
    answers, so that no box can be added, removed or repeated.
    """

    gritmill_clicks: Literal[1] = VERSION
    run: str
    fingerprints: RunFingerprints
    detector: str
    seed: str
    threshold: RunThreshold
    thresholds: ByScore
    boxes: tuple[AskedBox, ...]
    digest: str

    @classmethod
    def sealed(cls, **values: Any) -> "Clicks":
        """Clicks with their digest. values: all other fields but the version."""
        return cls(**values, digest=cls.model_construct(**values).current_digest())

    def current_digest(self) -> str:
        """The digest of this content."""
        without: Any = {"digest": True, "boxes": {"__all__": {"answer"}}}
        return json_digest(self.model_dump(mode="json", exclude=without))

    @model_validator(mode="after")
    def _check(self) -> "Clicks":
        if self.digest != self.current_digest():
            raise ValueError("more than the answers has changed since the page saved it")
        return self


def read_clicks(uri: str) -> Clicks:
    """The clicks in a file. Raises CallError if there is no such file, or if the page did not save it like this."""
    try:
        return Clicks.model_validate_json(files.read_bytes(files.canonical(uri)))
    except ValidationError as error:
        fault = first_fault(error)
    except IsADirectoryError:
        fault = "it is a folder"
    except Exception as error:
        if not is_missing(error):
            raise
        raise CallError(f"--clicks: {uri}: no such file; the page of gritmill view saves it") from error
    raise CallError(f"--clicks: {uri}: not a file of answers: {fault}; the page of gritmill view saves it")
