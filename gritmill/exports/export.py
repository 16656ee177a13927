"""export: a finished run -> another format, shard by shard, from shards and manifest alone."""

from dataclasses import dataclass
from importlib.metadata import version
from os import PathLike
from typing import Any, ClassVar

from gritmill.exports import find_format
from gritmill.exports.card import CARD_NAME, render_card
from gritmill.exports.format import ExportCounts, ExportFolder, Format
from gritmill.exports.options import ExportOptions
from gritmill.reading import read_shard
from pipeline import files, layout
from pipeline.faults import CallError, EnvironmentFault, FolderMismatch
from pipeline.files.lock import hold, is_marked
from pipeline.files.typed import as_json, publish_typed, read_typed
from pipeline.fingerprint import json_digest
from pipeline.pack.manifest import Manifest, need_manifest, read_manifest

_PROVENANCE = ("fingerprints", "models", "threshold", "versions", "ledger")
"""What the export's own summary takes over from the run's manifest."""


@dataclass(frozen=True)
class ExportMarker:
    """What the marker holds, which is written first: which export the folder is for."""

    REMEDY: ClassVar[str] = "export into another folder"

    mark: str


@dataclass(frozen=True)
class PartDone:
    """Says that a shard is exported. figures: its counts."""

    REMEDY: ClassVar[str] = "remove it and export again"

    figures: dict[str, int]


@dataclass(frozen=True)
class ExportSummary:
    """What `export.json` holds, which is written last. mark: as in the marker. run: where it comes from."""

    REMEDY: ClassVar[str] = "remove it and export again"

    format: str
    mark: str
    figures: dict[str, int]
    run: dict[str, Any]


def export(
    run: str | PathLike[str], to: str, output: str | PathLike[str], options: ExportOptions | None = None
) -> dict[str, Any]:
    """Writes a finished run in another format; called again it goes on where it stopped.

    Returns:
      What `export.json` holds.

    Raises:
      CallError: no such format, no finished run, or the folder holds something else than this export.
      EnvironmentFault: the run was packed again meanwhile.
    """
    options = options or ExportOptions()
    export_format = find_format(to, options)
    source, target = files.canonical(run), files.canonical(output)
    manifest = need_manifest(run)
    if target == source:
        raise CallError(f"--output: {output}: the run itself lies there")
    export_settings = {
        "pack": manifest.fingerprints.pack,
        "format": to,
        "options": vars(options),
        "gritmill": version("gritmill"),
    }
    fingerprint = json_digest(export_settings)
    _check_free(target, fingerprint)  # before it is locked and swept: another run may be at work there
    with hold(target):
        _check_free(target, fingerprint)
        publish_typed(files.join(target, layout.EXPORT_MARKER), ExportMarker(fingerprint))
        uri = files.join(target, layout.EXPORT)
        if files.exists(uri):
            summary = read_typed(uri, ExportSummary)
        else:
            folder = ExportFolder(target)
            counts = _write_shards(export_format, source, manifest, folder)
            folder.write(CARD_NAME, render_card(to, export_format, manifest, counts).encode())
            content = as_json(manifest)
            provenance = {name: content[name] for name in _PROVENANCE}
            summary = ExportSummary(to, fingerprint, dict(counts), provenance)
            publish_typed(uri, summary)
        return as_json(summary)


def _check_free(target: str, fingerprint: str) -> None:
    """Refuses a folder that holds anything but this export."""
    marked = is_marked(target, layout.EXPORT_MARKER, "export")
    if marked and read_typed(files.join(target, layout.EXPORT_MARKER), ExportMarker).mark != fingerprint:
        raise FolderMismatch(f"--output: {target} holds another export", "use another folder")


def _write_shards(export_format: Format, source: str, manifest: Manifest, folder: ExportFolder) -> ExportCounts:
    """Writes the shards that an earlier call has not, and what takes all of them; their counts."""
    counts = ExportCounts()
    for number, shard in enumerate(manifest.shards):
        uri = files.join(folder.uri, layout.export_part_done(number))
        if files.exists(uri):
            counts.update(read_typed(uri, PartDone).figures)
            continue
        figures = export_format.shard(number, read_shard(files.join(source, shard.tar)), folder)
        current = read_manifest(source)
        if current is None or current.fingerprints != manifest.fingerprints:
            raise EnvironmentFault(f"{source}: the run has been packed again meanwhile; export it into another folder")
        publish_typed(uri, PartDone(dict(figures)))
        counts.update(figures)
    export_format.finish(range(len(manifest.shards)), folder)
    return counts
