"""When Python looks for cyclic garbage: rarely, and not while packages are imported."""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = 30_000
"""New objects before Python looks for cyclic garbage, in the command and its workers. With its default of 700, that
takes 4 % of the time of `pack`, and 19 % in a worker that has not frozen what it has imported. With 10,000, it looks at
the records of each chunk of `pack` while they live, which takes 0.01 ms per pair."""

_own = False


def own_process() -> None:
    """Says that only gritmill uses this process: the command, or a local worker. It collects rarely, and what has been
    imported stays frozen."""
    global _own
    _own = True
    collect_rarely()
    atexit.register(_skip_last_search)


def _skip_last_search() -> None:
    """Keeps the end of Python from searching all that was imported for garbage, which takes 1.5 s.

    Not if there is user code: without that search, a file that a module of it leaves open loses what is in its buffer.
    """
    plugins = sys.modules.get("transforms.plugins")
    if plugins and plugins.loaded:
        gc.unfreeze()
    else:
        gc.freeze()


def collect_rarely() -> None:
    """Sets `COLLECT_AFTER` in this process, unless it collects more rarely, or not at all."""
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, COLLECT_AFTER) if young else 0, *older)


@contextmanager
def importing() -> Iterator[None]:
    """Python does not look for garbage within the block, which imports packages that create 100,000 objects or more.

    They stay, so a search finds next to nothing: all searches together took 0.8 of the 6.0 s of `run --limit 1`. A
    process of gritmill's own never searches them later, either. For models, use no such block: what loads them may
    leave cycles that hold all weights.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
        if _own:
            gc.freeze()


@contextmanager
def frozen() -> Iterator[None]:
    """Hides all objects from the collector while the block, a pipeline, runs, which saves a fifth of the time of
    `pack`, and lets it look for garbage as rarely as a worker does. Does nothing if objects are already frozen, by
    another run or by the caller.

    Of garbage, only what is young is collected before: the whole heap would take 0.3 s, for each pipeline."""
    if not _own and gc.get_freeze_count():
        yield
        return
    gc.collect(1)
    gc.freeze()
    before = gc.get_threshold()
    collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not _own:
            gc.unfreeze()
