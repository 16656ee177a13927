"""Bisection: finds the items that make a batch fail.

A pair becomes an error row only if it fails alone while the model still works on a probe input on the same device.
Otherwise the device or the model is faulty: an exception is raised, and the chunk commits nothing.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from transforms.culprits import describe, place_of
from transforms.images import ImageFault
from transforms.isolation.child_process import ChildDied
from transforms.records import FailureStage, Fault, Reason

Item = TypeVar("Item")


class UnhealthyDevice(Exception):
    """The model fails on the probe as well, so no pair is at fault."""


class NotFiniteError(ArithmeticError):
    """The model's output is not finite, or is outside the range of valid outputs."""


def run_with_bisection(
    items: Sequence[Item],
    run: Callable[[Sequence[Item]], Sequence[Any]],
    probe: Callable[[], object],
    stage: str = FailureStage.BOXES,
    failure: type[Exception] = Exception,
    in_place_of: Callable[[Item, Fault], Any] = lambda _, fault: fault,
) -> list[Any]:
    """Returns `run(items)`, with a `Fault` in place of the answer for each item that makes it raise.

    A batch that raises is halved until each failing item is alone. For CUDA out of memory, halving is also the remedy.

    Args:
      run: returns one answer per item of a batch; may raise.
      probe: runs the model on an input that is known to work. It is called once after all batches, if an item failed.
      stage: the stage of the faults. failure: the exceptions that are bisected; all others are raised.
      in_place_of: returns the answer for an item that fails; default: the fault.

    Raises:
      UnhealthyDevice: the probe fails as well.
    """
    answers = _bisect(items, run, failure)
    failed = next((answer for answer in answers if isinstance(answer, _Failure)), None)
    if failed:
        try:
            probe()
        except UnhealthyDevice:
            raise
        except Exception as error:
            if error is not failed.error:
                error.__context__ = error.__context__ or failed.error
            what = str(error) if isinstance(error, ChildDied) else describe(error)
            fails = "model's process crashes" if isinstance(error, ChildDied) else "model fails"
            raise UnhealthyDevice(f"{stage}: the {fails} on every input: {what}") from error
    return [
        in_place_of(answer.item, answer.fault(stage)) if isinstance(answer, _Failure) else answer for answer in answers
    ]


@dataclass(frozen=True)
class _Failure:
    """An item that fails alone. The error has no traceback, because a traceback would keep the tensors of the failed
    forward pass in memory. place: of the user's code in it, without the folder; "" if there is none."""

    item: Any
    error: Exception
    place: str

    def fault(self, stage: str) -> Fault:
        if isinstance(self.error, ImageFault):
            return self.error.as_fault()
        if isinstance(self.error, NotFiniteError):
            return Fault(stage, Reason.NOT_FINITE, str(self.error))
        if isinstance(self.error, ChildDied):
            return Fault.from_error(stage, Reason.CRASH, f"the model's process was {self.error}")
        out_of_memory = type(self.error).__name__ == "OutOfMemoryError"
        reason = Reason.OUT_OF_MEMORY if out_of_memory else Reason.EXCEPTION
        return Fault.from_error(stage, reason, self.error, self.place)


def _bisect(items: Sequence[Any], run: Callable[[Sequence[Any]], Sequence[Any]], failure: type[Exception]) -> list[Any]:
    if not items:
        return []
    try:
        return list(run(items))
    except UnhealthyDevice:
        raise
    except failure as error:
        if len(items) == 1:
            found = place_of(error)
            place = f"{os.path.basename(found.file)}:{found.line}" if found and found.users else ""
            return [_Failure(items[0], error.with_traceback(None), place)]
    half = len(items) // 2
    return _bisect(items[:half], run, failure) + _bisect(items[half:], run, failure)
