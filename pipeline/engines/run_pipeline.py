"""Runs a Beam pipeline on the engine that the user's options select, and converts its failures into `RunFault`s."""

import argparse
import gc
import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NoReturn

import apache_beam as beam
from apache_beam import pipeline as beam_pipeline
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, fn_runner
from apache_beam.runners.runner import PipelineResult, create_runner
from apache_beam.utils import interactive_utils, subprocess_server

from pipeline.engines import engine_errors, job_server, local_workers, remote
from pipeline.engines.claim import Claim
from pipeline.engines.given_options import GivenOptions
from pipeline.engines.watch import Watch
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


@dataclass(frozen=True)
class EngineFacts:
    """An engine on other machines. engine: Beam's name of the runner. job: the name of its jobs.
    rest: the address of Flink's REST interface; "" if it is not known, or not Flink."""

    engine: str
    job: str
    rest: str


def engine_facts(arguments: Sequence[str], run_id: str) -> EngineFacts | None:
    """The engine that Beam options select. None for the local one. Raises as `parse_beam_options`."""
    beam_options = parse_beam_options(arguments)
    if is_local(beam_options):
        return None
    given = GivenOptions(beam_options, arguments)
    return EngineFacts(given.runner_name, given.job_name(run_id), given.rest_address)


def _names_local(runner: str | None) -> bool:
    """DirectRunner means Beam's in-process engine here. Under this name, Beam 2.77 tries to download another engine."""
    return (runner or "direct").rpartition(".")[2].lower().removesuffix("runner") in ("direct", "fnapi")


def connect(arguments: Sequence[str], run_id: str, slots: bool = True) -> remote.RemoteEngine | None:
    """The remote engine that Beam's options name, with the completed options; None for the local engine. slots: whether
    it must have free slots.

    Raises:
      CallError: an option is wrong, or the engine is not there or does not fit.
    """
    return None if is_local(parse_beam_options(arguments)) else remote.connect(arguments, run_id, slots)


def local_worker_count(beam_options: PipelineOptions) -> int:
    """The number of local workers. 1 for an engine on other machines."""
    if not is_local(beam_options):
        return 1
    direct = beam_options.view_as(DirectOptions)
    if direct.direct_running_mode == "in_memory":
        return 1
    return int(direct.direct_num_workers) or os.cpu_count() or 1


def run(build: Build, beam_options: PipelineOptions, claim: Claim | None = None) -> None:
    """Builds the pipeline, runs it and waits until it ends.

    claim: of the call, for an engine on other machines: its job has a watch, and ends with the call.

    Raises:
      RunFault: a step raised it.
      EnvironmentFault: a worker failed. Faults of single rows are never raised, so the environment is the cause.
    """
    target = None if is_local(beam_options) else engine_errors.target_of(beam_options)
    pipeline = _pipeline(beam_options)
    lasting: list[RunFault] = []
    try:
        with _adapted_beam(), _gc_frozen(), engine_errors.no_vain_restarts(target) as lasting:
            build(pipeline)
            if _in_processes(beam_options):
                local_workers.run_watched(lambda: _finish(pipeline))
            elif claim and claim.lease:
                _finish_watched(pipeline, claim)
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
        if lasting:
            raise lasting[0] from error
        explained = engine_errors.explain(error, target) if target else None
        raise explained or _fault(error) from error


class _JobServer(subprocess_server.SubprocessServer):  # type: ignore[misc]
    """Takes the place of Beam's class, so that the process ends with the driver."""

    def __init__(self, stub_class: type, cmd: Sequence[object], *args: object, **kwargs: object) -> None:
        super().__init__(stub_class, job_server.below_driver(cmd), *args, **kwargs)


_patching = threading.Lock()
_active_patches: list[bool] = []


@contextmanager
def _adapted_beam() -> Iterator[None]:
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


def _finish_watched(pipeline: beam.Pipeline, claim: Claim) -> None:
    """Runs the pipeline on an engine. If the call ends early, for whatever reason, the lease and the job end with it.

    A thread waits for the engine, because no engine ends its wait reliably when a job is cancelled.
    """
    assert claim.lease
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    result: PipelineResult | None = None
    raised: list[BaseException] = []

    def wait(result: PipelineResult) -> None:
        try:
            result.wait_until_finish()
        except BaseException as error:
            raised.append(error)

    watch = Watch(claim.lease, claim.settings, claim.tell)
    try:
        result = pipeline.run()
        # Beam's own handler stops a job server that Beam has started, before the job can be cancelled.
        if in_main and handler is not None:
            signal.signal(signal.SIGINT, handler)
        thread = threading.Thread(target=wait, args=(result,), daemon=True, name="pipeline")
        thread.start()
        while thread.is_alive() and not watch.verdict:
            thread.join(_POLL_SECONDS)
        if watch.verdict:
            raise EnvironmentFault(watch.verdict)
        if raised:
            raise raised[0]
    except BaseException as error:
        claim.cancel(result)
        fault = watch.lasting_fault()  # a job may end before the watch sees it
        if fault and isinstance(error, Exception):
            raise EnvironmentFault(fault) from error
        raise
    finally:
        watch.close()


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


_POLL_SECONDS = 0.2
_OURS = "pipeline.faults."
_RAISED = re.compile(
    r"(?:^(?:[\w.]+\.)?|\bpipeline\.faults\.)(\w*(?:Error|Exception|Fault|Device|Interrupt|Exit))(?:: (.*))?$", re.M
)
_INTERRUPT = re.compile(r"^KeyboardInterrupt", re.M)  # in one process, Beam wraps it like any failure of a step
_SELF_EXPLANATORY = ("EnvironmentFault", "PermissionFault", "BucketFault", "UnhealthyDevice", "PluginError")
_ERRNO = re.compile(r"\[Errno \d+\] (?P<why>[^:]+)(: '(?P<file>.*)')?")
_STEP = re.compile(r" \[while running '.*$")


def _fault(error: Exception) -> RunFault:
    """Converts a worker's traceback into one line: the last exception in it that has a message."""
    raised = [match for match in _RAISED.finditer(str(error)) if match[2]]
    if not raised:
        return EnvironmentFault(_STEP.sub("", first_line(error)) or type(error).__name__)
    name, text = raised[-1].groups()
    if _OURS in text:  # an engine has put a worker's fault into an exception of its own
        name, _, text = text.rpartition(_OURS)[2].partition(": ")
    text = _STEP.sub("", text)
    if name == "CallError":
        return CallError(text)
    if denied := _ERRNO.fullmatch(text):  # the same text as for an OSError without Beam
        return EnvironmentFault(": ".join(filter(None, (denied["file"], denied["why"]))))
    self_explanatory = name in _SELF_EXPLANATORY or text.startswith("detector.model:")
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
