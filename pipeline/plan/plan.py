"""The plan: sources and their ranges. Written once to `detections/plan.json`, before any pair is read."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from pipeline import files, layout
from pipeline.configuration import Configuration, SourceSettings
from pipeline.faults import CallError
from pipeline.files import FileInfo
from pipeline.files.typed import find_typed, publish_typed
from pipeline.ids import RangeId
from pipeline.sources import RangeSpec, Source, open_source
from pipeline.threshold import Threshold
from transforms import bundled

FORMAT = 1


def _read_back(value: object) -> object:
    return Configuration.read_back(value) if isinstance(value, dict) else value


def _check_format(value: object) -> object:
    if value != FORMAT:
        text = f"{layout.PLAN}: format {value} is of another release; this one reads format {FORMAT}"
        raise CallError(f"{text}; {Plan.REMEDY}")
    return value


@lru_cache(maxsize=1024)
def _first_with(text: str) -> list[tuple[RangeSpec, ...]]:
    return []


def share_ranges(ranges: tuple[RangeSpec, ...]) -> tuple[RangeSpec, ...]:
    """Equal ranges, which were returned before if they were: a hundred thousand tars have one range each, which starts
    at 0."""
    if len(ranges) != 1:
        return ranges
    first = _first_with(repr(ranges))
    first[:] = first or [ranges]
    return first[0]


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """A source with its ranges. fault: why it cannot be read at all and has no ranges, or, with a limit that all of its
    pairs are part of, why it cannot be read behind them."""

    uri: str
    kind: Annotated[str, AfterValidator(sys.intern)]
    size: int
    stamp: float
    ranges: Annotated[tuple[RangeSpec, ...], AfterValidator(share_ranges)] = ()
    fault: str = ""

    @property
    def info(self) -> FileInfo:
        """The file at the time of the plan."""
        return FileInfo(self.uri, self.size, self.stamp)

    def open(self, settings: SourceSettings) -> Source:
        """Opens this source."""
        return open_source(self.kind, self.info, settings)


@dataclass(frozen=True)
class Plan:
    """The content of `plan.json`. A source's id is its position in `sources`."""

    REMEDY: ClassVar[str] = "run gritmill ground --fresh to move it aside and start over"

    fingerprint: str
    configuration: Annotated[Configuration, BeforeValidator(_read_back)]
    model_identities: Annotated[dict[str, str], Field(alias="models")]
    limit: int | None
    sources: tuple[PlannedSource, ...]
    threshold: Threshold
    format: Annotated[int, BeforeValidator(_check_format)] = FORMAT

    def range_ids(self) -> Iterator[RangeId]:
        """The ids of all ranges, in input order."""
        return (RangeId(source, n) for source, planned in enumerate(self.sources) for n in range(len(planned.ranges)))

    def unfinished(self, finished: Iterable[frozenset[RangeId]]) -> list[RangeId]:
        """The ranges that are not finished in every table, in input order. finished: the ranges that are, by table."""
        done = frozenset.intersection(*finished)
        return [range_id for range_id in self.range_ids() if range_id not in done]

    def range(self, range_id: RangeId) -> tuple[PlannedSource, RangeSpec]:
        """A range and its source."""
        source = self.sources[range_id.source]
        return source, source.ranges[range_id.range]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What whoever sees the boxes must know."""
        settings, uris = self.configuration, (source.uri for source in self.sources)
        return bundled.detector_warnings(settings.detector.model, uris, bool(settings.source.columns.boxes))

    def open_source(self, uri: str) -> Source:
        """Opens a planned source."""
        return self._by_uri[uri].open(self.configuration.source)

    @cached_property
    def _by_uri(self) -> dict[str, PlannedSource]:
        return {source.uri: source for source in self.sources}


def read_plan(detections: str) -> Plan | None:
    """Reads the plan of a detections folder. None if there is none."""
    return find_typed(files.join(detections, layout.PLAN), Plan)


def need_plan(folder: str, remedy: str = "run gritmill ground first") -> Plan:
    """Reads the plan of a detections folder. Raises CallError if there is none."""
    plan = read_plan(folder)
    if plan is None:
        run = files.parent(folder) if files.name(folder) == layout.DETECTIONS else folder
        files.need_folder(run, f"--detections: {run}")
        raise CallError(f"--detections: {folder}: no {layout.PLAN}; {remedy}")
    return plan


def write_plan(detections: str, plan: Plan) -> None:
    """Publishes the plan of a detections folder."""
    publish_typed(files.join(detections, layout.PLAN), plan)
