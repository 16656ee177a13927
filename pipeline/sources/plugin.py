"""A source from another package: its errors name its kind, and what it returns is checked."""

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from copy import deepcopy
from numbers import Integral
from typing import Any

from pipeline.faults import CallError, EnvironmentFault, RunFault, SourceFault
from pipeline.sources.base import Position, RangeSpec, Source
from transforms.culprits import WrongAnswer, calling
from transforms.records import FailureStage, Fault, ImageRef, Pair, Reason
from transforms.wording import article, type_of

METHODS = ("ranges", "starts", "read", "fetch", "needs")

BYTES = (bytes, bytearray, memoryview)

_TYPES: dict[str, Any] = {
    "key": str,
    "source": str,
    "index": Integral,
    "caption": str,
    "image": ImageRef,
    "data": BYTES,
    "url": str,
    "id": str,
    "meta": str,
}
"""The fields of a pair that a source sets."""


class PluginSource:
    """Calls a source. Methods that are called before the run raise CallError, the others EnvironmentFault."""

    def __init__(self, source: Source, name: str) -> None:
        self._source = source
        self._name = name

    def ranges(self, rows: int) -> list[RangeSpec]:
        """See `Source`."""
        with self._calling("ranges", CallError):
            found = self._source.ranges(rows)
            if not isinstance(found, list | tuple):
                raise WrongAnswer(f"it returned {type_of(found)}, not a list of RangeSpec")
            for spec in found:
                if not isinstance(spec, RangeSpec):
                    raise WrongAnswer(f"it returned {type_of(spec)} in its list, not a RangeSpec")
                _check_position(spec.start)
            return list(found)

    def starts(self, start: Position) -> Iterator[Position]:
        """See `Source`."""
        with self._calling("starts", CallError):
            for position in _iterate(self._source.starts(deepcopy(start)), "positions"):
                _check_position(position)
                yield position

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """See `Source`."""
        with self._calling("read", EnvironmentFault):
            # Sources of a plan share equal positions: one that changes its own must not change those of others.
            for placed in _iterate(self._source.read(deepcopy(start)), "positions and pairs"):
                if not (isinstance(placed, tuple) and len(placed) == 2 and isinstance(placed[1], Pair)):
                    raise WrongAnswer(f"it yielded {type_of(placed)}, not a tuple of a position and a Pair")
                _check_position(placed[0])
                _check_pair(placed[1])
                yield placed

    def fetch(self, references: Iterable[ImageRef]) -> Iterator[bytes | Fault]:
        """See `Source`."""
        with self._calling("fetch", EnvironmentFault):
            for data in _iterate(self._source.fetch(references), "images"):
                if not isinstance(data, (*BYTES, Fault)):
                    raise WrongAnswer(f"it yielded {type_of(data)}, not bytes or a Fault")
                yield data  # type: ignore[misc]  # the contract says bytes; other buffers have always worked

    def needs(self) -> list[str]:
        """See `Source`."""
        with self._calling("needs", CallError):
            uris = self._source.needs()
            if not isinstance(uris, list | tuple) or not all(isinstance(uri, str) for uri in uris):
                raise WrongAnswer(f"it returned {uris!r}, not a list of URIs")
            return list(uris)

    def _calling(self, method: str, raises: type[RunFault]) -> AbstractContextManager[None]:
        return calling(f"{self._name}: {method}", raises, (RunFault, SourceFault))


def _iterate(values: Any, wanted: str) -> Iterable[Any]:
    if not isinstance(values, Iterable):
        raise WrongAnswer(f"it returned {type_of(values)}; it must yield {wanted}")
    return values


def _check_position(position: Any) -> None:
    if not isinstance(position, dict) or not isinstance(position.get("index"), int):
        raise WrongAnswer(f"the position {position!r} is not a dict with the number of the pair as `index`")
    try:
        json.dumps(position)
    except (TypeError, ValueError) as error:
        raise WrongAnswer(f"the position {position!r} is not JSON: {error}") from None


def _check_pair(pair: Pair) -> None:
    for name, kind in _TYPES.items():
        if not isinstance(value := getattr(pair, name), kind):
            wanted = "bytes" if kind is BYTES else article(kind.__name__)
            raise WrongAnswer(f"the pair {pair.key!r} has {type_of(value)} as {name}, not {wanted}")
    error = pair.error
    if error is None:
        return
    if not isinstance(error, Fault):
        raise WrongAnswer(f"the pair {pair.key!r} has {type_of(error)} as error, not a Fault")
    for value, known in ((error.stage, FailureStage), (error.reason, Reason)):
        if value not in [*known]:
            raise WrongAnswer(f"the pair {pair.key!r} failed with {value!r}; use one of {', '.join(known)}")
