"""What every run in this process would do anew, at no gain for a test, done once: half of the time of a small run.

- A collection of all that is imported, before each pipeline: what is imported is frozen, which a run leaves as it is.
- Loading the parser, first to identify and then to use it: a thread keeps what it has loaded, for as long as no file of
  it has been touched.
- Looking up the signatures of the same methods, which Beam does ten thousand times a pipeline.

Processes that tests start do all of it.
"""

import gc
import sys
import threading
from functools import cache
from pathlib import Path
from types import MethodType

_frozen = 0
_loaded = threading.local()


def settle():
    """Does it for what has been imported by now."""
    global _frozen
    if len(sys.modules) > _frozen + 100:
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)
    for name, function, change in (
        ("transforms.phrases.parser", "load_parser", _kept),
        ("transforms.phrases.extract_phrases", "load_parser", _kept),
        ("apache_beam.transforms.core", "get_signature", _of_methods_once),
    ):
        module = sys.modules.get(name)
        if module and getattr(module, function).__module__ != __name__:
            setattr(module, function, change(getattr(module, function)))


def _kept(load):
    from transforms import bundled

    def load_parser(model):
        states = [(path, path.stat()) for path in sorted(Path(bundled.model_path(model)).rglob("*"))]
        key = (model, *((path, state.st_ino, state.st_size, state.st_mtime_ns) for path, state in states))
        known = _loaded.__dict__.setdefault("parsers", {})
        if not states or key not in known:
            known[key] = load(model)
        return known[key]

    return load_parser


def _of_methods_once(signature):
    @cache
    def of_method(function):
        return signature(MethodType(function, object()))

    def get_signature(function):  # without the instance, which would be kept alive with all that it has loaded
        return of_method(function.__func__) if type(function) is MethodType else signature(function)

    return get_signature
