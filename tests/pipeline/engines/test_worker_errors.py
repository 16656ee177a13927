import traceback

import pytest

from pipeline.engines.worker_errors import explain
from pipeline.faults import EnvironmentFault, RunFault, WorkerDied


def text_of(error: Exception) -> RuntimeError:
    """Returns the error as Beam's runner raises it: a worker's traceback as text."""
    try:
        raise error
    except type(error) as raised:
        lines = "".join(traceback.format_exception(raised))
        return RuntimeError(f"{lines} [while running 'ParDo(_ReadChunksDoFn)-ptransform-12']\n")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no good"), "ValueError: no good"),
        (EnvironmentFault("/data: gone"), "/data: gone"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
        (RuntimeError("CUDA error: device-side assert"), "RuntimeError: CUDA error: device-side assert"),
    ],
)
def test_the_reason_is_taken_out_of_a_workers_traceback(error: Exception, reason: str) -> None:
    assert str(explain(text_of(error))) == reason


def test_every_fault_of_ours_says_what_it_said_in_the_worker() -> None:
    def faults(kind: type[RunFault]) -> list[type[RunFault]]:
        return [kind, *(one for sub in kind.__subclasses__() for one in faults(sub))]

    raised = "Traceback (most recent call last):\nPermissionError: no\n\npipeline.faults"
    for kind in set(faults(EnvironmentFault)) - {WorkerDied}:  # which only the driver raises
        text = f"{raised}.{kind.__name__}: s3://b: no"
        assert str(explain(RuntimeError(text))) == "s3://b: no", kind


def test_an_error_without_a_traceback_is_taken_as_it_is() -> None:
    assert str(explain(RuntimeError("Channel closed prematurely.\nmore"))) == "Channel closed prematurely."
    assert str(explain(RuntimeError(""))) == "RuntimeError"
    assert str(explain(MemoryError())) == "MemoryError"
