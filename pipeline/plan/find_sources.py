"""Finds the files that match `--input`."""

import glob
import os
from collections.abc import Callable, Collection, Sequence
from functools import partial

from pipeline import files, layout
from pipeline.configuration import ColumnSettings
from pipeline.faults import BucketFault, CallError
from pipeline.files import FileInfo
from pipeline.plan.braces import expand
from pipeline.plan.companions import without_companions
from pipeline.plan.find_in_folder import find_in_folder
from pipeline.sources import is_source
from transforms.read_ahead import map_in_threads
from transforms.wording import counted

Search = Callable[[str], list[FileInfo]]
"""Finds the sources in a folder."""


def find_sources(
    inputs: Sequence[str],
    option: str = "--input",
    kind: str = "auto",
    tell: Callable[[str], None] = lambda _: None,
    columns: ColumnSettings | None = None,
    planned: Collection[str] = (),
    run: str = "",
) -> list[FileInfo]:
    """The files that match URIs, globs, brace patterns and local folders, each once, sorted by URI.

    Args:
      option: the command-line option with the inputs, for error messages.
      kind: `source.kind`. tell: receives a line about files that are left out.
      columns: `source.columns`. None: its default.
      planned: URIs of sources of a run that is resumed. They are not left out if an input matches them: the rules of
        the release that planned them may have been others.
      run: the output folder. What a run writes there is left out: `**/*.tar` matches its shards, once they exist.

    Raises:
      CallError: an input, or one of the paths of a brace pattern, matches no file; a glob or folder contains a path
        that cannot be read; or a name is not printable.
    """
    columns = columns or ColumnSettings()
    by_uri: dict[str, FileInfo] = {}
    own: dict[str, FileInfo] = {}
    for pattern in inputs:
        lines: list[str] = []
        search = partial(find_in_folder, kind=kind, tell=lines.append, columns=columns, planned=planned)
        try:
            matched = _matches(pattern, search)
        except (CallError, BucketFault) as error:
            raise CallError("; ".join([f"{option}: {error}", *lines])) from error
        for line in lines:
            tell(line)
        if run:
            own |= {info.uri: info for info in matched if info.uri not in planned and _is_own(info.uri, run)}
            matched = [info for info in matched if info.uri not in own]
        for info in matched:
            if not info.uri.isprintable():
                raise CallError(f"{option}: {info.uri!r}: the name is not UTF-8 or not printable; rename the file")
        by_uri |= {info.uri: info for info in matched}
    if own:
        tell(f"left out: {counted(len(own), 'file')} that this run wrote, first {min(own)}")
        if not by_uri:
            raise CallError(f"{option}: matches only files that this run wrote, first {min(own)}")
    return without_companions([by_uri[uri] for uri in sorted(by_uri)], kind, columns, tell, planned)


def _is_own(uri: str, run: str) -> bool:
    folder = f"{run.rstrip('/')}/"
    return uri.startswith(folder) and layout.looks_like_source(uri.removeprefix(folder))


def _matches(pattern: str, search: Search) -> list[FileInfo]:
    """The files of an input. A path that exists with braces in its name is taken literally."""
    paths = [pattern] if (matched := _matches_of_path(pattern, search)) else expand(pattern)
    if not matched and paths != [pattern]:
        find = partial(_matches_of_path, search=search)
        found = list(map(find, paths) if files.is_local(pattern) else map_in_threads(find, paths))
        missing = [path for path, infos in zip(paths, found, strict=True) if not infos]
        if missing:
            more = f" (and {len(missing) - 1:,} more of its {len(paths):,} paths)" if len(missing) > 1 else ""
            raise CallError(f"{missing[0]}: {_explain_no_match(missing[0])}{more}; it is part of {pattern}")
        matched = [info for infos in found for info in infos]
    if not matched:
        raise CallError(f"{pattern}: {_explain_no_match(pattern)}")
    return matched


def _matches_of_path(path: str, search: Search) -> list[FileInfo]:
    """The files of a path, glob or folder."""
    _check_skipped(path)
    is_prefix = not files.is_local(path) and path.endswith("/")  # Beam would match all files in it
    matched = [] if is_prefix else files.match(path)
    return matched or _in_folders(files.canonical(path), search)


def _in_folders(pattern: str, search: Search) -> list[FileInfo]:
    """The sources in the folder of this name, or in the local folders that match a glob."""
    folders = [pattern]
    if files.is_local(pattern) and not os.path.isdir(pattern):
        folders = sorted(filter(os.path.isdir, glob.glob(pattern, recursive=True)))
    return [info for folder in folders for info in search(folder)]


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
        return "contains no tar, no table, and no picture with a .txt, .caption or .json beside it"
    literal = "; where [ stands for itself, write [[]" if "[" in pattern else ""
    return f"matches no file{literal}" if glob.has_magic(pattern) else "no such file"
