"""Shell completion: the values of options whose values are known. Imports happen only when the shell asks."""

from collections.abc import Callable, Iterable
from typing import Any


def completer(parameter: str) -> Callable[[str], list[str]] | None:
    """The function that completes values of a parameter, by the parameter's name; None if they are not known."""
    values = _VALUES.get(parameter)
    if values is None:
        return None

    def complete(incomplete: str) -> list[str]:
        return [value for value in values() if value.startswith(incomplete)]

    return complete


def _configurations() -> Iterable[str]:
    from transforms import bundled

    return sorted(path.stem for path in bundled.folder("configs").glob("*.yaml"))


def _settings() -> Iterable[str]:
    from pipeline.configuration import Configuration

    def keys(model: Any, prefix: str) -> Iterable[str]:
        for name, field in model.model_fields.items():
            nested = getattr(field.annotation, "model_fields", None)
            yield from keys(field.annotation, f"{prefix}{name}.") if nested else (f"{prefix}{name}=",)

    return keys(Configuration, "")


def _reasons() -> Iterable[str]:
    from transforms.records import Reason

    return list(Reason)


def _formats() -> Iterable[str]:
    from gritmill.exports import formats

    return formats()


def _dialects() -> Iterable[str]:
    from transforms.text import dialects

    return dialects.names()


_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "config": _configurations,
    "changes": _settings,
    "retry_failed": _reasons,
    "to": _formats,
    "dialect": _dialects,
}
