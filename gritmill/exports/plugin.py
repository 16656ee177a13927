"""An export format from another package: its errors name it, and what it returns is checked."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from gritmill.exports.format import ExportCounts, ExportFolder, Format
from gritmill.reading import Sample
from pipeline.faults import EnvironmentFault, RunFault
from transforms.culprits import WrongAnswer, calling

METHODS = ("shard", "finish")
ATTRIBUTES = ("description",)


class PluginFormat(Format):
    """Calls a format. Its exceptions become an EnvironmentFault, which names the format."""

    def __init__(self, export_format: Any, name: str) -> None:
        self._format = export_format
        self._name = name

    @property
    def description(self) -> str:
        """See `Format`."""
        return self._text("description")

    @property
    def data_files(self) -> str:
        """See `Format`."""
        return self._text("data_files")

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        """See `Format`."""
        with self._calling(f"shard {number}"):
            return _checked(self._format.shard(number, samples, folder))

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> ExportCounts:
        """See `Format`."""
        with self._calling("finish"):
            return _checked(self._format.finish(shards, folder) or {})

    def truth_lines(self, counts: ExportCounts) -> list[str]:
        """See `MeasuresTruth`."""
        with self._calling("truth_lines"):
            lines = list(getattr(self._format, "truth_lines", lambda counts: ())(counts))
            if not all(isinstance(line, str) for line in lines):
                raise WrongAnswer(f"it returned {lines!r}, not texts")
            return lines

    def _text(self, attribute: str) -> str:
        with self._calling(attribute):
            text = getattr(self._format, attribute, "") or ""
            if not isinstance(text, str):
                raise WrongAnswer(f"it is {text!r}, not a text")
            return text

    def _calling(self, function: str) -> AbstractContextManager[None]:
        return calling(f"--to: {self._name}: {function}", EnvironmentFault, (RunFault,))


def _checked(counts: Any) -> ExportCounts:
    if not isinstance(counts, Mapping) or not all(isinstance(n, int) for n in counts.values()):
        raise WrongAnswer(f"it returned {counts!r}, not ExportCounts")
    return ExportCounts(counts)
