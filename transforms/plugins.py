"""User code, named in the configuration as `package.module:factory` or provided as an entry point of a package."""

import hashlib
import importlib
import importlib.util
import inspect
import json
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from transforms.culprits import PluginError, WrongAnswer, calling, describe, place_of
from transforms.wording import type_of

loaded: set[str] = set()
"""The names of the user code that this process has imported, or has tried to."""


def search(folders: Iterable[str]) -> None:
    """Lets this process import from folders. They are searched after all installed packages."""
    # Not inserted first: a transforms.py in such a folder must not hide gritmill's package.
    sys.path.extend(folder for folder in folders if folder not in sys.path)


def check_module(name: str, key: str) -> None:
    """Raises ValueError if the module of `package.module:factory` is not there. Imports at most packages above it."""
    module = name.partition(":")[0]
    try:
        there = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        there = False
    except Exception:  # of a package above it, which runs user code; its import reports it
        return
    if not there:
        raise ValueError(f"{key}: {name} cannot be loaded: No module named {module!r}; {_cure()}")


def _cure() -> str:
    return f"install it on {socket.gethostname()}, or add its folder to PYTHONPATH there"


def find_factory(name: str, search_path: Sequence[str] = (), key: str = "detector.model") -> Callable[..., Any]:
    """The factory that `package.module:factory` names.

    search_path: see `search`; empty on workers of other machines. key: the configuration key, for messages.

    Raises:
      ValueError: the module cannot be imported or does not contain such a callable.
    """
    search(search_path)
    if not search_path:
        check_module(name, key)
    module, _, function = name.partition(":")
    loaded.add(name)
    try:
        factory: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except Exception as error:  # the import runs user code, which can raise anything
        place = place_of(error)
        missing = isinstance(error, ImportError | AttributeError) and not (place and place.users)
        raise ValueError(f"{key}: {name} cannot be loaded: {error if missing else describe(error)}") from error
    if not callable(factory):
        raise ValueError(f"{key}: {name} is not callable")
    return factory


def identify_factory(factory: Callable[..., Any], name: str) -> str:
    """The factory's name, its `revision` if it has one, and the hash of its source file if it has one."""
    identity = f"factory:{name}@{getattr(factory, 'revision', '')}"
    try:
        path = inspect.getsourcefile(inspect.unwrap(factory))
        return f"{identity}+{hashlib.blake2b(Path(path or '').read_bytes(), digest_size=8).hexdigest()}"
    except (OSError, TypeError):
        return identity


def name_entry(entry: EntryPoint) -> str:
    """An entry point and its package, for messages."""
    package = getattr(entry, "dist", None)
    of = f" of the package {package.name}" if package else ""
    return f"the entry point {entry.name} = {entry.value}{of}"


def load_entry(entry: EntryPoint, key: str, raises: Callable[[str], Exception] = PluginError) -> Any:
    """The value of an entry point. key: the configuration key or option that names it, for messages.

    Raises:
      Exception: `raises` of the message, if the value cannot be imported.
    """
    with calling(f"{key}: {name_entry(entry)}", raises):
        loaded.add(entry.value)
        return entry.load()


def check_callable(value: Any) -> None:
    """Raises WrongAnswer if a value that should make something is not callable."""
    if not callable(value):
        raise WrongAnswer(f"it is {type_of(value)}, which is not callable")


def check_made(made: Any, maker: str, *methods: str, attributes: Sequence[str] = ()) -> None:
    """Raises WrongAnswer if `maker` did not return an object with these methods and attributes."""
    if made is None or isinstance(made, type):
        raise WrongAnswer(f"{maker} returned {type_of(made)}")
    for method in methods:
        if not callable(getattr(made, method, None)):
            raise WrongAnswer(f"{maker} returned {type_of(made)}, which has no method {method}")
    for attribute in attributes:
        if not hasattr(made, attribute):
            raise WrongAnswer(f"{maker} returned {type_of(made)}, which has no attribute {attribute}")


def check_json_object(value: Any, what: str) -> dict[str, Any]:
    """A JSON object that user code returned. what: for messages. Raises WrongAnswer if it is something else."""
    if not isinstance(value, Mapping):
        raise WrongAnswer(f"{what} is {type_of(value)}, not a dict of JSON values")
    try:
        json.dumps(dict(value), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise WrongAnswer(f"{what} is not JSON: {error}") from None
    return dict(value)
