"""What a family of detectors is: detectors that are loaded, asked and set alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from transforms.detectors.base import Detector
from transforms.settings import Fraction, PositiveInt, Recorded, Section


class FamilySettings(Section):
    """The keys of `detector.` that every family takes; one with keys of its own derives its settings from this."""

    model: str = Field(
        "IDEA-Research/grounding-dino-tiny",
        description="An embedded one, hub id, folder, or package.module:factory of your own.",
    )
    revision: str | None = Field(None, description="Branch, tag or commit on the hub.")
    device: Annotated[str, Recorded()] = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    batch: Annotated[PositiveInt, Recorded()] = Field(4, description="Prompts a forward.")
    threads: Annotated[PositiveInt | None, Recorded()] = Field(None, description="Default: cores over local workers.")
    floor: Fraction = Field(0.05, description="Candidates below this score are not kept.")
    candidates: PositiveInt = Field(30, description="At most so many candidates a phrase.")

    @model_validator(mode="after")
    def _possible_precision(self) -> Self:
        if self.device == "cpu" and self.precision != "float32":
            raise ValueError(f"precision {self.precision} is not right on a CPU; device cpu needs float32")
        return self


Settings = TypeVar("Settings", bound=FamilySettings)


def join_blanks(phrase: str) -> str:
    """The phrase in lower case, its blanks joined."""
    return " ".join(phrase.lower().split())


@dataclass(frozen=True)
class Family(Generic[Settings]):
    """Detectors that are loaded, asked and set alike. To import one takes no model and no torch: `load` does.

    Args:
      name: for messages.
      settings: the keys of `detector.` that it takes, with their defaults. The ground fingerprint covers those that are
        not `Recorded`.
      score: the score threshold of checkpoints for which nobody has measured one, 0..1.
      load: the detector, on its device. search_path: folders to look in for code, after everything installed. Raises
        ValueError or OSError.
      normalize: of two phrases that it makes equal only the first is asked.
      check: refuses a checkpoint that cannot be run, told by its config.json, with a ValueError.
      identify: what tells one model from another; None if the content of the checkpoint does.
      placed: whether `detector.device` and `.precision` have to suit this machine.
      guarded: whether gritmill decodes each picture before the detector is asked, and asks from one thread at a time;
        False for one that is safe to be shared by threads and answers with a fault for a picture that is cut or broken.
    """

    name: str
    settings: type[Settings]
    score: float
    load: Callable[[Settings, Sequence[str]], Detector]
    normalize: Callable[[str], str] = join_blanks
    check: Callable[[Settings, dict[str, Any]], None] = lambda settings, config: None
    identify: Callable[[Settings, Sequence[str]], str] | None = None
    placed: bool = True
    guarded: bool = True

    def take(self, settings: FamilySettings) -> Settings:
        """The keys of the section `detector` that this family takes.

        Raises:
          ValueError: another key is set, to another value than its default, or a value does not fit.
        """
        values, fields = settings.model_dump(), type(settings).model_fields
        own = self.settings.model_fields
        for key, value in values.items():
            if key not in own and not (key in fields and value == fields[key].default):
                raise ValueError(f"detector.{key}: {self.name} takes no such key; it takes {', '.join(sorted(own))}")
        try:
            return self.settings.model_validate({key: values[key] for key in own if key in values})
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, ("detector", *first["loc"])))
            raise ValueError(f"{key}: {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error
