"""manifest.json: what a reader may trust, and the ledger. Written last of all."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline import files
from pipeline.configuration import Configuration
from pipeline.files.publish import publish_json
from pipeline.pack.ledger import Examples, RangeCount, build_ledger
from pipeline.pack.plan_shards import SHARDS_FOLDER
from pipeline.plan.plan import Plan
from pipeline.threshold import Threshold
from transforms.selection.judge import Policy

FORMAT = 1
MANIFEST_NAME = "manifest.json"

_THREADS = 16

_PACKAGES = ("gritmill", "apache-beam", "spacy", "transformers", "torch", "pillow", "pyarrow")


@dataclass(frozen=True)
class ManifestHead:
    """What of the manifest is known before the first shard is written."""

    configuration: Configuration
    model_identities: dict[str, str]
    ground_fingerprint: str
    pack_fingerprint: str
    threshold: Threshold
    source_faults: tuple[dict[str, str], ...]
    partial: bool

    @classmethod
    def from_plan(
        cls, plan: Plan, configuration: Configuration, threshold: Threshold, pack_fingerprint: str, partial: bool
    ) -> "ManifestHead":
        """The ground sections are those that the detections were made with, the pack sections those of this pack."""
        pack = {name: getattr(configuration, name) for name in ("selection", "text", "shards")}
        faults = tuple({"source": source.uri, "fault": source.fault} for source in plan.sources if source.fault)
        merged = plan.configuration.model_copy(update=pack)
        return cls(merged, plan.model_identities, plan.fingerprint, pack_fingerprint, threshold, faults, partial)


def write_manifest(
    output: str, head: ManifestHead, plan: Plan, counts: Iterable[RangeCount], stats: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    """Removes shards that this pack does not have, then publishes the manifest."""
    ranges = sorted(counts, key=lambda c: (c.range_id.source, c.range_id.range))
    shards = sorted(stats, key=lambda s: s["shard"])
    remove_shards(output, from_number=len(shards))
    faults = [{"source": plan.sources[c.range_id.source].uri, "fault": f} for c in ranges for f in c.faults]
    value = {
        "format": FORMAT,
        "ledger": build_ledger(ranges, shards),
        "shards": [_entry(s) for s in shards],
        "failed_examples": _first_examples(
            [c.failed_examples for c in ranges] + [s["failed_examples"] for s in shards]
        ),
        "rejected_examples": _first_examples([c.rejected_examples for c in ranges]),
        "source_faults": [*head.source_faults, *faults],
        "partial": head.partial,
        "limit": plan.limit,
        "threshold": asdict(head.threshold),
        "models": head.model_identities,
        "fingerprints": {"ground": head.ground_fingerprint, "pack": head.pack_fingerprint},
        "configuration": head.configuration.model_dump(mode="json"),
        "versions": versions(),
    }
    publish_json(files.join(output, MANIFEST_NAME), value)
    return value


def read_manifest(output: str) -> dict[str, Any] | None:
    """The manifest of a finished pack; None if there is none."""
    uri = files.join(output, MANIFEST_NAME)
    if not files.exists(uri):
        return None
    value: dict[str, Any] = files.read_json(uri)
    return value


def policy_of(manifest: dict[str, Any]) -> Policy:
    """What has decided over the pairs of a finished pack."""
    configuration = Configuration.read_back(manifest["configuration"])
    return Policy(configuration.selection, manifest["threshold"]["score"], configuration.text)


def shard_fingerprints(output: str) -> dict[str, str]:
    """The stats files of an output, each with the fingerprint of the pack that wrote it."""
    uris = [info.uri for info in files.list_folder(files.join(output, SHARDS_FOLDER), "*_stats.json")]
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(uris, pool.map(lambda uri: files.read_json(uri)["pack_fingerprint"], uris), strict=True))


def remove_shards(output: str, from_number: int) -> None:
    """Removes the files of shards numbered `from_number` and up."""
    for info in files.list_folder(files.join(output, SHARDS_FOLDER)):
        digits = files.name(info.uri)[:5]
        if digits.isdigit() and int(digits) >= from_number:
            files.delete([info.uri])


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


def _entry(stats: dict[str, Any]) -> dict[str, Any]:
    stem = f"{SHARDS_FOLDER}/{stats['shard']:05}"
    return {
        "tar": f"{stem}.tar",
        "index": f"{stem}.parquet",
        "samples": stats["successes"],
        "boxes": stats["boxes"],
        "bytes": stats["bytes"],
        "sha256": stats["sha256"],
        "index_sha256": stats["index_sha256"],
    }
