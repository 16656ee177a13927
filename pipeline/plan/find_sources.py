"""Finds the files that match `--input`."""

import glob
import os
from collections.abc import Callable, Sequence

from pipeline import files
from pipeline.faults import CallError
from pipeline.files import FileInfo
from pipeline.plan.find_in_folder import find_in_folder
from pipeline.sources import is_source


def find_sources(
    inputs: Sequence[str], option: str = "--input", kind: str = "auto", tell: Callable[[str], None] = lambda _: None
) -> list[FileInfo]:
    """The files that match URIs, globs and local folders, each once, sorted by URI.

    Args:
      option: the command-line option with the inputs, for error messages.
      kind: `source.kind`. tell: receives a line about pictures in a folder that are left out.

    Raises:
      CallError: an input matches no file, a glob or folder contains a path that cannot be read, or a name is not
        printable.
    """
    by_uri: dict[str, FileInfo] = {}
    for pattern in inputs:
        _check_skipped(pattern, option)
        try:
            is_prefix = not files.is_local(pattern) and pattern.endswith("/")  # Beam would match all files in it
            matched = [] if is_prefix else files.match(pattern)
            matched = matched or _in_folders(files.canonical(pattern), kind, tell)
        except CallError as error:
            raise CallError(f"{option}: {error}") from error
        for info in matched:
            if not info.uri.isprintable():
                raise CallError(f"{option}: {info.uri!r}: the name is not UTF-8 or not printable; rename the file")
        if not matched:
            raise CallError(f"{option}: {pattern}: {_explain_no_match(pattern)}")
        by_uri |= {info.uri: info for info in matched}
    return [by_uri[uri] for uri in sorted(by_uri)]


def _in_folders(pattern: str, kind: str, tell: Callable[[str], None]) -> list[FileInfo]:
    """The sources in the folder of this name, or in the local folders that match a glob."""
    folders = [pattern]
    if files.is_local(pattern) and not os.path.isdir(pattern):
        folders = sorted(filter(os.path.isdir, glob.glob(pattern, recursive=True)))
    return [info for folder in folders for info in find_in_folder(folder, kind, tell)]


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
        return "contains no tar, no table, and no picture with a .txt, .caption or .json beside it"
    return "matches no file" if glob.has_magic(pattern) else "no such file"
