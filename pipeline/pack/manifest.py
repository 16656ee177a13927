"""manifest.json: the complete shards and the ledger. It is written last, so a reader may trust what it lists."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from typing import Annotated, Any, ClassVar

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from pipeline import files, layout
from pipeline.configuration import Configuration, belongs_to_pack
from pipeline.faults import CallError, EnvironmentFault, RunFault
from pipeline.files.lock import user_of
from pipeline.files.typed import OpenModel, find_typed, first_fault, publish_typed
from pipeline.pack import claim_counts, truth_sheet
from pipeline.pack.claim_counts import ClaimCount
from pipeline.pack.given_boxes import GivenBoxes, boxes_by
from pipeline.pack.given_boxes import add_up as add_up_given
from pipeline.pack.ledger import Examples, Ledger, RangeCount, unknown_columns
from pipeline.pack.shard_stats import ShardStats, remove_shards
from pipeline.pack.truth_sheet import TruthSheet
from pipeline.plan.plan import Plan
from pipeline.threshold import Threshold, on_given_boxes
from transforms.selection.judge import Policy

FORMAT = 1

ABSENT_IF_EMPTY = (
    "warnings",
    "claims",
    "claim_rules",
    "truth_sheet",
    "given_boxes",
    "unknown_columns",
    "left_out",
    "left_out_examples",
)
"""Keys that manifests and reports have only if there is something to tell."""

_PACKAGES = ("gritmill", "apache-beam", "spacy", "transformers", "torch", "pillow", "pyarrow")


class ShardEntry(OpenModel):
    """The files of a shard, by name relative to the run folder. bytes, sha256: of the tar. repeated_bytes: as in
    `ShardStats`."""

    tar: Annotated[str, Field(pattern=r"^shards/\d{5}\.tar$")]
    index: Annotated[str, Field(pattern=r"^shards/\d{5}\.parquet$")]
    samples: int
    boxes: int
    bytes: int
    sha256: str
    index_sha256: str
    repeated_bytes: int = 0

    @model_serializer(mode="wrap")
    def _without_zero(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if key != "repeated_bytes" or value}


class RecordedFault(OpenModel):
    """A part of a source that could not be read. The number of pairs in it is unknown."""

    source: str
    fault: str


class Fingerprints(OpenModel):
    """The fingerprints of `ground` and `pack`. decoys: a digest of the decoys that the records have; empty: none."""

    ground: str
    pack: str
    decoys: str = ""

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if key != "decoys" or value}


class Manifest(OpenModel):
    """The content of `manifest.json`.

    warnings: what whoever sees the boxes must know. unknown_columns, left_out, left_out_examples: see `ledger`.
    claims: of all written pairs. claim_rules: the version of the rules that they were checked by; 0: none were.
    truth_sheet: of all written pairs; None: not known. given_boxes: the same; None also if no column of the source has
    boxes. limit: the value of `--limit`. models: identities by configuration section. configuration: as written,
    possibly by another release.
    """

    REMEDY: ClassVar[str] = "run gritmill pack --fresh with the settings of this run, which run.log has"

    format: int
    ledger: Ledger
    shards: tuple[ShardEntry, ...]
    failed_examples: Examples
    rejected_examples: Examples
    source_faults: tuple[RecordedFault, ...]
    warnings: tuple[str, ...] = ()
    unknown_columns: Examples = Field(default_factory=dict)
    left_out: dict[str, int] = Field(default_factory=dict)
    left_out_examples: Examples = Field(default_factory=dict)
    claims: tuple[ClaimCount, ...] = ()
    claim_rules: int = 0
    truth_sheet: TruthSheet | None = None
    given_boxes: GivenBoxes | None = None
    partial: bool
    limit: int | None
    threshold: Threshold
    models: dict[str, str]
    fingerprints: Fingerprints
    configuration: dict[str, Any]
    versions: dict[str, str]

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if key not in ABSENT_IF_EMPTY or value}

    @classmethod
    def head(
        cls,
        plan: Plan,
        configuration: Configuration,
        threshold: Threshold,
        pack_fingerprint: str,
        partial: bool,
        decoys: str = "",
    ) -> "Manifest":
        """The part of the manifest that is known before the first shard is written.

        Its configuration has the keys of `ground` of the detections and the keys of `pack` of this call.
        """
        return cls(
            format=FORMAT,
            ledger=Ledger.add_up((), 0, ()),
            shards=(),
            failed_examples={},
            rejected_examples={},
            source_faults=tuple(RecordedFault(source=s.uri, fault=s.fault) for s in plan.sources if s.fault),
            warnings=plan.warnings,
            claim_rules=plan.configuration.claim_rules,
            partial=partial,
            limit=plan.limit,
            threshold=threshold,
            models=plan.model_identities,
            fingerprints=Fingerprints(ground=plan.fingerprint, pack=pack_fingerprint, decoys=decoys),
            configuration=plan.configuration.packed_with(configuration).model_dump(mode="json"),
            versions={},
        )

    @property
    def are_all_given(self) -> bool:
        """Whether all written pairs come with boxes."""
        return bool(self.given_boxes and self.given_boxes.are_all(self.ledger.written))

    @property
    def boxes_by(self) -> str:
        """Who made the boxes: the detector, the source, or both."""
        return boxes_by(self.given_boxes, self.ledger.written, str(self.configuration["detector"]["model"]))

    @property
    def settings(self) -> Configuration:
        """The configuration. Raises EnvironmentFault if this release cannot read it."""
        try:
            return Configuration.read_back(self.configuration)
        except ValidationError as error:
            text = f"{layout.MANIFEST}: configuration: {first_fault(error)}"
            raise EnvironmentFault(f"{text}; another release packed this run; use that one, or pack again") from error

    @property
    def policy(self) -> Policy:
        """The policy that decided which pairs are written."""
        settings = self.settings
        duplicates, given = settings.filters.duplicates is not None, settings.source.annotations
        return Policy(settings.selection, self.threshold.score, settings.text, duplicates, given)


def write_manifest(
    output: str, head: Manifest, counts: Iterable[RangeCount], shard_stats: Iterable[ShardStats]
) -> Manifest:
    """Removes shards that are not part of this pack, then publishes and returns the manifest."""
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
            "unknown_columns": unknown_columns(ranges),
            "left_out": dict(sorted(sum((Counter(c.left_out) for c in ranges), Counter[str]()).items())),
            "left_out_examples": _first_examples([c.left_out_examples for c in ranges]),
            "claims": claim_counts.add_up(s.claims for s in shards),
            "truth_sheet": truth_sheet.add_up(s.truth_sheet for s in shards),
            "given_boxes": (given := add_up_given(s.given_boxes for s in shards)),
            "versions": versions(),
        }
    )
    if given and given.pairs:
        threshold = on_given_boxes(manifest.threshold, manifest.are_all_given, manifest.settings.selection)
        # If no detector was asked for any of the boxes, nobody needs to be warned of it.
        warnings = () if manifest.are_all_given else manifest.warnings
        manifest = manifest.model_copy(update={"threshold": threshold, "warnings": warnings})
    publish_typed(files.join(output, layout.MANIFEST), manifest)
    return manifest


def read_manifest(output: str) -> Manifest | None:
    """The manifest of a finished pack, or None."""
    return find_typed(files.join(output, layout.MANIFEST), Manifest)


def need_manifest(run: str | PathLike[str]) -> Manifest:
    """The manifest of a finished run. Raises CallError if there is none."""
    manifest = read_manifest(files.canonical(run))
    if manifest is None:
        files.need_folder(files.canonical(run), str(run))
        raise CallError(not_finished(run))
    return manifest


def not_finished(run: str | PathLike[str]) -> str:
    """What the user can do about a run without a manifest, for a message."""
    folder, cure = files.canonical(run), "run gritmill pack"
    if files.exists(files.join(folder, layout.DETECTIONS, layout.PLAN)):
        user = user_of(folder)
        first = f"wait for {user}, or " if user else ""
        cure = f"{first}run its command again to resume; after ground alone, run gritmill pack"
    return f"{run}: no {layout.MANIFEST}, so it is not a finished run; {cure}"


def how_to_repack(run: str | PathLike[str]) -> str:
    """What the user can do to write the shards of a run again, for a message: the command with the run's settings."""
    with suppress(RunFault):
        if manifest := read_manifest(files.canonical(run)):
            return f"run {shlex.join(_repack_command(str(run), manifest))} to write the shards again"
    return Manifest.REMEDY


def _repack_command(run: str, manifest: Manifest) -> Iterator[str]:
    yield from ("gritmill", "pack", "--fresh", "--output", run)
    if not files.exists(files.join(files.canonical(run), layout.DETECTIONS)):
        yield from ("--detections", "DIR")
    if manifest.partial:
        yield "--partial"
    packed = Configuration.complete(manifest.configuration)
    for number, name in enumerate(changed_keys(manifest.configuration, Configuration())):
        section, _, key = name.partition(".")
        value = packed[section][key]
        if number == 0:
            yield "--set"
        yield f"{name}={value if isinstance(value, str) else json.dumps(value)}"


def changed_keys(packed: dict[str, Any], configuration: Configuration) -> list[str]:
    """The keys of `pack` that differ between the packed configuration and another one."""
    # `packed` is not validated, because the configuration of another release must not cause an error here.
    old, new = Configuration.complete(packed), configuration.model_dump(mode="json")
    keys = [(s, k) for s in new for k in new[s] if belongs_to_pack(f"{s}.{k}")]
    return [f"{section}.{key}" for section, key in keys if old[section].get(key) != new[section][key]]


def versions() -> dict[str, str]:
    """The installed versions of gritmill and of the packages that affect results."""
    installed = {}
    for package in _PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "not installed"
    return installed


def _first_examples(examples: list[Examples]) -> Examples:
    """Keeps the first example of each kind."""
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
        repeated_bytes=stats.repeated_bytes,
    )
