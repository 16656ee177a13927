"""Finds the files that match `--input`."""

import glob
import os
from collections import Counter
from collections.abc import Sequence

from pipeline import files
from pipeline.faults import CallError
from pipeline.files import FileInfo
from pipeline.sources import is_source


def find_sources(inputs: Sequence[str], option: str = "--input") -> list[FileInfo]:
    """The files that match URIs, globs and local folders, each once, sorted by URI.

    Args:
      option: the command-line option with the inputs, for error messages.

    Raises:
      CallError: an input matches no file, a glob or folder contains a path that cannot be read, or a name is not
        printable.
    """
    by_uri: dict[str, FileInfo] = {}
    for pattern in inputs:
        _check_skipped(pattern, option)
        try:
            matched = files.match(pattern) or _sources_in(files.canonical(pattern))
        except CallError as error:
            raise CallError(f"{option}: {error}") from error
        for info in matched:
            if not info.uri.isprintable():
                raise CallError(f"{option}: {info.uri!r}: the name is not UTF-8 or not printable; rename the file")
        if not matched:
            raise CallError(f"{option}: {pattern}: {_explain_no_match(pattern)}")
        by_uri |= {info.uri: info for info in matched}
    return [by_uri[uri] for uri in sorted(by_uri)]


def find_skipped(inputs: Sequence[str], found: Sequence[FileInfo]) -> dict[str, int]:
    """The number of files in the folders among the inputs that are not among the sources, by suffix."""
    sources = {info.uri for info in found}
    folders = [files.canonical(pattern) for pattern in inputs if not files.match(pattern)]
    left_out = [info.uri for folder in folders for info in files.list_folder(folder) if info.uri not in sources]
    return dict(Counter(os.path.splitext(uri)[1].lower() or files.name(uri) for uri in left_out).most_common())


def _sources_in(folder: str) -> list[FileInfo]:
    """The sources in a folder, without hidden files, and without the files that img2dataset writes next to a tar: a
    parquet and a stats file with the name of the tar."""
    infos = [info for info in files.list_folder(folder) if is_source(info.uri) and files.name(info.uri)[0] != "."]
    tars = {info.uri.removesuffix(".tar") for info in infos if info.uri.endswith(".tar")}
    sidecars = {f"{stem}{ending}" for stem in tars for ending in (".parquet", "_stats.json")}
    return [info for info in infos if info.uri not in sidecars]


def _check_skipped(pattern: str, option: str) -> None:
    """Raises CallError if a glob or folder would silently skip a path that could contain sources."""
    path = files.canonical(pattern)
    if not files.is_local(path) or os.path.isfile(path):
        return
    folder = os.path.isdir(path)
    for skipped, reason in files.skipped_by_glob(files.join(glob.escape(path), "*") if folder else path):
        if not folder or os.path.isdir(skipped) or is_source(skipped):
            raise CallError(f"{option}: {skipped}: {reason}")


def _explain_no_match(pattern: str) -> str:
    if os.path.isdir(pattern):
        return "contains no file with the suffix of a source kind"
    return "matches no file" if glob.has_magic(pattern) else "no such file"
