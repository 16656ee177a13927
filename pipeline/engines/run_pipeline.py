"""Runs a Beam pipeline on the engine that the user's options select, and converts its failures into `RunFault`s."""

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
from pipeline.faults import CallError, EnvironmentFault, RunFault, WorkerDied, first_line

Build = Callable[[beam.Pipeline], object]

_CONFIGURED_BY = {
    "--s3_": "AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID or another variable of AWS",
    "--azure_": "AZURE_STORAGE_CONNECTION_STRING or another variable of adlfs",
    "--blob_service_endpoint": "AZURE_STORAGE_CONNECTION_STRING",
    "--hdfs_": "the host and the port in the URI, webhdfs://HOST:PORT/…",
}
"""Options of Beam's own file systems, which gritmill does not use, and what takes their place."""


def parse_beam_options(arguments: Sequence[str]) -> PipelineOptions:
    """Parses the Beam options after `--`.

    Raises:
      CallError: an option has an invalid value, or the local engine does not know it. Other engines may have more
        options, which they get from a job server. Or it is one of Beam's file systems.
    """
    for argument in arguments:
        if cure := next((cure for start, cure in _CONFIGURED_BY.items() if argument.startswith(start)), ""):
            raise CallError(f"{argument.partition('=')[0]}: gritmill does not read files through Beam; set {cure}")
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
    """Whether the pipeline runs on this machine, in this process or its children."""
    return _names_local(beam_options.view_as(StandardOptions).runner)


def _names_local(runner: str | None) -> bool:
    """DirectRunner means Beam's in-process engine here. Under this name, Beam 2.77 tries to download another engine."""
    return (runner or "direct").rpartition(".")[2].lower().removesuffix("runner") in ("direct", "fnapi")


def local_worker_count(beam_options: PipelineOptions) -> int:
    """The number of local workers. 1 for an engine on other machines."""
    if not is_local(beam_options):
        return 1
    direct = beam_options.view_as(DirectOptions)
    if direct.direct_running_mode == "in_memory":
        return 1
    return int(direct.direct_num_workers) or os.cpu_count() or 1


def run(build: Build, beam_options: PipelineOptions) -> None:
    """Builds the pipeline, runs it and waits until it ends.

    Raises:
      RunFault: a step raised it.
      EnvironmentFault: a worker failed. Faults of single rows are never raised, so the environment is the cause.
    """
    pipeline = _pipeline(beam_options)
    try:
        with _without_ipython_hooks(), _gc_frozen():
            build(pipeline)
            if _in_processes(beam_options):
                local_workers.run_watched(lambda: _finish(pipeline))
            else:
                _finish(pipeline)
    except WorkerDied:
        raise
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
    """Disables Beam's support for IPython. With it, Beam 2.77 prepares every pipeline for interactive use: it imports
    its data frames, which fail with pandas 3, and it does not remove the pipeline's temporary folder."""
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
    """Hides imported objects from the cyclic garbage collector while the pipeline runs, which saves a fifth of the time
    of `pack`. Does nothing if objects are already frozen, by another run or by the caller."""
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
        except ValueError as error:  # options that the engine requires, one per line
            raise CallError(" ".join(str(error).split())) from error
    if not _in_processes(beam_options):
        return beam.Pipeline(runner=FnApiRunner(), options=beam_options)
    # The environment passed below determines the mode, so the option must not set it again.
    given_options = beam_options.get_all_options(drop_default=True)
    beam_options = PipelineOptions.from_dictionary(
        {name: value for name, value in given_options.items() if name != "runner"}
    )
    beam_options.view_as(DirectOptions).direct_running_mode = "in_memory"
    logging.getLogger(fn_runner.__name__).setLevel(logging.ERROR)  # it warns about exactly this
    return beam.Pipeline(runner=FnApiRunner(local_workers.environment()), options=beam_options)


def _in_processes(beam_options: PipelineOptions) -> bool:
    return is_local(beam_options) and beam_options.view_as(DirectOptions).direct_running_mode == "multi_processing"


_RAISED = re.compile(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception|Fault|Device|Interrupt|Exit))(?:: (.*))?$", re.M)
_INTERRUPT = re.compile(r"^KeyboardInterrupt", re.M)  # in one process, Beam wraps it like any failure of a step
_ERRNO = re.compile(r"\[Errno \d+\] (?P<why>[^:]+)(: '(?P<file>.*)')?")
_STEP = re.compile(r" \[while running '.*$")


def _fault(error: Exception) -> RunFault:
    """Converts a worker's traceback into one line: the last exception in it that has a message."""
    raised = [match for match in _RAISED.finditer(str(error)) if match[2]]
    if not raised:
        return EnvironmentFault(_STEP.sub("", first_line(error)) or type(error).__name__)
    name, text = raised[-1].groups()
    text = _STEP.sub("", text)
    if name == "CallError":
        return CallError(text)
    if denied := _ERRNO.fullmatch(text):  # the same text as for an OSError without Beam
        return EnvironmentFault(": ".join(filter(None, (denied["file"], denied["why"]))))
    self_explanatory = name in ("EnvironmentFault", "UnhealthyDevice", "PluginError") or text.startswith(
        "detector.model:"
    )
    return EnvironmentFault(text if self_explanatory else f"{name}: {text}")


class _Parser(argparse.ArgumentParser):
    """A parser of all options that Beam knows. It raises CallError instead of printing hundreds of lines of usage."""

    @classmethod
    def from_beam(cls) -> "_Parser":
        parser = cls(add_help=False, allow_abbrev=False)
        for options in dict.fromkeys(_subclasses(PipelineOptions)):
            with suppress(argparse.ArgumentError):  # two classes may define the same option
                options._add_argparse_args(parser)  # type: ignore[attr-defined]
        return parser

    def error(self, message: str) -> NoReturn:
        raise CallError(f"Beam options: {message}")


def _subclasses(kind: type) -> list[type]:
    direct: list[type] = kind.__subclasses__()
    return [sub for child in direct for sub in (child, *_subclasses(child))]
