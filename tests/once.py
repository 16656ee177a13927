"""Does work once that each run in the test process would repeat. This halves the time of a small run.

- The garbage collection before each pipeline: imported objects are frozen, and a run ignores frozen objects.
- Loading the parser, once to identify it and once to use it: each thread caches it until one of its files changes.
- Looking up method signatures, which Beam does ten thousand times per pipeline.

Processes that tests start are not patched and do all of this work, as in a user's process.
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
    """Freezes the objects and patches the modules that are imported so far."""
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
    """Invalidates the cached parsers of all threads, because two runs that are compared must not share one."""
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

    def get_signature(function):  # the cache key has no instance: the cache would keep it and its models alive
        return of_method(function.__func__) if type(function) is MethodType else signature(function)

    return get_signature
