"""Does work once that each run in the test process would repeat. A small run then takes a third of the time.

- The garbage collection before each pipeline: imported objects are frozen, and a run ignores frozen objects.
- Loading the parser, once to identify it and once to use it: each thread caches it until one of its files changes.
- Looking up method signatures, which Beam does ten thousand times per pipeline, and the states and timers of a `DoFn`.
- Parsing options: for each look at an option, 250 times per pipeline, Beam makes a command-line parser and calls it.

Processes that tests start are not patched and do all of this work, as in a user's process.
"""

import copy
import gc
import sys
import threading
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from types import MethodType
from weakref import WeakKeyDictionary

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
        ("apache_beam.transforms.userstate", "get_dofn_specs", _cache_by_object),
        ("apache_beam.options.pipeline_options", "PipelineOptions.view_as", _cache_parsed_options),
        ("transforms.garbage", "frozen", _do_not_count_frozen),
    ):
        owner = sys.modules.get(name)
        if owner and "." in function:
            inside, function = function.split(".")
            owner = getattr(owner, inside)
        if owner and getattr(owner, function).__module__ != __name__:
            setattr(owner, function, change(getattr(owner, function)))


@contextmanager
def thawed():
    """Lets the collector see all objects meanwhile, as in a user's process."""
    global _frozen
    before, _frozen = _frozen, 0
    gc.unfreeze()
    try:
        yield
    finally:
        _frozen = before
        if before:
            gc.freeze()


def load_parsers_anew():
    """Invalidates the cached parsers of all threads, because two runs that are compared must not share one."""
    global _generation
    _generation += 1


def _cache_parser(load):
    from transforms import bundled

    def load_parser(model, split_brackets=False):
        states = [(path, path.stat()) for path in sorted(Path(bundled.model_path(model)).rglob("*"))]
        key = (
            _generation,
            model,
            split_brackets,
            *((path, state.st_ino, state.st_size, state.st_mtime_ns) for path, state in states),
        )
        cached = _thread_cache.__dict__.setdefault("parsers", {})
        if not states or key not in cached:
            cached[key] = load(model, split_brackets)
        return cached[key]

    return load_parser


def _cache_method_signatures(signature):
    @cache
    def of_method(function):
        return signature(MethodType(function, object()))

    def get_signature(function):  # the cache key has no instance: the cache would keep it and its models alive
        return of_method(function.__func__) if type(function) is MethodType else signature(function)

    return get_signature


def _cache_by_object(function):
    cached = WeakKeyDictionary()

    def of_object(key):
        if key not in cached:
            cached[key] = function(key)
        return cached[key]

    return of_object


def _cache_parsed_options(_view_as):
    parsed = {}

    def view_as(self, cls):
        key = cls, tuple(sys.argv[1:] if self._flags is None else self._flags)
        if key not in parsed:
            parsed[key] = cls(self._flags)._visible_options
        view = object.__new__(cls)
        visible = copy.deepcopy(parsed[key])
        vars(view).update(_flags=self._flags, _visible_options=visible, _all_options=self._all_options)
        for name, value in vars(visible).items():
            self._all_options.setdefault(name, value)
        return view

    return view_as


def _do_not_count_frozen(frozen):  # counting takes 60 ms if everything is frozen
    return lambda: nullcontext() if _frozen else frozen()
