"""gritmill's JSON files as typed values: frozen dataclasses or pydantic models, each with a `REMEDY`.

Unknown keys are allowed, because another release may have written them.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.faults import EnvironmentFault
from pipeline.files.access import read_bytes
from pipeline.files.publish import Guard, always, publish_json
from transforms.read_ahead import map_in_threads


class Typed(Protocol):
    """The content of a file. REMEDY: what the user can do if a file is invalid."""

    REMEDY: ClassVar[str]


class OpenModel(BaseModel):
    """A frozen model that keeps unknown keys, so that they are not lost when it is written again."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


_T = TypeVar("_T", bound=Typed)


def read_typed(uri: str, kind: type[_T]) -> _T:
    """Reads a value of type `kind` from a file.

    Raises:
      EnvironmentFault: the content is not of this type.
    """
    try:
        value: _T = _adapter(kind).validate_json(read_bytes(uri))
    except ValidationError as error:
        raise EnvironmentFault(f"{uri}: not in the expected format: {first_fault(error)}; {kind.REMEDY}") from error
    return value


def first_fault(error: ValidationError) -> str:
    """The first invalid key and the problem, in one line."""
    first = error.errors(include_url=False, include_context=False)[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, "))))


def read_many(uris: Iterable[str], kind: type[_T]) -> list[_T]:
    """Reads the values of many files in several threads. Keeps the order."""
    return map_in_threads(lambda uri: read_typed(uri, kind), uris)


def as_json(value: Typed) -> dict[str, Any]:
    """The JSON object that represents a value in a file."""
    content: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json", by_alias=True)
    return content


def publish_typed(uri: str, value: Typed, guard: Guard = always) -> bool:
    """Publishes a value as `publish_json` does."""
    return publish_json(uri, as_json(value), guard)


@cache
def _adapter(kind: type) -> Any:
    return TypeAdapter(kind)
