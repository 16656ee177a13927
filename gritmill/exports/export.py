"""export: a finished run -> another format, shard by shard. Reads only the shards and the manifest."""

import hashlib
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from os import PathLike, fspath
from typing import Any, ClassVar

from gritmill.exports import find_format, is_built_in
from gritmill.exports.card import CARD_NAME, render_card
from gritmill.exports.checked_boxes import checked_boxes
from gritmill.exports.format import ChecksRun, ExportCounts, ExportFolder, Format, in_order
from gritmill.exports.options import FORMER_OPTIONS, ExportOptions, used_options
from gritmill.exports.shards import writing
from gritmill.exports.write_shard import packed_again
from gritmill.shard_processes import count_processes
from pipeline import files, layout
from pipeline.engines import progress
from pipeline.faults import CallError, FolderMismatch
from pipeline.files.lock import hold, is_marked, reading
from pipeline.files.publish import synced_together
from pipeline.files.typed import as_json, publish_typed, read_typed
from pipeline.fingerprint import json_digest
from pipeline.pack.manifest import Manifest, need_manifest, read_manifest

LINES_VERSION = 2
"""Of the lines of a shard. Lines of another version are written again. 1: `same_image` was BLAKE2b-128."""

_SAMPLES_PER_PROCESS = 4000
"""A process takes 0.1 to 0.5 s to start, and 0.2 to 0.8 ms for a sample, of which a second one saves half at most."""

_PROVENANCE = ("fingerprints", "models", "threshold", "versions", "ledger", "warnings")
"""The fields of the run's manifest that the export's summary repeats."""


@dataclass(frozen=True)
class ExportMarker:
    """The content of the marker, which is written first. mark: fingerprint of the export that the folder is for."""

    REMEDY: ClassVar[str] = "export into another folder"

    mark: str


@dataclass(frozen=True)
class PartDone:
    """Marks a shard as exported.

    figures: its counts. lines: BLAKE2b-128 of its lines; empty if the format writes something else. version: the
    `LINES_VERSION` of the lines.
    """

    REMEDY: ClassVar[str] = "remove it and export again"

    figures: dict[str, int]
    lines: str = ""
    version: int = 1


@dataclass(frozen=True)
class ExportSummary:
    """The content of `export.json`, which is written last. mark: as in the marker. run: fields of the manifest."""

    REMEDY: ClassVar[str] = "remove it and export again"

    format: str
    mark: str
    figures: dict[str, int]
    run: dict[str, Any]


def export(
    run: str | PathLike[str],
    to: str,
    output: str | PathLike[str],
    options: ExportOptions | None = None,
    calibration: str | PathLike[str] = "",
    processes: int | None = None,
    quiet: bool = True,
) -> dict[str, Any]:
    """Writes a finished run in another format. If it is called again, it resumes where it stopped.

    calibration: a `calibration.json` of `gritmill calibrate --clicks`, for the data card. processes: how many write
    shards, a shard each, 1 to 256; the files are the same. 1 is this process. None: one per core, but at most one per
    4,000 samples, and 1 for a format of another package or files that other processes may not see. quiet: show no
    progress on standard error, where only a terminal gets it.

    Returns:
      The content of `export.json`.

    Raises:
      CallError: the format does not exist or does not use an option, the run is not finished, the calibration is of
        another run, the folder contains something other than this export, or `processes` is out of range.
      EnvironmentFault: the run was packed again during the export, or a process was killed.
    """
    options = options or ExportOptions()
    export_format = find_format(to, options)
    used = used_options(to, options, built_in=is_built_in(to))
    source, target = files.canonical(run), files.canonical(output)
    manifest = need_manifest(run)
    if isinstance(export_format, ChecksRun):
        export_format.check_run(manifest)
    given = 1 if processes is None and not is_built_in(to) else processes
    samples = [shard.samples for shard in manifest.shards]
    processes = count_processes(given, samples, _SAMPLES_PER_PROCESS, (source, target))
    checked = checked_boxes(fspath(calibration), manifest) if calibration else ""
    if target == source:
        raise CallError(f"--output: {output}: this is the run folder; use another folder")
    export_settings = {
        "pack": manifest.fingerprints.pack,
        # A pack after images have come back has the same fingerprint, but other shards.
        "shards": [shard.sha256 for shard in manifest.shards],
        "format": to,
        "gritmill": version("gritmill"),
        **({"checked": checked} if checked else {}),
    }
    tokenizer = _digest_tokenizer(options.tokenizer)
    if "tokenizer" in used:
        used["tokenizer"] = tokenizer
    # `allow_blind` changes no byte of the data: what failed without it goes on with it.
    named = {option: value for option, value in used.items() if option != "allow_blind"}
    fingerprint = json_digest(export_settings | {"options": named})
    # Exports of 0.2.0.dev0 were named after all options as they were given. They can be resumed.
    all_options = {name: getattr(options, name) for name in FORMER_OPTIONS} | {"tokenizer": tokenizer}
    former = json_digest(export_settings | {"options": all_options})
    _check_free(target, fingerprint, former)  # before `hold` locks and sweeps the folder: another run may be using it
    with hold(target), reading(source):
        fingerprint = _check_free(target, fingerprint, former)
        publish_typed(files.join(target, layout.EXPORT_MARKER), ExportMarker(fingerprint))
        uri = files.join(target, layout.EXPORT)
        if files.exists(uri):
            summary = read_typed(uri, ExportSummary)
        else:
            folder = ExportFolder(target)
            counts = _write_shards(to, options, export_format, source, manifest, folder, processes, quiet)
            folder.write(CARD_NAME, render_card(to, used, export_format, manifest, counts, checked).encode())
            content = as_json(manifest)
            provenance = {name: content[name] for name in _PROVENANCE if name in content}
            summary = ExportSummary(to, fingerprint, dict(counts), provenance)
            publish_typed(uri, summary)
        return as_json(replace(summary, figures=in_order(summary.figures)))


def _check_free(target: str, fingerprint: str, former: str) -> str:
    """Rejects a folder that contains anything other than this export. Returns the fingerprint that it has or gets."""
    if not is_marked(target, layout.EXPORT_MARKER, "gritmill export"):
        return fingerprint
    mark = read_typed(files.join(target, layout.EXPORT_MARKER), ExportMarker).mark
    if mark not in (fingerprint, former):
        raise FolderMismatch(f"--output: {target} contains another export", "use another folder")
    return mark


def _write_shards(
    to: str,
    options: ExportOptions,
    export_format: Format,
    source: str,
    manifest: Manifest,
    folder: ExportFolder,
    processes: int,
    quiet: bool,
) -> ExportCounts:
    """Writes the shards that no earlier call has written, or whose lines have changed since, then the files over all
    shards. Returns the counts."""
    figures: dict[int, ExportCounts] = {}
    numbers = range(len(manifest.shards))
    for number in numbers:
        uri = files.join(folder.uri, layout.export_part_done(number))
        if files.exists(uri):
            done = read_typed(uri, PartDone)
            if done.version == LINES_VERSION and done.lines == _digest_lines(folder, number):
                figures[number] = ExportCounts(done.figures)
    left = [number for number in numbers if number not in figures]
    processes = max(1, min(processes, len(left)))
    with _progress(manifest, figures, quiet):
        with writing(to, options, export_format, source, manifest, folder.uri, left, processes) as written:
            for number, counts in written:
                current = read_manifest(source)
                if current is None or current.shards != manifest.shards:
                    raise packed_again(source)
                uri = files.join(folder.uri, layout.export_part_done(number))
                publish_typed(uri, PartDone(dict(counts), _digest_lines(folder, number), LINES_VERSION))
                figures[number] = counts
        total = ExportCounts()
        for counts in figures.values():
            total.update(counts)
        with synced_together():
            total.update(export_format.finish(numbers, folder) or {})
    return total


def _progress(manifest: Manifest, done: Collection[int], quiet: bool) -> AbstractContextManager[None]:
    """Shows the samples of the shards that are done while the block runs."""
    samples = [shard.samples for shard in manifest.shards]
    total, earlier = sum(samples), sum(samples[number] for number in done)

    def state() -> progress.State:
        written = sum(samples[number] for number in list(done))
        working = "writing the files of all shards" if written == total else ""
        return progress.State(written, written / total if total else 0.0, total, earlier, working)

    return progress.show_progress("export", "samples", state, quiet, lines=False)


def _digest_lines(folder: ExportFolder, number: int) -> str:
    uri = files.join(folder.uri, layout.export_part(number))
    return _digest(uri)


def _digest_tokenizer(path: str) -> str:
    try:
        return _digest(path) if path else ""
    except OSError as error:
        raise CallError(f"--tokenizer: {path}: {error.strerror or error}; name a tokenizer.json") from error


def _digest(uri: str) -> str:
    if not files.exists(uri):
        return ""
    with files.open_read(uri) as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))  # type: ignore[arg-type]
        return digest.hexdigest()
