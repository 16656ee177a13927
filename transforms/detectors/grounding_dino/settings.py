"""The keys of `detector.` that Grounding DINO takes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from transforms.detectors.family import FamilySettings
from transforms.settings import PositiveInt, Recorded


class GroundingDinoSettings(FamilySettings):
    """The common keys, and those that are its own."""

    forward: Annotated[Literal["fast", "stock"], Recorded()] = Field(
        "fast", description="The model's own code, or faster with the same sums."
    )
    short_side: PositiveInt | None = Field(None, description="Pixels; default: what the model's processor says.")
    long_side: PositiveInt | None = Field(None, description="Pixels; default: what the model's processor says.")
    canvas_step: PositiveInt = Field(32, description="Both sides are stretched to the nearest multiple, pixels.")
    span_score: Literal["mean", "max"] = Field("mean", description="How token scores become a phrase's score.")

    @model_validator(mode="after")
    def _possible_sides(self) -> Self:
        if self.short_side and self.long_side and self.short_side > self.long_side:
            raise ValueError(f"short_side {self.short_side} is longer than long_side {self.long_side}")
        return self
