"""Bisection: find the items that make a batch fail.

A pair becomes an error row only if it fails alone while a known good input succeeds on the same device. A fault of the
device, or of every pair, is raised instead, and the chunk that met it commits nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from transforms.images import ImageFault
from transforms.isolation.child_process import ChildDied
from transforms.records import FailureStage, Fault, Reason

Item = TypeVar("Item")


class UnhealthyDevice(Exception):
    """The model fails on the probe too: the fault is not that of a pair."""


class NotFiniteError(ArithmeticError):
    """The model's output is not finite, or no number that it can give."""


def run_with_bisection(
    items: Sequence[Item],
    run: Callable[[Sequence[Item]], Sequence[Any]],
    probe: Callable[[], object],
    stage: str = FailureStage.BOXES,
    failure: type[Exception] = Exception,
    in_place_of: Callable[[Item, Fault], Any] = lambda _, fault: fault,
) -> list[Any]:
    """`run(items)`, with a `Fault` in the place of each item that makes it raise.

    A batch that raises is halved until each failing item is alone; for CUDA out of memory that is the remedy itself.

    Args:
      run: answers a batch, one answer an item; may raise.
      probe: runs something known to be good; called after a failure, since a success before it proves nothing.
      stage: of the faults. failure: what is bisected; everything else is raised.
      in_place_of: what stands in the place of an item that fails; default: the fault.

    Raises:
      UnhealthyDevice: the probe fails as well.
    """
    answers = _bisect(items, run, failure)
    failed = next((answer for answer in answers if isinstance(answer, _Failure)), None)
    if failed:
        try:
            probe()
        except Exception as error:
            what = (
                str(error)
                if isinstance(error, ChildDied)
                else f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
            )
            fails = "model's process dies" if isinstance(error, ChildDied) else "model fails"
            raise UnhealthyDevice(f"{stage}: the {fails} on every input: {what}") from failed.error
    return [
        in_place_of(answer.item, answer.fault(stage)) if isinstance(answer, _Failure) else answer for answer in answers
    ]


@dataclass(frozen=True)
class _Failure:
    """An item that fails alone. Its traceback is gone: that would keep the tensors of the failed forward alive, and
    with them the memory that it lacked."""

    item: Any
    error: Exception

    def fault(self, stage: str) -> Fault:
        if isinstance(self.error, ImageFault):
            return self.error.as_fault()
        if isinstance(self.error, NotFiniteError):
            return Fault(stage, Reason.NOT_FINITE, str(self.error))
        if isinstance(self.error, ChildDied):
            return Fault.from_error(stage, Reason.CRASH, f"the model's process was {self.error}")
        out_of_memory = type(self.error).__name__ == "OutOfMemoryError"
        return Fault.from_error(stage, Reason.OUT_OF_MEMORY if out_of_memory else Reason.EXCEPTION, self.error)


def _bisect(items: Sequence[Any], run: Callable[[Sequence[Any]], Sequence[Any]], failure: type[Exception]) -> list[Any]:
    if not items:
        return []
    try:
        return list(run(items))
    except UnhealthyDevice:
        raise
    except failure as error:
        if len(items) == 1:
            return [_Failure(items[0], error.with_traceback(None))]
    half = len(items) // 2
    return _bisect(items[:half], run, failure) + _bisect(items[half:], run, failure)
