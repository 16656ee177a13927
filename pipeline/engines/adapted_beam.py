"""Changes to Beam while a pipeline runs."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from apache_beam import pipeline as beam_pipeline
from apache_beam.utils import interactive_utils, subprocess_server

from pipeline.engines import job_server


class _JobServer(subprocess_server.SubprocessServer):  # type: ignore[misc]
    """Takes the place of Beam's class, so that the process ends with the driver."""

    def __init__(self, stub_class: type, cmd: Sequence[object], *args: object, **kwargs: object) -> None:
        super().__init__(stub_class, job_server.below_driver(cmd), *args, **kwargs)


_patching = threading.Lock()
_active_patches: list[bool] = []


@contextmanager
def patched() -> Iterator[None]:
    """Disables Beam's support for IPython, and lets its job server end with this process.

    With IPython, Beam 2.77 prepares every pipeline for interactive use: it imports its data frames, which fail with
    pandas 3, and it does not remove the pipeline's temporary folder.
    """
    with _patching:
        _active_patches.append(True)
        subprocess_server.SubprocessServer = _JobServer
        beam_pipeline.alter_label_if_ipython = lambda *_: None
        beam_pipeline.is_in_ipython = lambda: False
    try:
        yield
    finally:
        with _patching:
            _active_patches.pop()
            if not _active_patches:  # runs of several threads may overlap
                subprocess_server.SubprocessServer = _JobServer.__base__
                beam_pipeline.alter_label_if_ipython = interactive_utils.alter_label_if_ipython
                beam_pipeline.is_in_ipython = interactive_utils.is_in_ipython


@contextmanager
def without_module(name: str) -> Iterator[None]:
    """Within the block, the import of a module that is not loaded yet fails, as if it were not installed."""
    missing = name not in sys.modules
    if missing:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if missing:
            sys.modules.pop(name, None)
