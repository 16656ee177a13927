"""The section `detector` of the configuration: flat, with the keys of every built-in family.

A family from outside may bring keys of its own; they stand in the section as they were given.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ConfigDict, ValidationError, ValidationInfo, model_validator

from transforms.detectors.grounding_dino.settings import GroundingDinoSettings

GROUP = "gritmill.detectors"
"""The entry points of families from outside: the name is a `model_type`, the value a `Family`."""


class DetectorSettings(GroundingDinoSettings):
    """`detector`: which boxes a phrase can have."""

    model_config = ConfigDict(extra="allow")  # the keys of families from outside, and no others

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any, info: ValidationInfo) -> Any:
        if not isinstance(values, dict) or info.context == cls.READ_BACK:  # whose packages need not be installed here
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
        """Of the keys of families from outside that are set, those that are `Recorded`."""
        if not self.model_extra:
            return set()
        families = [load_family(entry) for entry in entry_points(group=GROUP)]
        return self.model_extra.keys() & {key for family in families for key in family.settings.recorded_keys()}


def load_family(entry: EntryPoint) -> Any:
    """The `Family` of another package; raises ValueError if it cannot be loaded."""
    try:
        return entry.load()
    except Exception as error:  # somebody else's code
        raise ValueError(f"detector: {entry.value} cannot be loaded: {error}") from error
