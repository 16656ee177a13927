"""Bisection: find the items that make a batch fail.

A pair becomes an error row only if it fails alone while a known good input succeeds on the same device. A fault of the
device, or of every pair, is raised instead, and the chunk that met it commits nothing.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from transforms.records import FailureStage, Fault, Reason

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class UnhealthyDevice(Exception):
    """The model fails on the probe too: the fault is not that of a pair."""


def run_with_bisection(
    items: Sequence[Item],
    run: Callable[[Sequence[Item]], Sequence[Answer]],
    probe: Callable[[], object],
    stage: FailureStage = FailureStage.BOXES,
) -> list[Answer | Fault]:
    """`run(items)`, with a `Fault` in the place of each item that makes it raise.

    A batch that raises is halved until each failing item is alone; for CUDA out of memory that is the remedy itself.

    Args:
      run: answers a batch, one answer an item; may raise.
      probe: runs something known to be good; called after a failure, since a success before it proves nothing.
      stage: of the faults.

    Raises:
      UnhealthyDevice: the probe fails as well.
    """
    answers = _bisect(items, run)
    failures = [answer for answer in answers if isinstance(answer, _Failure)]
    if failures:
        try:
            probe()
        except Exception as error:
            raise UnhealthyDevice(f"{stage}: the model fails on every input: {_first_line(error)}") from failures[
                0
            ].error
    return [answer.fault(stage) if isinstance(answer, _Failure) else answer for answer in answers]


class NotFiniteError(ArithmeticError):
    """The model's output is not finite, or no number that it can give."""


class _Failure:
    def __init__(self, error: Exception) -> None:
        # Its traceback would keep the tensors of the failed forward alive, and with them the memory that it lacked.
        self.error = error.with_traceback(None)

    def fault(self, stage: FailureStage) -> Fault:
        if isinstance(self.error, NotFiniteError):
            return Fault(stage, Reason.NOT_FINITE, str(self.error))
        out_of_memory = type(self.error).__name__ == "OutOfMemoryError"
        return Fault.from_error(stage, Reason.OUT_OF_MEMORY if out_of_memory else Reason.EXCEPTION, self.error)


def _bisect(items: Sequence[Item], run: Callable[[Sequence[Item]], Sequence[Answer]]) -> list[Answer | _Failure]:
    if not items:
        return []
    try:
        return list(run(items))
    except UnhealthyDevice:
        raise
    except Exception as error:
        if len(items) == 1:
            return [_Failure(error)]
    half = len(items) // 2
    return _bisect(items[:half], run) + _bisect(items[half:], run)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
