"""Keeps a run from replacing files that gritmill did not write. The shards of img2dataset have the names of ours."""

import json
from contextlib import suppress

from pipeline import files, layout
from pipeline.faults import CallError
from pipeline.files import run_log

_REPLACED = (layout.MANIFEST, layout.STATISTICS, layout.REPORT, layout.REPORT_PAGE)
_ENOUGH = 10
"""Stats files that are looked at: any of ours may be damaged, but hardly so many."""


def check_foreign(folder: str) -> None:
    """Raises CallError if no run has used the folder, but it has files that a run would replace."""
    if files.exists(files.join(folder, layout.DETECTIONS, layout.PLAN)) or run_log.has_lines(folder):
        return
    infos = files.list_folder(files.join(folder, layout.SHARDS))
    shards = [info.uri for info in infos if layout.shard_of(info.uri) is not None]
    named = [uri for name in _REPLACED if files.exists(uri := files.join(folder, name))]
    stats = [uri for uri in shards if uri.endswith(".json")][:_ENOUGH]
    if not (shards or named) or any(map(_is_ours, [*named, *stats])):
        return
    if not files.exists(files.join(folder, layout.PLANNED_SHARDS)):  # else a pack was killed before the first stats
        foreign = [*shards, *named][0]
        problem = "a run would replace it, and nothing shows that gritmill wrote it"
        raise CallError(f"--output: {foreign}: {problem}; use another folder")


def _is_ours(uri: str) -> bool:
    """Whether a file is a manifest, a report or the stats of a shard, though it may be damaged otherwise."""
    with suppress(ValueError, RecursionError):
        value = json.loads(files.read_bytes(uri))
        return isinstance(value, dict) and not {"ledger", "pack_fingerprint"}.isdisjoint(value)
    return False
