"""Keeps a run from replacing files that gritmill did not write. The shards of img2dataset have the names of ours."""

import json
from contextlib import suppress

from pipeline import files, layout
from pipeline.faults import CallError
from pipeline.files import run_log

_REPLACED = (layout.MANIFEST, layout.STATISTICS, layout.REPORT, layout.REPORT_PAGE)
_ENOUGH = 10
"""Stats files that are looked at: any of ours may be damaged, but hardly so many."""
_LONGEST = 1 << 28
"""Bytes. What the user names by mistake may be a large tar."""


def check_foreign(folder: str) -> None:
    """Raises CallError if no run has used the folder, but it has files that a run would replace."""
    if files.exists(files.join(folder, layout.DETECTIONS, layout.PLAN)) or run_log.has_lines(folder):
        return
    infos = files.list_folder(files.join(folder, layout.SHARDS))
    shards = [info.uri for info in infos if layout.shard_of(info.uri) is not None]
    named = [uri for name in _REPLACED if files.exists(uri := files.join(folder, name))]
    stats = [uri for uri in shards if uri.endswith(".json")][:_ENOUGH]
    if not (shards or named) or any(_has_key(uri, "ledger", "pack_fingerprint") for uri in [*named, *stats]):
        return
    if not files.exists(files.join(folder, layout.PLANNED_SHARDS)):  # else a pack was killed before the first stats
        foreign = [*shards, *named][0]
        problem = "a run would replace it, and nothing shows that gritmill wrote it"
        raise CallError(f"--output: {foreign}: {problem}; use another folder")


def need_own_file(path: str, key: str, command: str) -> None:
    """Raises CallError if a file that a command would replace is not empty, as a new temporary file is, and no JSON
    object with this key."""
    if _start(path) and not _has_key(path, key):
        raise CallError(f"--output: {path}: {command} did not write it, and would replace it; name another file")


def _has_key(uri: str, *keys: str) -> bool:
    """Whether a file, though it may be damaged otherwise, is a JSON object with one of the keys."""
    with suppress(ValueError, RecursionError):
        value = json.loads(_start(uri))
        return isinstance(value, dict) and not value.keys().isdisjoint(keys)
    return False


def _start(uri: str) -> bytes:
    """The content of a file, of which nothing of ours is longer; empty if there is none."""
    try:
        with files.open_read(uri) as file:
            return file.read(_LONGEST)
    except OSError as error:
        if files.is_missing(error):
            return b""
        raise
