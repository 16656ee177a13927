"""gritmill's JSON files as typed values: frozen dataclasses or pydantic models, each with a `REMEDY`.

Unknown keys are allowed, because another release may have written them. Each file contains a checksum of itself, which
is checked when it is read. Files of release 0.1 have none.
"""

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import to_json

from pipeline.faults import EnvironmentFault
from pipeline.files import checksum
from pipeline.files.access import read_bytes
from pipeline.files.guards import Guard, always
from pipeline.files.publish import publish_bytes
from pipeline.files.uris import is_missing
from transforms.read_ahead import map_in_threads

CHECKSUM = "checksum"
"""The key of the checksum; see `pipeline.files.checksum`."""

# Only a key of the outermost object is indented by two blanks, and a line break inside of a string is escaped.
_CHECKSUM_LINE = re.compile(rb'\n  "checksum": "([0-9a-f]{32})"')


class Typed(Protocol):
    """The content of a file. REMEDY: what the user can do if a file is invalid."""

    REMEDY: ClassVar[str]


class OpenModel(BaseModel):
    """A frozen model that keeps unknown keys, so that they are not lost when it is written again."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _without_checksum(cls, values: Any) -> Any:
        if isinstance(values, dict) and CHECKSUM in values:  # of the file, not of its content
            return {key: value for key, value in values.items() if key != CHECKSUM}
        return values


_T = TypeVar("_T", bound=Typed)
_P = TypeVar("_P")


def read_typed(uri: str, kind: type[_T]) -> _T:
    """Reads a value of type `kind` from a file.

    Raises:
      EnvironmentFault: the content is not of this type, or has changed since it was written.
    """
    data = read_bytes(uri)
    if not is_intact(data):
        raise EnvironmentFault(f"{uri}: changed since it was written (its checksum is wrong); {kind.REMEDY}")
    try:
        value: _T = _adapter(kind).validate_json(data)
    except ValidationError as error:
        raise EnvironmentFault(f"{uri}: not in the expected format: {first_fault(error)}; {kind.REMEDY}") from error
    return value


def find_typed(uri: str, kind: type[_T]) -> _T | None:
    """The value in a file; None if there is no such file. Raises as `read_typed`."""
    try:
        return read_typed(uri, kind)
    except Exception as error:
        if is_missing(error):
            return None
        raise


def first_fault(error: ValidationError) -> str:
    """The first invalid key and the problem, in one line."""
    first = error.errors(include_url=False, include_context=False)[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, "))))


def read_many(uris: Iterable[str], kind: type[_T], pick: Callable[[_T], _P]) -> list[_P]:
    """What `pick` takes of the values of many files, in order. Reads them in several threads."""
    return map_in_threads(lambda uri: pick(read_typed(uri, kind)), uris)


def as_json(value: Typed) -> dict[str, Any]:
    """The JSON object that represents a value in a file."""
    content: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json", by_alias=True)
    return content


def publish_typed(uri: str, value: Typed, guard: Guard = always, create: bool = False) -> bool:
    """Publishes a value as `publish_json` does, with a checksum. Raises as `publish`."""
    data = json_bytes(as_json(value) | {CHECKSUM: checksum.EMPTY})
    return publish_bytes(uri, checksum.seal(data, _CHECKSUM_LINE), guard, create)


def json_bytes(content: dict[str, Any]) -> bytes:
    """A JSON object as `publish_json` writes it, but for numbers below 0.0001, which it writes with fewer characters.
    Sorts the keys of all objects in `content` itself: a copy would take as much memory as the plan.

    Python's own encoder takes five times as long to indent: seconds for the plan of a hundred thousand sources.
    """
    _sort_keys(content)
    return to_json(content, indent=2, inf_nan_mode="constants") + b"\n"


def _sort_keys(value: Any) -> None:
    if isinstance(value, dict) and list(value) != sorted(value):
        for key in sorted(value):
            value[key] = value.pop(key)
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _sort_keys(inner)


def is_intact(data: bytes) -> bool:
    """Whether the content of a JSON file has the checksum that it contains. True if it contains none. A program that
    wrote the file again with other blanks has changed it, too."""
    intact = checksum.is_intact(data, _CHECKSUM_LINE)
    return not _has_checksum(data) if intact is None else intact


def _has_checksum(data: bytes) -> bool:
    if CHECKSUM.encode() not in data:
        return False
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):  # no JSON: its reader says so
        return False
    return isinstance(content, dict) and CHECKSUM in content


@cache
def _adapter(kind: type) -> Any:
    return TypeAdapter(kind)
