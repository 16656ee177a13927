"""The plan: which sources, cut into which ranges. Written once, before anything starts, as `detections/plan.json`."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline import files
from pipeline.configuration import Configuration, SourceSettings
from pipeline.faults import CallError, OtherRun, SourceFault
from pipeline.files import FileInfo
from pipeline.sources import RangeSpec, Source, is_source, kind_of, open_source
from pipeline.threshold import Threshold

FORMAT = 1
NAME = "plan.json"

ROWS_PER_CHUNK_PAIR = 4
"""A range of a table holds 4 x `chunk.pairs` rows: small enough to share one file between workers."""

_THREADS = 16


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
class RangeId:
    """A range, by its position in the plan."""

    source: int
    range: int


@dataclass(frozen=True)
class Plan:
    """What `plan.json` holds. A source's id is its position in `sources`."""

    fingerprint: str
    configuration: Configuration
    models: dict[str, str]
    limit: int | None
    sources: tuple[PlannedSource, ...]
    threshold: Threshold
    format: int = FORMAT

    def ids(self) -> Iterator[RangeId]:
        """All ranges, in input order."""
        for source, planned in enumerate(self.sources):
            for number in range(len(planned.ranges)):
                yield RangeId(source, number)

    def range(self, identity: RangeId) -> tuple[PlannedSource, RangeSpec]:
        """A range and the source that it belongs to."""
        source = self.sources[identity.source]
        return source, source.ranges[identity.range]

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "format": self.format,
            "fingerprint": self.fingerprint,
            "configuration": self.configuration.model_dump(mode="json"),
            "models": self.models,
            "limit": self.limit,
            "threshold": asdict(self.threshold),
            "sources": [asdict(source) for source in self.sources],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Plan":
        """As it was written; raises CallError for another format version."""
        if value.get("format") != FORMAT:
            raise CallError(
                f"{NAME}: format {value.get('format')} cannot be read by this version, which reads {FORMAT}"
            )
        sources = tuple(
            PlannedSource(**{**s, "ranges": tuple(RangeSpec(**r) for r in s["ranges"])}) for s in value["sources"]
        )
        configuration = Configuration.read_back(value["configuration"])
        threshold = Threshold(**value["threshold"])
        return cls(value["fingerprint"], configuration, value["models"], value["limit"], sources, threshold)


def find_sources(inputs: Sequence[str], option: str = "--input") -> list[FileInfo]:
    """The files that URIs, globs and local folders name, each once, sorted by URI. option: what named them.

    Raises:
      CallError: one of them names no file, or a glob or folder holds what cannot be looked at.
    """
    found: dict[str, FileInfo] = {}
    for given in inputs:
        _check_passed_over(given, option)
        try:
            matched = files.match(given) or _sources_in(files.canonical(given))
        except CallError as error:
            raise CallError(f"{option}: {error}") from error
        for info in matched:
            if not info.uri.isprintable():
                raise CallError(f"{option}: {info.uri!r}: a name that is not UTF-8, or not printable")
        if not matched:
            raise CallError(f"{option}: {given}: {_nothing(given)}")
        found |= {info.uri: info for info in matched}
    return [found[uri] for uri in sorted(found)]


def _sources_in(folder: str) -> list[FileInfo]:
    """What a folder holds, apart from what img2dataset leaves beside a tar: a parquet and a stats file of its name."""
    found = [info for info in files.list_folder(folder) if is_source(info.uri) and files.name(info.uri)[0] != "."]
    tars = {info.uri.removesuffix(".tar") for info in found if info.uri.endswith(".tar")}
    beside = {f"{stem}{ending}" for stem in tars for ending in (".parquet", "_stats.json")}
    return [info for info in found if info.uri not in beside]


def _check_passed_over(given: str, option: str) -> None:
    """Nothing that was meant may stay out without a word."""
    path = files.canonical(given)
    if not files.is_local(path) or os.path.isfile(path):
        return
    folder = os.path.isdir(path)
    for place, why in files.passed_over(files.join(glob.escape(path), "*") if folder else path):
        if not folder or os.path.isdir(place) or is_source(place):
            raise CallError(f"{option}: {place}: {why}")


def _nothing(given: str) -> str:
    if os.path.isdir(given):
        return "holds no file that a name tells to be a source"
    return "matches no file" if glob.has_magic(given) else "no such file"


def plan_sources(found: Iterable[FileInfo], configuration: Configuration) -> list[PlannedSource]:
    """Every source with its ranges.

    Raises:
      CallError: one lacks a column.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda info: _plan_source(info, configuration), found))


def check_readable(sources: Sequence[PlannedSource]) -> None:
    """Raises CallError if none of the sources can be read."""
    if sources and all(source.fault for source in sources):
        raise CallError(f"--input: {sources[0].uri}: {sources[0].fault}")


def _plan_source(info: FileInfo, configuration: Configuration) -> PlannedSource:
    kind = kind_of(info.uri, configuration.source)
    source = PlannedSource(info.uri, kind, info.size, info.stamp)
    try:
        ranges = source.open(configuration.source).ranges(ROWS_PER_CHUNK_PAIR * configuration.chunk.pairs)
    except SourceFault as fault:
        return replace(source, fault=str(fault).splitlines()[0])
    return replace(source, ranges=tuple(ranges))


def compare(plan: Plan, found: Sequence[FileInfo]) -> tuple[list[FileInfo], dict[int, FileInfo]]:
    """The files that the plan does not know yet; and by its number each source that has changed, as it is now.

    Raises:
      OtherRun: a planned source is missing from the input.
    """
    by_uri = {info.uri: info for info in found}
    changed = {}
    for number, source in enumerate(plan.sources):
        now = by_uri.pop(source.uri, None)
        if now is None:
            why = "is not among the inputs" if files.exists(source.uri) else "is missing"
            raise OtherRun(f"--input: {source.uri} {why}, and is part of this run's plan")
        if now != source.info:
            changed[number] = now
    return list(by_uri.values()), changed


def read_plan(detections: str) -> Plan | None:
    """The plan of a detections folder; None if there is none."""
    uri = files.join(detections, NAME)
    return Plan.from_json(files.read_json(uri)) if files.exists(uri) else None
