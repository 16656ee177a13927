"""Work on pairs in a process of its own, for chunks that have been the death of two others.

The batches are those of the usual way, so that the results are. Only a batch at which the process dies is halved until
the culprit stands alone; its pair becomes an error row with the reason `crash`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from transforms.detectors.base import Detector, Found, Request, probe
from transforms.detectors.decodable import Sound
from transforms.detectors.load import is_factory, load_detector
from transforms.isolation.bisect import SickDevice
from transforms.isolation.child_process import Child, Died
from transforms.records import FailureStage, Fault, Reason
from transforms.settings import DetectorSettings


@runtime_checkable
class InParts(Protocol):
    """A detector whose batches can be run one by one."""

    def parts(self, requests: Sequence[Request]) -> Sequence[Sequence[Any]]:
        """The batches, each a list of items; an item's `request` is the number of its request."""
        ...

    def run(self, requests: Sequence[Request], part: Sequence[Any]) -> list[tuple[int, Any]]:
        """The results of a batch, or of a piece of one, each with the number of its request."""
        ...

    def join(self, requests: Sequence[Request], results: Sequence[tuple[int, Any]]) -> list[Found]:
        """One answer a request."""
        ...


@dataclass(frozen=True)
class _Item:
    request: int


@dataclass
class Whole:
    """Any other detector: all requests are one batch."""

    detector: Detector

    def parts(self, requests: Sequence[Request]) -> list[list[_Item]]:
        """One part."""
        return [[_Item(number) for number in range(len(requests))]]

    def run(self, requests: Sequence[Request], part: Sequence[_Item]) -> list[tuple[int, Any]]:
        """The detector's answers."""
        numbers = [item.request for item in part]
        return list(zip(numbers, self.detector.detect([requests[number] for number in numbers]), strict=True))

    def join(self, requests: Sequence[Request], results: Sequence[tuple[int, Any]]) -> list[Any]:
        """The answers in the order of the requests."""
        found = dict(results)
        answers = [found[number] for number in range(len(requests))]
        return [Found(error=answer) if isinstance(answer, Fault) else answer for answer in answers]


@dataclass
class DetectorApart:
    """A `Detector` in a process of its own, which ends with this one."""

    settings: DetectorSettings
    search: tuple[str, ...]
    made: dict[str, Any] = field(default_factory=dict)
    _child: Child = field(default_factory=Child)
    _requests: Sequence[Request] | None = None

    def detect(self, requests: Sequence[Request]) -> list[Any]:
        """The detector's own answers; an error for a request at which the process dies.

        Raises:
          SickDevice: the process dies of a grey picture, too. Whatever the detector raises.
        """
        parts = self._call(requests, _parts)
        results = [result for part in parts for result in self._results(requests, part)]
        return list(self._call(requests, _join, results))

    def _results(self, requests: Sequence[Request], part: Sequence[Any]) -> list[tuple[int, Any]]:
        try:
            return list(self._call(requests, _run, part))
        except Died as death:
            if len(part) > 1:
                half = len(part) // 2
                return self._results(requests, part[:half]) + self._results(requests, part[half:])
            self._check_sound(death)
            return [
                (
                    part[0].request,
                    Fault.from_error(FailureStage.BOXES, Reason.CRASH, f"the detector's process was {death}"),
                )
            ]

    def _check_sound(self, death: Died) -> None:
        try:
            self._call([probe()], _probe)
        except Died:
            raise SickDevice(f"{FailureStage.BOXES}: the detector's process dies on every input: {death}") from death

    def _call(self, requests: Sequence[Request], function: Any, *arguments: Any) -> Any:
        if self._requests is not requests or not self._child.alive:
            self.made = self._child.call(_begin, self.settings, self.search, list(requests))
            self._requests = requests
        return self._child.call(function, *arguments)


_detector: InParts | None = None
_requests: list[Request] = []


def _begin(settings: DetectorSettings, search: Sequence[str], requests: list[Request]) -> dict[str, Any]:
    """In the child: loads the detector, once, and keeps the requests."""
    global _detector, _requests
    if _detector is None:
        loaded = load_detector(settings, search)
        family = isinstance(loaded, InParts) and not is_factory(settings.model)
        _detector = loaded if family else Whole(Sound(loaded))  # type: ignore[assignment]
    _requests = requests
    return dict(getattr(_detector, "made", {}))


def _parts() -> Any:
    assert _detector
    return _detector.parts(_requests)


def _run(part: Sequence[Any]) -> Any:
    assert _detector
    return _detector.run(_requests, part)


def _join(results: Sequence[tuple[int, Any]]) -> Any:
    assert _detector
    return _detector.join(_requests, results)


def _probe() -> None:
    assert _detector
    for part in _detector.parts(_requests):
        _detector.run(_requests, part)
