"""A JSON object of a custom set, whose misspelled fields are errors."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

from transforms.wording import closest


class Fields(BaseModel):
    """Rejects unknown fields whose name is close to a known one, as typos. Other unknown fields are allowed.

    distinct: the fields that names are compared with; empty: all fields.
    """

    model_config = ConfigDict(frozen=True)

    distinct: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _reject_typos(cls, values: Any) -> Any:
        names = cls.distinct or tuple(cls.model_fields)
        for name in values if isinstance(values, dict) else ():
            close = closest(str(name), names, 0.7) if name not in names else ""
            if close:
                raise ValueError(f"{name}: no such field; did you mean {close}?")
        return values
