"""The section `detector` of the configuration: flat, with the keys of every built-in family.

A family from another package can add keys. They appear in the section unchanged.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ConfigDict, ValidationError, ValidationInfo, model_validator

from transforms.detectors.family import Family
from transforms.detectors.grounding_dino.settings import GroundingDinoSettings
from transforms.plugins import load_entry, name_entry
from transforms.wording import type_of

GROUP = "gritmill.detectors"
"""The entry-point group of families from other packages. The name is a `model_type`, the value a `Family`."""


class DetectorSettings(GroundingDinoSettings):
    """`detector`: how candidate boxes are found."""

    model_config = ConfigDict(extra="allow")  # for the keys of families from other packages; others are rejected below

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any, info: ValidationInfo) -> Any:
        if not isinstance(values, dict) or info.context == cls.READ_BACK:  # packages of earlier runs may be missing
            return values
        unknown = values.keys() - cls.model_fields.keys()
        for entry in entry_points(group=GROUP) if unknown else ():
            unknown -= load_family(entry).settings.model_fields.keys()
        if unknown:
            raise ValidationError.from_exception_data(
                cls.__name__,
                [{"type": "extra_forbidden", "loc": (key,), "input": values[key]} for key in sorted(unknown)],
            )
        return values

    def recorded_extra(self) -> set[str]:
        """The keys from families of other packages that are set and `Recorded`."""
        if not self.model_extra:
            return set()
        families = [load_family(entry) for entry in entry_points(group=GROUP)]
        return self.model_extra.keys() & {key for family in families for key in family.settings.recorded_keys()}


def load_family(entry: EntryPoint) -> Any:
    """Loads the `Family` of another package; raises ValueError if that fails."""
    family = load_entry(entry, "detector")
    if not isinstance(family, Family):
        raise ValueError(f"detector: {name_entry(entry)} is {type_of(family)}, not a gritmill.Family")
    return family
