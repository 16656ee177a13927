"""Finds the files that match `--input`."""

import glob
import os
from collections import Counter
from collections.abc import Sequence

from pipeline import files
from pipeline.faults import CallError
from pipeline.files import FileInfo
from pipeline.plan.braces import expand
from pipeline.sources import is_source
from transforms.read_ahead import map_in_threads


def find_sources(inputs: Sequence[str], option: str = "--input") -> list[FileInfo]:
    """The files that match URIs, globs, brace patterns and local folders, each once, sorted by URI.

    Args:
      option: the command-line option with the inputs, for error messages.

    Raises:
      CallError: an input, or one of the paths of a brace pattern, matches no file; a glob or folder contains a path
        that cannot be read; or a name is not printable.
    """
    by_uri: dict[str, FileInfo] = {}
    for pattern in inputs:
        try:
            matched = _matches(pattern)
        except CallError as error:
            raise CallError(f"{option}: {error}") from error
        for info in matched:
            if not info.uri.isprintable():
                raise CallError(f"{option}: {info.uri!r}: the name is not UTF-8 or not printable; rename the file")
        by_uri |= {info.uri: info for info in matched}
    return [by_uri[uri] for uri in sorted(by_uri)]


def _matches(pattern: str) -> list[FileInfo]:
    """The files of an input. A path that exists with braces in its name is taken literally."""
    paths = [pattern] if (matched := _matches_of_path(pattern)) else expand(pattern)
    if not matched and paths != [pattern]:
        results = (
            map_in_threads(_matches_of_path, paths) if not files.is_local(pattern) else map(_matches_of_path, paths)
        )
        found = list(results)
        missing = [path for path, infos in zip(paths, found, strict=True) if not infos]
        if missing:
            more = f" (and {len(missing) - 1:,} more of its {len(paths):,} paths)" if len(missing) > 1 else ""
            raise CallError(f"{missing[0]}: {_explain_no_match(missing[0])}{more}; it is part of {pattern}")
        matched = [info for infos in found for info in infos]
    if not matched:
        raise CallError(f"{pattern}: {_explain_no_match(pattern)}")
    return matched


def _matches_of_path(path: str) -> list[FileInfo]:
    """The files of a path, glob or folder."""
    _check_skipped(path)
    return files.match(path) or _sources_in(files.canonical(path))


def find_skipped(inputs: Sequence[str], found: Sequence[FileInfo]) -> dict[str, int]:
    """The number of files in the folders among the inputs that are not among the sources, by suffix."""
    sources = {info.uri for info in found}
    paths = dict.fromkeys(path for pattern in inputs for path in (pattern, *expand(pattern)))
    folders = {files.canonical(path): None for path in paths if not files.match(path)}
    left_out = [info.uri for folder in folders for info in files.list_folder(folder) if info.uri not in sources]
    return dict(Counter(os.path.splitext(uri)[1].lower() or files.name(uri) for uri in left_out).most_common())


def _sources_in(folder: str) -> list[FileInfo]:
    """The sources in a folder, without hidden files, and without the files that img2dataset writes next to a tar: a
    parquet and a stats file with the name of the tar."""
    infos = [info for info in files.list_folder(folder) if is_source(info.uri) and files.name(info.uri)[0] != "."]
    tars = {info.uri.removesuffix(".tar") for info in infos if info.uri.endswith(".tar")}
    sidecars = {f"{stem}{ending}" for stem in tars for ending in (".parquet", "_stats.json")}
    return [info for info in infos if info.uri not in sidecars]


def _check_skipped(pattern: str) -> None:
    """Raises CallError if a glob or folder would silently skip a path that could contain sources."""
    path = files.canonical(pattern)
    if not files.is_local(path) or os.path.isfile(path):
        return
    folder = os.path.isdir(path)
    for skipped, reason in files.skipped_by_glob(files.join(glob.escape(path), "*") if folder else path):
        if not folder or os.path.isdir(skipped) or is_source(skipped):
            raise CallError(f"{skipped}: {reason}")


def _explain_no_match(pattern: str) -> str:
    if os.path.isdir(pattern):
        return "contains no file with the suffix of a source kind"
    return "matches no file" if glob.has_magic(pattern) else "no such file"
