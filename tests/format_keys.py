"""The keys of a typed JSON file with their types, as docs/formats.md writes them."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from pipeline.configuration import Configuration

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", Any: "any", type(None): "null"}


def keys_of(kind: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Path and type of each key: `chunks[].rows` in a list of objects, `tables.*.rows` in a map of them."""
    hints = get_type_hints(kind, include_extras=True)
    for name in [field.name for field in fields(kind)] if is_dataclass(kind) else kind.model_fields:
        annotation = hints[name]
        if get_origin(annotation) is Annotated:
            annotation, *notes = get_args(annotation)
            name = next((note.alias for note in notes if getattr(note, "alias", None)), name)
        yield f"{prefix}{name}", _type_name(annotation)
        inner, path = _object_in(annotation)
        if inner:
            yield from keys_of(inner, f"{prefix}{name}{path}.")


def _is_object(annotation: Any) -> bool:
    return isinstance(annotation, type) and (is_dataclass(annotation) or issubclass(annotation, BaseModel))


def _object_in(annotation: Any) -> tuple[Any, str]:
    """The class of the objects that a value holds, and how a path leads to one of them."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return next((found for one in inner if (found := _object_in(one))[0]), (None, ""))
    if origin in (tuple, list):
        found, path = _object_in(inner[0])
        return found, f"[]{path}"
    if origin in (dict, Mapping):
        found, path = _object_in(inner[1])
        return found, f".*{path}"
    return (annotation, "") if _is_object(annotation) and annotation is not Configuration else (None, "")


def _type_name(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(map(_type_name, inner))
    if origin is Literal:
        return _NAMES[type(inner[0])]
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"[{', '.join(map(_type_name, inner))}]"
    if origin in (tuple, list):
        return f"list of {_type_name(inner[0])}"
    if origin in (dict, Mapping):
        return "object" if inner[1] is Any else f"map of {_type_name(inner[1])}"
    return "object" if _is_object(annotation) else _NAMES[annotation]
