"""export: a finished run -> another format, shard by shard, from shards and manifest alone."""

from os import PathLike
from typing import Any

from gritmill.exports import find
from gritmill.exports.card import NAME as CARD
from gritmill.exports.card import card
from gritmill.exports.format import Figures, Folder, Format, Options
from gritmill.reading import read_shard
from pipeline import files
from pipeline.faults import CallError, OtherRun
from pipeline.fingerprint import digest
from pipeline.lock import hold
from pipeline.manifest import read_manifest
from pipeline.publish import publish_json

NAME = "export.json"
"""Written last: format, figures, and which run it was made from."""


def export(
    run: str | PathLike[str], to: str, output: str | PathLike[str], options: Options | None = None
) -> dict[str, Any]:
    """Writes a finished run in another format; called again it goes on where it stopped.

    Returns:
      What `export.json` holds.

    Raises:
      CallError: no such format, no finished run, or the folder holds another export.
    """
    options = options or Options()
    form = find(to, options)
    source, target = files.canonical(run), files.canonical(output)
    manifest = read_manifest(source)
    if manifest is None:
        raise CallError(f"{run}: no manifest.json; it is no finished run")
    if target == source:
        raise CallError(f"--output: {output}: the run itself lies there")
    mark = digest({"pack": manifest["fingerprints"]["pack"], "format": to, "options": vars(options)})
    with hold(target):
        done = files.join(target, NAME)
        if files.exists(done) and files.read_json(done)["mark"] == mark:
            found: dict[str, Any] = files.read_json(done)
            return found
        return _write(form, manifest, source, Folder(target), mark, to)


def _write(form: Format, manifest: dict[str, Any], source: str, folder: Folder, mark: str, to: str) -> dict[str, Any]:
    figures = Figures()
    for number, shard in enumerate(manifest["shards"]):
        figures += _shard(form, number, files.join(source, shard["tar"]), folder, mark)
    form.finish(range(len(manifest["shards"])), folder)
    folder.write(CARD, card(to, form, manifest, figures).encode())
    written = {
        "format": to,
        "mark": mark,
        "figures": dict(figures),
        "run": {name: manifest[name] for name in ("fingerprints", "models", "threshold", "versions", "ledger")},
    }
    publish_json(files.join(folder.uri, NAME), written)
    return written


def _shard(form: Format, number: int, tar: str, folder: Folder, mark: str) -> Figures:
    """Writes a shard, unless an earlier call has; its figures."""
    uri = files.join(folder.uri, f"parts/{number:05}_done.json")
    if files.exists(uri):
        done = files.read_json(uri)
        if done["mark"] != mark:
            raise OtherRun(f"--output: {folder.uri} holds another export", "use another folder")
        return Figures(done["figures"])
    figures = form.shard(number, read_shard(tar), folder)
    publish_json(uri, {"mark": mark, "figures": dict(figures)})
    return figures
