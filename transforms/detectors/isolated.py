"""A detector in a process of its own, for chunks at which two processes have died.

The batches are those of a detector in the same process, and so are the results. Only a batch at which the process dies
is halved until the request that kills it is alone; its pair becomes an error row with the reason `crash`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from transforms.detectors.base import Detector, Found, Request, probe_request
from transforms.detectors.load import load_detector
from transforms.detectors.settings import DetectorSettings
from transforms.isolation.bisect import UnhealthyDevice
from transforms.isolation.child_process import ChildDied, ChildProcess
from transforms.records import FailureStage, Fault, Reason


@runtime_checkable
class BatchedDetector(Protocol):
    """A detector whose batches can be run one by one."""

    def batches(self, requests: Sequence[Request]) -> Sequence[Sequence[Any]]:
        """The batches, each a list of items; an item's `request` is the number of its request."""

    def run_batch(self, requests: Sequence[Request], batch: Sequence[Any]) -> list[tuple[int, Any]]:
        """The results of a batch, or of a piece of one, each with the number of its request."""

    def merge(self, requests: Sequence[Request], results: Sequence[tuple[int, Any]]) -> list[Found]:
        """One answer a request."""


@dataclass(frozen=True)
class _Item:
    request: int


@dataclass
class SingleBatch:
    """Any other detector: all requests are one batch."""

    detector: Detector

    def batches(self, requests: Sequence[Request]) -> list[list[_Item]]:
        """One batch of all requests."""
        return [[_Item(number) for number in range(len(requests))]]

    def run_batch(self, requests: Sequence[Request], batch: Sequence[_Item]) -> list[tuple[int, Any]]:
        """The detector's answers."""
        numbers = [item.request for item in batch]
        return list(zip(numbers, self.detector.detect([requests[number] for number in numbers]), strict=True))

    def merge(self, requests: Sequence[Request], results: Sequence[tuple[int, Any]]) -> list[Any]:
        """The answers in the order of the requests."""
        by_request = dict(results)
        answers = [by_request[number] for number in range(len(requests))]
        return [Found(error=answer) if isinstance(answer, Fault) else answer for answer in answers]


@dataclass
class IsolatedDetector:
    """A `Detector` in a process of its own, which ends with this one."""

    settings: DetectorSettings
    search_path: tuple[str, ...]
    made: dict[str, Any] = field(default_factory=dict)
    _child: ChildProcess = field(default_factory=ChildProcess)
    _requests: Sequence[Request] | None = None

    def detect(self, requests: Sequence[Request]) -> list[Any]:
        """The detector's own answers; an error for a request at which the process dies.

        Raises:
          UnhealthyDevice: the process dies at a grey picture, too. Whatever the detector raises.
        """
        batches = self._call(requests, _child_batches)
        results = [result for batch in batches for result in self._run_bisecting(requests, batch)]
        return list(self._call(requests, _child_merge, results))

    def _run_bisecting(self, requests: Sequence[Request], batch: Sequence[Any]) -> list[tuple[int, Any]]:
        try:
            return list(self._call(requests, _child_run_batch, batch))
        except ChildDied as error:
            if len(batch) > 1:
                half = len(batch) // 2
                return self._run_bisecting(requests, batch[:half]) + self._run_bisecting(requests, batch[half:])
            self._check_child_works(error)
            return [
                (
                    batch[0].request,
                    Fault.from_error(FailureStage.BOXES, Reason.CRASH, f"the detector's process was {error}"),
                )
            ]

    def _check_child_works(self, error: ChildDied) -> None:
        try:
            self._call([probe_request()], _child_probe)
        except ChildDied:
            raise UnhealthyDevice(
                f"{FailureStage.BOXES}: the detector's process dies on every input: {error}"
            ) from error

    def _call(self, requests: Sequence[Request], function: Any, *arguments: Any) -> Any:
        if self._requests is not requests or not self._child.alive:
            self.made = self._child.call(_child_load, self.settings, self.search_path, list(requests))
            self._requests = requests
        return self._child.call(function, *arguments)


_detector: BatchedDetector | None = None
_requests: list[Request] = []


def _child_load(settings: DetectorSettings, search_path: Sequence[str], requests: list[Request]) -> dict[str, Any]:
    """In the child: loads the detector, once, and keeps the requests."""
    global _detector, _requests
    if _detector is None:
        loaded = load_detector(settings, search_path)
        _detector = loaded if isinstance(loaded, BatchedDetector) else SingleBatch(loaded)  # type: ignore[assignment]
    _requests = requests
    return dict(getattr(_detector, "made", {}))


def _child_batches() -> Any:
    assert _detector
    return _detector.batches(_requests)


def _child_run_batch(batch: Sequence[Any]) -> Any:
    assert _detector
    return _detector.run_batch(_requests, batch)


def _child_merge(results: Sequence[tuple[int, Any]]) -> Any:
    assert _detector
    return _detector.merge(_requests, results)


def _child_probe() -> None:
    assert _detector
    for batch in _detector.batches(_requests):
        _detector.run_batch(_requests, batch)
