"""Running a Beam pipeline: the engine that the user's options name, and what its failures mean."""

import argparse
import gc
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

import apache_beam as beam
from apache_beam import pipeline as beam_pipeline
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, fn_runner
from apache_beam.runners.runner import create_runner
from apache_beam.utils import interactive_utils

from pipeline.engines import local_workers
from pipeline.faults import CallError, EnvironmentFault, RunFault, first_line

Build = Callable[[beam.Pipeline], object]


def parse_beam_options(arguments: Sequence[str]) -> PipelineOptions:
    """The Beam options after `--`.

    Raises:
      CallError: one has a bad value; or the local engine does not know it (others ask a job server for theirs).
    """
    known, unknown = _Parser.from_beam().parse_known_args(list(arguments))
    if unknown and _names_local(known.runner):
        raise CallError(f"{unknown[0]}: no such Beam option")
    beam_options = PipelineOptions(list(arguments))
    if not _names_local(known.runner):
        try:
            create_runner(known.runner)
        except (ValueError, ImportError) as error:
            raise CallError(f"--runner: {first_line(error)}") from error
    return beam_options


def is_local(beam_options: PipelineOptions) -> bool:
    """Whether the pipeline runs on this machine, inside this process or its children."""
    return _names_local(beam_options.view_as(StandardOptions).runner)


def _names_local(runner: str | None) -> bool:
    """Under its own name DirectRunner, Beam 2.77 tries to download another engine; we mean Beam's in-process one."""
    return (runner or "direct").rpartition(".")[2].lower().removesuffix("runner") in ("direct", "fnapi")


def local_worker_count(beam_options: PipelineOptions) -> int:
    """Local workers; 1 elsewhere."""
    if not is_local(beam_options):
        return 1
    direct = beam_options.view_as(DirectOptions)
    if direct.direct_running_mode == "in_memory":
        return 1
    return int(direct.direct_num_workers) or os.cpu_count() or 1


def run(build: Build, beam_options: PipelineOptions) -> None:
    """Builds the pipeline, runs it and waits for its end.

    Raises:
      EnvironmentFault: a worker failed. No row-level fault ever raises, so the environment is at fault.
    """
    pipeline = _pipeline(beam_options)
    try:
        with _without_ipython_hooks(), _gc_frozen():
            build(pipeline)
            if _in_processes(beam_options):
                local_workers.run_watched(lambda: _finish(pipeline))
            else:
                _finish(pipeline)
    except RunFault as fault:
        raise type(fault)(_STEP.sub("", str(fault))) from fault
    except Exception as error:
        logging.getLogger(__name__).debug("the pipeline failed", exc_info=True)
        if _INTERRUPT.search(str(error)):
            raise KeyboardInterrupt from error
        raise _fault(error) from error


_patching = threading.Lock()
_active_patches: list[bool] = []


@contextmanager
def _without_ipython_hooks() -> Iterator[None]:
    """In IPython, Beam 2.77 prepares every pipeline for being looked at cell by cell. For that it imports its data
    frames, which fail with pandas 3; and it leaves the pipeline's temporary folder behind."""
    with _patching:
        _active_patches.append(True)
        beam_pipeline.alter_label_if_ipython = lambda *_: None
        beam_pipeline.is_in_ipython = lambda: False
    try:
        yield
    finally:
        with _patching:
            _active_patches.pop()
            if not _active_patches:  # runs of several threads may overlap
                beam_pipeline.alter_label_if_ipython = interactive_utils.alter_label_if_ipython
                beam_pipeline.is_in_ipython = interactive_utils.is_in_ipython


@contextmanager
def _gc_frozen() -> Iterator[None]:
    """What is imported stays: while the pipeline runs, the cyclic collector need not look at it. It is a fifth of the
    time of `pack`. Where something is frozen already, by another run or by the caller, it stays as it is."""
    if gc.get_freeze_count():
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _finish(pipeline: beam.Pipeline) -> None:
    pipeline.run().wait_until_finish()


def _pipeline(beam_options: PipelineOptions) -> beam.Pipeline:
    if not is_local(beam_options):
        try:
            return beam.Pipeline(options=beam_options)
        except ValueError as error:  # options that the engine wants, one a line
            raise CallError(" ".join(str(error).split())) from error
    if not _in_processes(beam_options):
        return beam.Pipeline(runner=FnApiRunner(), options=beam_options)
    # With our own environment the mode is told by it, and must not be told again.
    given_options = beam_options.get_all_options(drop_default=True)
    beam_options = PipelineOptions.from_dictionary(
        {name: value for name, value in given_options.items() if name != "runner"}
    )
    beam_options.view_as(DirectOptions).direct_running_mode = "in_memory"
    logging.getLogger(fn_runner.__name__).setLevel(logging.ERROR)  # it warns of just this
    return beam.Pipeline(runner=FnApiRunner(local_workers.environment()), options=beam_options)


def _in_processes(beam_options: PipelineOptions) -> bool:
    return is_local(beam_options) and beam_options.view_as(DirectOptions).direct_running_mode == "multi_processing"


_RAISED = re.compile(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception|Fault|Device|Interrupt|Exit))(?:: (.*))?$", re.M)
_INTERRUPT = re.compile(r"^KeyboardInterrupt", re.M)  # in one process, Beam wraps it like any failure of a step
_ERRNO = re.compile(r"\[Errno \d+\] (?P<why>[^:]+)(: '(?P<file>.*)')?")
_STEP = re.compile(r" \[while running '.*$")


def _fault(error: Exception) -> RunFault:
    """What a worker's traceback comes to, in one line: the last exception in it that has something to say."""
    raised = [match for match in _RAISED.finditer(str(error)) if match[2]]
    if not raised:
        return EnvironmentFault(_STEP.sub("", first_line(error)) or type(error).__name__)
    name, text = raised[-1].groups()
    text = _STEP.sub("", text)
    if name == "CallError":
        return CallError(text)
    if denied := _ERRNO.fullmatch(text):  # as the command line says it of an OSError that comes without Beam
        return EnvironmentFault(": ".join(filter(None, (denied["file"], denied["why"]))))
    self_explanatory = name in ("EnvironmentFault", "UnhealthyDevice") or text.startswith("detector.model:")
    return EnvironmentFault(text if self_explanatory else f"{name}: {text}")


class _Parser(argparse.ArgumentParser):
    """A parser of all options that Beam knows, which raises instead of printing a usage of hundreds of lines."""

    @classmethod
    def from_beam(cls) -> "_Parser":
        parser = cls(add_help=False, allow_abbrev=False)
        for options in dict.fromkeys(_subclasses(PipelineOptions)):
            with suppress(argparse.ArgumentError):  # two classes may have one option
                options._add_argparse_args(parser)  # type: ignore[attr-defined]
        return parser

    def error(self, message: str) -> NoReturn:
        raise CallError(f"Beam options: {message}")


def _subclasses(kind: type) -> list[type]:
    direct: list[type] = kind.__subclasses__()
    return [sub for child in direct for sub in (child, *_subclasses(child))]
