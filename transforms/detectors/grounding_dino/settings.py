"""The keys of `detector` for Grounding DINO."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from transforms.detectors.family import FamilySettings
from transforms.settings import LegacyValue, PositiveInt, Recorded, at_most

Side = Annotated[PositiveInt, at_most(16_384)]
"""Pixels. A square input of the limit has 3 GB as floats."""


class GroundingDinoSettings(FamilySettings):
    """The common keys, and the keys of this family."""

    forward: Annotated[Literal["fast", "stock"], Recorded()] = Field(
        "fast", description="stock: the model's own code. fast: a faster order of the same computation."
    )
    short_side: Side | None = Field(None, description="Pixels; default: from the model's processor.")
    long_side: PositiveInt | None = Field(None, description="Pixels; default: from the model's processor.")
    canvas_step: Side = Field(32, description="Pixels. Both sides are stretched to the nearest multiple.")
    decode: Annotated[Literal["exact", "fast"], LegacyValue("exact")] = Field(
        "exact", description="fast: JPEGs of at least twice the model's input size are decoded at reduced scale."
    )
    span_score: Literal["mean", "max"] = Field("mean", description="How token scores become the score of a phrase.")

    @model_validator(mode="after")
    def _possible_sides(self) -> Self:
        if self.short_side and self.long_side and self.short_side > self.long_side:
            raise ValueError(f"short_side {self.short_side} is longer than long_side {self.long_side}")
        return self

    @model_validator(mode="after")
    def _possible_forward(self) -> Self:
        if self.device == "cpu" and self.precision == "bfloat16" and self.forward == "stock":
            raise ValueError("precision bfloat16 on a CPU needs forward fast")
        return self
