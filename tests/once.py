"""Work that each run in the suite's own process would repeat, done once: that halves the time of a small run.

- The garbage collection before each pipeline: what is imported is frozen, and a run leaves frozen objects alone.
- Loading the parser, once to identify it and once to use it: a thread caches it as long as none of its files changes.
- Looking up method signatures, which Beam does ten thousand times a pipeline.

Processes that tests start do all of it, as a user's do.
"""

import gc
import sys
import threading
from functools import cache
from pathlib import Path
from types import MethodType

_frozen = 0
_generation = 0
_thread_cache = threading.local()


def settle():
    """Applies this to what has been imported so far."""
    global _frozen
    if len(sys.modules) > _frozen + 100:
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)
    for name, function, change in (
        ("transforms.phrases.parser", "load_parser", _cache_parser),
        ("apache_beam.transforms.core", "get_signature", _cache_method_signatures),
    ):
        module = sys.modules.get(name)
        if module and getattr(module, function).__module__ != __name__:
            setattr(module, function, change(getattr(module, function)))


def load_parsers_anew():
    """From now on every thread loads its parsers again: two runs that are compared must not share one."""
    global _generation
    _generation += 1


def _cache_parser(load):
    from transforms import bundled

    def load_parser(model):
        states = [(path, path.stat()) for path in sorted(Path(bundled.model_path(model)).rglob("*"))]
        key = (_generation, model, *((path, state.st_ino, state.st_size, state.st_mtime_ns) for path, state in states))
        cached = _thread_cache.__dict__.setdefault("parsers", {})
        if not states or key not in cached:
            cached[key] = load(model)
        return cached[key]

    return load_parser


def _cache_method_signatures(signature):
    @cache
    def of_method(function):
        return signature(MethodType(function, object()))

    def get_signature(function):  # without the instance, which would be kept alive with all that it has loaded
        return of_method(function.__func__) if type(function) is MethodType else signature(function)

    return get_signature
