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
_done = set()


def settle():
    """Does it for whatever has been imported by now."""
    global _frozen
    if len(sys.modules) > _frozen + 100:
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)
    for name, change in (("transforms.phrases.extract", _parsers), ("apache_beam.transforms.core", _signatures)):
        if name in sys.modules and name not in _done:
            change(sys.modules[name])
            _done.add(name)


def _parsers(extract):
    from transforms import bundled

    load, loaded = extract.load_parser, threading.local()

    def load_parser(model):
        folder = Path(bundled.model(model))
        states = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
        key = (model, *((path, state.st_ino, state.st_size, state.st_mtime_ns) for path, state in states))
        known = loaded.__dict__.setdefault("known", {})
        if not states or key not in known:
            known[key] = load(model)
        return known[key]

    extract.load_parser = load_parser


def _signatures(core):
    signature = core.get_signature

    @cache
    def of_method(function):
        return signature(MethodType(function, object()))

    def get_signature(function):  # without the instance, which would be kept alive with all that it has loaded
        return of_method(function.__func__) if type(function) is MethodType else signature(function)

    core.get_signature = get_signature
