"""Inputs of `gritmill audit` -> the files to read. Images are not needed, so these are other files than a run reads."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from gritmill.auditing.other_formats import explain_folder, explain_nothing
from pipeline import files, layout
from pipeline.faults import CallError, RunFault
from pipeline.files.typed import find_typed
from pipeline.pack.manifest import Manifest, read_manifest
from pipeline.plan.braces import expand
from pipeline.source_kinds import METADATA, unpacked_name
from transforms.annotations.columns import NOTHING_GIVEN, AnnotationColumns

_ENDINGS = (".parquet", ".jsonl", ".ndjson", ".json", ".tar", ".tgz", ".tsv")
"""What is read in a folder. A .txt may be anything there, such as a licence: name it."""

_REPEATED = {"grit": ("grit_coyo.jsonl",), "instructions": ("instructions.json",), "relations": ("relations.json",)}
"""By format of an export, the files whose rows are also in others, which can be read row by row."""

_OF_EXPORT = re.compile(rf"(.+)/(?:{re.escape(layout.EXPORT)}|parts/[^/]+)\Z", re.DOTALL)
"""A file that an export has, finished or not, before any other one repeats its rows."""


def find_files(inputs: Sequence[str], tell: Callable[[str], object]) -> list[str]:
    """The URIs of the files that paths, globs, brace patterns and folders name, each once, in the order of the inputs.

    Of a run folder of gritmill, the tables of its shards, which have the records. Of an export of gritmill that has the
    same rows in two files, one of them. Of a table and a tar with the same name, as img2dataset writes them, the table.
    Files of a folder or a glob are in the order of the numbers in their names: captions of an image may be at the end
    of one file and the start of the next one.

    tell: called with a line about what else a folder has that is not read.

    Raises:
      CallError: an input matches no file, a folder has none that can be read, a run has no samples, or an export in it
        is not finished.
    """
    return list(dict.fromkeys(uri for pattern in inputs for uri in _files_of(pattern, tell)))


def runs_with_claims(uris: Iterable[str]) -> list[str]:
    """The run folders of gritmill to which some of the files belong, if their records have verdicts on claims that a
    detector has looked at."""
    shards = dict.fromkeys(map(files.parent, uris))
    folders = [files.parent(folder) for folder in shards if files.name(folder) == layout.SHARDS]
    manifests = ((folder, _manifest(folder, OSError)) for folder in folders)
    return [folder for folder, one in manifests if one and one.claim_rules and not one.are_all_given]


def given_columns(folder: str) -> AnnotationColumns:
    """The columns with boxes of the sources of the run of gritmill whose shards are in a folder; none if it is of no
    run."""
    manifest = _manifest(files.parent(folder), OSError) if files.name(folder) == layout.SHARDS else None
    with suppress(RunFault):  # settings of another release
        return manifest.settings.source.annotations if manifest else NOTHING_GIVEN
    return NOTHING_GIVEN


def _by_number(uri: str) -> list[tuple[int, str]]:
    """Sorts coyo_2 before coyo_10."""
    parts = re.split(r"([0-9]+)", uri)
    return [(int(part) if number % 2 else 0, part) for number, part in enumerate(parts)]


def _manifest(folder: str, *faults: type[Exception]) -> Manifest | None:
    """The manifest of a run; None if there is none, if it is of another program, or cannot be read for such a fault."""
    with suppress(RunFault, *faults):
        return read_manifest(folder)
    return None


def _files_of(pattern: str, tell: Callable[[str], object]) -> Iterator[str]:
    paths = [pattern] if _exists(pattern) else expand(pattern)
    for path in paths:
        matched = [] if path.endswith("/") else files.match(path)
        found = [info.uri for info in matched] or _in_folder(files.canonical(path), tell)
        if not found:
            known = explain_nothing(_all_in(files.canonical(path))) if os.path.isdir(path) else "no such file"
            ends = ", ".join(_ENDINGS)
            raise CallError(f"FILE: {path}: {known or f'no file in it ends with {ends}'}")
        yield from sorted(found, key=_by_number)


def _besides_data(folder: str, found: Iterable[str]) -> set[str]:
    """Of files, those of the export of gritmill in a folder that are not its data: its own ones, and those that repeat
    rows. Raises CallError if the export is not finished."""
    from gritmill.exports.export import ExportSummary  # imports what exports need

    export = files.join(folder, layout.EXPORT)
    try:
        summary = find_typed(export, ExportSummary)
    except RunFault:
        summary = None  # of another program, or damaged
    if summary is None:
        if files.exists(files.join(folder, layout.EXPORT_MARKER)):
            raise CallError(f"FILE: {folder}: this export is not finished; run gritmill export again")
        return set()
    own = {export, *(files.join(folder, repeated) for repeated in _REPEATED.get(summary.format, ()))}
    parts = files.join(folder, "parts/")
    return {uri for uri in found if uri in own or uri.startswith(parts)}


def _exists(path: str) -> bool:
    return files.is_local(path) and os.path.exists(path)


def _all_in(folder: str) -> list[str]:
    return [info.uri for infos in files.list_tree(folder).values() for info in infos]


def _in_folder(folder: str, tell: Callable[[str], object]) -> list[str]:
    if manifest := _manifest(folder):
        if not manifest.shards:
            raise CallError(f"FILE: {folder}: this run has no samples; its {layout.REPORT_PAGE} says why")
        return [files.join(folder, shard.index) for shard in manifest.shards]
    uris = _all_in(folder)
    found = {uri for uri in uris if unpacked_name(uri.lower()).endswith(_ENDINGS) and not METADATA.search(uri)}
    for export in sorted({folder, *(match[1] for match in map(_OF_EXPORT.match, found) if match)}):
        found -= _besides_data(export, found)
    if found and (other := explain_folder(uris)):
        tell(f"{folder}: {other}")
    tables = {uri.rpartition(".")[0] for uri in found if uri.endswith(".parquet")}
    return sorted(uri for uri in found if not uri.endswith(".tar") or uri.removesuffix(".tar") not in tables)
