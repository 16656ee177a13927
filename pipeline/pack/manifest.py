"""manifest.json: what a reader may trust, and the ledger. Written last of all."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from typing import Any, ClassVar

from pydantic import ValidationError

from pipeline import files, layout
from pipeline.configuration import PACK_SECTIONS, Configuration
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files.typed import OpenModel, first_fault, publish_typed, read_typed
from pipeline.pack.ledger import Examples, Ledger, RangeCount
from pipeline.pack.shard_stats import ShardStats, remove_shards
from pipeline.plan.plan import Plan
from pipeline.threshold import Threshold
from transforms.selection.judge import Policy

FORMAT = 1

_PACKAGES = ("gritmill", "apache-beam", "spacy", "transformers", "torch", "pillow", "pyarrow")


class ShardEntry(OpenModel):
    """A shard's files, by their names below the run's folder; bytes, sha256: of the tar."""

    tar: str
    index: str
    samples: int
    boxes: int
    bytes: int
    sha256: str
    index_sha256: str


class RecordedFault(OpenModel):
    """What of a source could not be read; nobody knows how many pairs it held."""

    source: str
    fault: str


class Fingerprints(OpenModel):
    """Of the two halves."""

    ground: str
    pack: str


class Manifest(OpenModel):
    """What `manifest.json` holds.

    configuration: as written, possibly by another release. limit: of `--limit`. models: identities by section.
    """

    REMEDY: ClassVar[str] = "remove it and pack again"

    format: int
    ledger: Ledger
    shards: tuple[ShardEntry, ...]
    failed_examples: Examples
    rejected_examples: Examples
    source_faults: tuple[RecordedFault, ...]
    partial: bool
    limit: int | None
    threshold: Threshold
    models: dict[str, str]
    fingerprints: Fingerprints
    configuration: dict[str, Any]
    versions: dict[str, str]

    @classmethod
    def head(
        cls, plan: Plan, configuration: Configuration, threshold: Threshold, pack_fingerprint: str, partial: bool
    ) -> "Manifest":
        """What is known before the first shard is written. The ground sections are those that the detections were made
        with, the pack sections those of this pack."""
        pack = {name: getattr(configuration, name) for name in PACK_SECTIONS}
        return cls(
            format=FORMAT,
            ledger=Ledger.add_up((), 0, ()),
            shards=(),
            failed_examples={},
            rejected_examples={},
            source_faults=tuple(RecordedFault(source=s.uri, fault=s.fault) for s in plan.sources if s.fault),
            partial=partial,
            limit=plan.limit,
            threshold=threshold,
            models=plan.model_identities,
            fingerprints=Fingerprints(ground=plan.fingerprint, pack=pack_fingerprint),
            configuration=plan.configuration.model_copy(update=pack).model_dump(mode="json"),
            versions={},
        )

    @property
    def settings(self) -> Configuration:
        """The configuration; raises EnvironmentFault if this release cannot read it."""
        try:
            return Configuration.read_back(self.configuration)
        except ValidationError as error:
            text = f"{layout.MANIFEST}: configuration: {first_fault(error)}"
            raise EnvironmentFault(f"{text}; another release has packed this: use that, or pack again") from error

    @property
    def policy(self) -> Policy:
        """What has decided over the pairs."""
        settings = self.settings
        return Policy(settings.selection, self.threshold.score, settings.text)


def write_manifest(
    output: str, head: Manifest, counts: Iterable[RangeCount], shard_stats: Iterable[ShardStats]
) -> Manifest:
    """Removes shards that this pack does not have, then publishes the manifest."""
    ranges = sorted(counts, key=lambda c: (c.range_id.source, c.range_id.range))
    shards = sorted(shard_stats, key=lambda s: s.shard)
    remove_shards(output, from_number=len(shards))
    faults = (RecordedFault(source=count.source, fault=fault) for count in ranges for fault in count.faults)
    manifest = head.model_copy(
        update={
            "ledger": Ledger.add_up(ranges, sum(s.successes for s in shards), (s.failed for s in shards)),
            "shards": tuple(map(_entry, shards)),
            "failed_examples": _first_examples(
                [c.failed_examples for c in ranges] + [s.failed_examples for s in shards]
            ),
            "rejected_examples": _first_examples([c.rejected_examples for c in ranges]),
            "source_faults": (*head.source_faults, *faults),
            "versions": versions(),
        }
    )
    publish_typed(files.join(output, layout.MANIFEST), manifest)
    return manifest


def read_manifest(output: str) -> Manifest | None:
    """The manifest of a finished pack; None if there is none."""
    uri = files.join(output, layout.MANIFEST)
    return read_typed(uri, Manifest) if files.exists(uri) else None


def need_manifest(run: str | PathLike[str]) -> Manifest:
    """The manifest of a finished run; raises CallError if there is none."""
    manifest = read_manifest(files.canonical(run))
    if manifest is None:
        raise CallError(f"{run}: no {layout.MANIFEST}; it is no finished run")
    return manifest


def versions() -> dict[str, str]:
    """Versions of gritmill and of what results depend on."""
    installed = {}
    for package in _PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "not installed"
    return installed


def _first_examples(examples: list[Examples]) -> Examples:
    """For each way the first example."""
    firsts = {outcome: text for some in reversed(examples) for outcome, text in some.items()}
    return dict(sorted(firsts.items()))


def _entry(stats: ShardStats) -> ShardEntry:
    return ShardEntry(
        tar=layout.shard_tar(stats.shard),
        index=layout.shard_index(stats.shard),
        samples=stats.successes,
        boxes=stats.boxes,
        bytes=stats.bytes,
        sha256=stats.sha256,
        index_sha256=stats.index_sha256,
    )
