"""Shell completion: the values of options whose values are known. Imports happen only when the shell asks."""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

_WORDS, _CURRENT = "COMP_WORDS", "COMP_CWORD"
"""What bash passes: the words of the line, and the number of the word at the cursor."""


WORDS = "gritmill.words"
"""The key of `ctx.meta` that has the words of a command so far."""


def completer(parameter: str) -> Callable[[Any, str], list[str]] | None:
    """The function that completes values of a parameter, by the parameter's name; None if they are not known."""
    values = _VALUES.get(parameter)
    if values is None:
        return None

    def complete(ctx: Any, incomplete: str) -> list[str]:
        option = next((word for word in reversed(ctx.meta.get(WORDS, ())) if word.startswith("-")), "")
        if parameter == "config" and option in ("--input", "--truth"):
            return []  # the next word is one more value of the option, a file
        more = _settings() if parameter == "config" and option == "--set" else ()
        return [value for value in (*values(), *more) if value.startswith(incomplete)]

    return complete


def join_assignments(environment: MutableMapping[str, str]) -> None:
    """Joins the words of the line at "=" again: bash splits `--set a.b=1` there, and "=" is then a separate word."""
    words, current = environment[_WORDS].split("\n"), int(environment[_CURRENT])
    joined: list[str] = []
    for number, word in enumerate(words):
        if joined and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
        if number == current:
            environment[_CURRENT] = str(len(joined) - 1)
    environment[_WORDS] = "\n".join(joined)


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
    from pipeline.ground.retry import GROUND_REASONS

    return GROUND_REASONS


def _formats() -> Iterable[str]:
    from gritmill.exports import formats

    return formats()


def _dialects() -> Iterable[str]:
    from transforms.text import dialects

    return sorted(dialects.names())


def _audit_formats() -> Iterable[str]:
    from gritmill.auditing.formats import READERS

    return list(READERS)


_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "config": _configurations,
    "changes": _settings,
    "retry_failed": _reasons,
    "to": _formats,
    "dialect": _dialects,
    "format": _audit_formats,
}
