"""User code, named in the configuration as `package.module:factory`."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def find_factory(name: str, search_path: Sequence[str] = (), key: str = "detector.model") -> Callable[..., Any]:
    """The factory that `package.module:factory` names.

    search_path: folders that are searched after all installed packages. key: the configuration key, for messages.

    Raises:
      ValueError: the module cannot be imported or does not contain such a callable.
    """
    # Appended, not inserted first: a transforms.py in such a folder must not hide gritmill's package.
    sys.path.extend(folder for folder in search_path if folder not in sys.path)
    module, _, function = name.partition(":")
    try:
        factory: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{key}: {name} cannot be loaded: {error}") from error
    except Exception as error:  # the import runs user code, which can raise anything
        raise ValueError(f"{key}: {name} cannot be loaded: {type(error).__name__}: {error}") from error
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
