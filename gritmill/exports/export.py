"""export: a finished run -> another format, shard by shard, from shards and manifest alone."""

from importlib.metadata import version
from os import PathLike
from typing import Any

from gritmill.exports import find_format
from gritmill.exports.card import CARD_NAME, render_card
from gritmill.exports.format import ExportCounts, ExportFolder, Format
from gritmill.exports.options import Options
from gritmill.reading import read_shard
from pipeline import files
from pipeline.faults import CallError, EnvironmentFault, FolderMismatch
from pipeline.files.lock import hold, is_empty
from pipeline.files.publish import publish_json
from pipeline.fingerprint import json_digest
from pipeline.pack.manifest import read_manifest

_MARKER_NAME = ".gritmill.export.json"
"""Written first: which export the folder is for."""

EXPORT_NAME = "export.json"
"""Written last: format, figures, and which run it was made from."""


def export(
    run: str | PathLike[str], to: str, output: str | PathLike[str], options: Options | None = None
) -> dict[str, Any]:
    """Writes a finished run in another format; called again it goes on where it stopped.

    Returns:
      What `export.json` holds.

    Raises:
      CallError: no such format, no finished run, or the folder holds something else than this export.
      EnvironmentFault: the run was packed again meanwhile.
    """
    options = options or Options()
    export_format = find_format(to, options)
    source, target = files.canonical(run), files.canonical(output)
    manifest = read_manifest(source)
    if manifest is None:
        raise CallError(f"{run}: no manifest.json; it is no finished run")
    if target == source:
        raise CallError(f"--output: {output}: the run itself lies there")
    export_settings = {
        "pack": manifest["fingerprints"]["pack"],
        "format": to,
        "options": vars(options),
        "gritmill": version("gritmill"),
    }
    fingerprint = json_digest(export_settings)
    _check_free(target, fingerprint)  # before it is locked and swept: another run may be at work there
    with hold(target):
        _check_free(target, fingerprint)
        publish_json(files.join(target, _MARKER_NAME), {"mark": fingerprint})
        done = files.join(target, EXPORT_NAME)
        if files.exists(done):
            written: dict[str, Any] = files.read_json(done)
            return written
        return _write(export_format, manifest, source, ExportFolder(target), fingerprint, to)


def _check_free(target: str, fingerprint: str) -> None:
    """Refuses a folder that holds anything but this export."""
    uri = files.join(target, _MARKER_NAME)
    if files.exists(uri):
        if files.read_json(uri)["mark"] != fingerprint:
            raise FolderMismatch(f"--output: {target} holds another export", "use another folder")
    elif not is_empty(target):
        raise CallError(f"--output: {target} is not empty, and what lies there is no export")


def _write(
    export_format: Format, manifest: dict[str, Any], source: str, folder: ExportFolder, fingerprint: str, to: str
) -> dict[str, Any]:
    counts = ExportCounts()
    for number, shard in enumerate(manifest["shards"]):
        counts.update(_export_shard(export_format, number, shard, source, folder, manifest))
    export_format.finish(range(len(manifest["shards"])), folder)
    folder.write(CARD_NAME, render_card(to, export_format, manifest, counts).encode())
    written = {
        "format": to,
        "mark": fingerprint,
        "figures": dict(counts),
        "run": {name: manifest[name] for name in ("fingerprints", "models", "threshold", "versions", "ledger")},
    }
    publish_json(files.join(folder.uri, EXPORT_NAME), written)
    return written


def _export_shard(
    export_format: Format,
    number: int,
    shard: dict[str, Any],
    source: str,
    folder: ExportFolder,
    manifest: dict[str, Any],
) -> ExportCounts:
    """Writes a shard, unless an earlier call has; its figures."""
    uri = files.join(folder.uri, f"parts/{number:05}_done.json")
    if files.exists(uri):
        return ExportCounts(files.read_json(uri)["figures"])
    counts = export_format.shard(number, read_shard(files.join(source, shard["tar"])), folder)
    current = read_manifest(source)
    if current is None or current["fingerprints"] != manifest["fingerprints"]:
        raise EnvironmentFault(f"{source}: the run has been packed again meanwhile; export it into another folder")
    publish_json(uri, {"figures": dict(counts)})
    return counts
