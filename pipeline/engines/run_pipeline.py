"""Builds a Beam pipeline, runs it on the engine that the user's options select, and watches it until it ends."""

import logging
import signal
import threading
from collections.abc import Callable

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, fn_runner
from apache_beam.runners.runner import PipelineResult

from pipeline.engines import adapted_beam, engine_errors, local_workers, worker_errors
from pipeline.engines.beam_options import is_in_processes, is_local
from pipeline.engines.claim import Claim
from pipeline.engines.remote import RemoteEngine
from pipeline.engines.watch import Watch
from pipeline.faults import CallError, EnvironmentFault, RunFault, WorkerDied
from transforms import garbage

Build = Callable[[beam.Pipeline], object]

_POLL_SECONDS = 0.2


def run(
    build: Build, beam_options: PipelineOptions, claim: Claim | None = None, engine: RemoteEngine | None = None
) -> None:
    """Builds the pipeline, runs it and waits until it ends.

    claim: of the call, for an engine on other machines: its job has a watch, and ends with the call. engine: the one on
    other machines, for messages.

    Raises:
      RunFault: a step raised it.
      EnvironmentFault: a worker failed. Faults of single rows are never raised, so the environment is the cause.
    """
    pipeline = _pipeline(beam_options)
    lasting: list[RunFault] = []
    tell = claim.tell if claim else _say_nothing
    try:
        restarts = engine_errors.no_vain_restarts(engine, tell)
        with adapted_beam.patched(), garbage.frozen(), restarts as lasting:
            build(pipeline)
            if is_in_processes(beam_options):
                local_workers.run_watched(lambda: _finish(pipeline))
            elif claim and claim.lease:
                _finish_watched(pipeline, claim)
            else:
                _finish(pipeline)
    except WorkerDied:
        raise
    except RunFault as fault:
        raise worker_errors.explain(fault) from fault
    except Exception as error:
        logging.getLogger(__name__).debug("the pipeline failed", exc_info=True)
        if worker_errors.is_interrupt(error):
            raise KeyboardInterrupt from error
        if lasting:
            raise lasting[0] from error
        explained = engine_errors.explain(error, engine) if engine else None
        raise explained or worker_errors.explain(error) from error


def _say_nothing(_: str) -> None:
    pass


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
    if not is_in_processes(beam_options):
        return beam.Pipeline(runner=FnApiRunner(), options=beam_options)
    # The environment passed below determines the mode, so the option must not set it again.
    given_options = beam_options.get_all_options(drop_default=True)
    beam_options = PipelineOptions.from_dictionary(
        {name: value for name, value in given_options.items() if name != "runner"}
    )
    beam_options.view_as(DirectOptions).direct_running_mode = "in_memory"
    logging.getLogger(fn_runner.__name__).setLevel(logging.ERROR)  # it warns about exactly this
    return beam.Pipeline(runner=FnApiRunner(local_workers.environment()), options=beam_options)
