"""The plan: which sources, cut into which ranges. Written once, before anything starts, as `detections/plan.json`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from pipeline import files
from pipeline.configuration import Configuration, SourceSettings
from pipeline.faults import CallError
from pipeline.files import FileInfo
from pipeline.ids import RangeId
from pipeline.sources import RangeSpec, Source, open_source
from pipeline.threshold import Threshold

FORMAT = 1
PLAN_NAME = "plan.json"


@dataclass(frozen=True)
class PlannedSource:
    """A source with its ranges; `fault` says why it has none, if it cannot be read at all."""

    uri: str
    kind: str
    size: int
    stamp: float
    ranges: tuple[RangeSpec, ...] = ()
    fault: str = ""

    @property
    def info(self) -> FileInfo:
        """The file as it was when the plan was made."""
        return FileInfo(self.uri, self.size, self.stamp)

    def open(self, settings: SourceSettings) -> Source:
        """The reader of this source."""
        return open_source(self.kind, self.info, settings)


@dataclass(frozen=True)
class Plan:
    """What `plan.json` holds. A source's id is its position in `sources`."""

    fingerprint: str
    configuration: Configuration
    model_identities: dict[str, str]
    limit: int | None
    sources: tuple[PlannedSource, ...]
    threshold: Threshold
    format: int = FORMAT

    def range_ids(self) -> Iterator[RangeId]:
        """All ranges, in input order."""
        for source, planned in enumerate(self.sources):
            for number in range(len(planned.ranges)):
                yield RangeId(source, number)

    def range(self, range_id: RangeId) -> tuple[PlannedSource, RangeSpec]:
        """A range and the source that it belongs to."""
        source = self.sources[range_id.source]
        return source, source.ranges[range_id.range]

    def open_source(self, uri: str) -> Source:
        """The reader of a planned source."""
        return self._by_uri[uri].open(self.configuration.source)

    @cached_property
    def _by_uri(self) -> dict[str, PlannedSource]:
        return {source.uri: source for source in self.sources}

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "format": self.format,
            "fingerprint": self.fingerprint,
            "configuration": self.configuration.model_dump(mode="json"),
            "models": self.model_identities,
            "limit": self.limit,
            "threshold": asdict(self.threshold),
            "sources": [asdict(source) for source in self.sources],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Plan":
        """As it was written; raises CallError for another format version."""
        if value.get("format") != FORMAT:
            raise CallError(
                f"{PLAN_NAME}: format {value.get('format')} cannot be read by this version, which reads {FORMAT}"
            )
        sources = tuple(
            PlannedSource(**{**s, "ranges": tuple(RangeSpec(**r) for r in s["ranges"])}) for s in value["sources"]
        )
        configuration = Configuration.read_back(value["configuration"])
        threshold = Threshold(**value["threshold"])
        return cls(value["fingerprint"], configuration, value["models"], value["limit"], sources, threshold)


def read_plan(detections: str) -> Plan | None:
    """The plan of a detections folder; None if there is none."""
    uri = files.join(detections, PLAN_NAME)
    return Plan.from_json(files.read_json(uri)) if files.exists(uri) else None
