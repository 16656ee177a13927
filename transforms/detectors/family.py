"""The interface of a family: detectors with the same loading code, prompts and settings."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from transforms.detectors.base import Detector
from transforms.settings import Fraction, PositiveInt, Recorded, Section, at_most
from transforms.wording import closest, listed, what_it_takes


def _check_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise ValueError("must be auto, cpu, cuda, cuda:N (N: a number) or mps")
    return value


class FamilySettings(Section):
    """The keys of `detector` that every family accepts. A family with more keys subclasses this class."""

    model: str = Field(
        "IDEA-Research/grounding-dino-tiny",
        description="An embedded model, a hub id, a folder, or your own detector as package.module:factory.",
    )
    revision: str | None = Field(None, description="Branch, tag or commit of a model on the hub.")
    device: Annotated[str, AfterValidator(_check_device), Recorded()] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    batch: Annotated[PositiveInt, at_most(1024), Recorded()] = Field(4, description="Prompts per forward pass.")
    # torch takes 3 s to start 10,000 threads, and 100,000 kill the process. A limit by the cores of a machine would not
    # do: the driver may have fewer than the workers, and equal bytes on a smaller machine need equal threads.
    threads: Annotated[PositiveInt | None, at_most(1024), Recorded()] = Field(
        None, description="CPU threads of the model; default: cores divided by local workers."
    )
    floor: Fraction = Field(0.05, description="Candidates with a lower score are removed.")
    candidates: PositiveInt = Field(30, description="Maximum number of candidates per phrase.")

    @model_validator(mode="after")
    def _possible_precision(self) -> Self:
        if self.device == "cpu" and self.precision == "float16":
            raise ValueError("precision float16 is not supported on a CPU; use float32 with device cpu")
        return self


def refuse_on_cpu(settings: FamilySettings) -> None:
    """Raises ValueError: the precision needs a GPU."""
    raise ValueError(f"detector.precision: {settings.precision} needs a GPU; set it to float32 for a CPU")


Settings = TypeVar("Settings", bound=FamilySettings)


def join_blanks(phrase: str) -> str:
    """The phrase in lower case, with each run of blanks replaced by one space."""
    return " ".join(phrase.lower().split())


@dataclass(frozen=True)
class Family(Generic[Settings]):
    """Detectors with the same loading code, prompts and settings.

    The module of a family must not import torch or load a model. Only `load` does that.

    Args:
      name: for messages.
      settings: the keys of `detector` that the family accepts, with their defaults. The ground fingerprint includes
        those that are not `Recorded`.
      score: the score threshold, 0..1, for checkpoints without a measured threshold.
      load: returns the detector, on its device. Its second argument, the search path, contains folders to search for
        code after all installed packages. Raises ValueError or OSError.
      normalize: of phrases with equal results, only the first is sent to the detector.
      check: raises ValueError if the config.json shows that the checkpoint cannot run.
      identify: returns the identity of the model for the fingerprint. None: the content of the checkpoint is hashed.
      placed: whether gritmill checks that this machine has `detector.device` and that `.precision` suits it.
      check_cpu: raises ValueError if the CPU of this machine does not support the precision. It is called for another
        precision than float32 if the family is `placed`, before a run starts and on each worker, where there is no GPU.
      guarded: whether gritmill decodes each image before it calls the detector, and calls it from one thread at a
        time. Set it to False if the detector is thread-safe and answers with a fault for a truncated or broken image.
      check_input: raises ValueError if the settings do not suit the checkpoint, whose folder is the second argument.
        Only before a new run: an unfinished one of an earlier release goes on.
    """

    name: str
    settings: type[Settings]
    score: float
    load: Callable[[Settings, Sequence[str]], Detector]
    normalize: Callable[[str], str] = join_blanks
    check: Callable[[Settings, dict[str, Any]], None] = lambda settings, config: None
    identify: Callable[[Settings, Sequence[str]], str] | None = None
    placed: bool = True
    check_cpu: Callable[[Settings], None] = refuse_on_cpu
    guarded: bool = True
    check_input: Callable[[Settings, Path], None] = lambda settings, folder: None

    def take(self, settings: FamilySettings) -> Settings:
        """The settings of this family, from the section `detector`.

        Raises:
          ValueError: a key that the family does not accept is set to a value other than its default, or a value is not
            valid.
        """
        values, fields = settings.model_dump(), type(settings).model_fields
        own = self.settings.model_fields
        for key, value in values.items():
            if key not in own and not (key in fields and value == fields[key].default):
                close = closest(key, own)
                end = f"did you mean {close}?" if close else f"its keys are {listed(sorted(own))}"
                raise ValueError(f"detector.{key}: {self.name} has no such key; {end}")
        try:
            known = {key: values[key] for key in own if key in values}
            return self.settings.model_validate(known, context=Section.READ_BACK)  # those of the section were checked
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, ("detector", *first["loc"])))
            raise ValueError(f"{key}: {first['input']!r}: {what_it_takes(first)}") from error
