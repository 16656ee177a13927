"""Settings that a run does not use, because of what its sources are or of other settings. They are told, not refused:
one file of settings may be for several data sets."""

from collections.abc import Collection, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Literal

from pipeline.configuration import ColumnSettings, Configuration, belongs_to_pack
from pipeline.faults import printable
from pipeline.plan.plan import Plan
from transforms import bundled

_TABLES = ("parquet", "arrow", "jsonl", "json", "csv", "tsv")
_WITH_COLUMNS = (*_TABLES, "webdataset", "folder")
_DELIMITED = ("csv", "tsv")

USED_BY = {
    **{f"source.columns.{role}": _WITH_COLUMNS for role in ColumnSettings.model_fields},
    **dict.fromkeys(("source.columns.image", "source.columns.key"), _TABLES),
    "source.members": ("webdataset",),
    "source.image_root": (*_TABLES, "coco"),
    **dict.fromkeys(("source.quoting", "source.delimiter", "source.header"), _DELIMITED),
    "source.encoding": (*_DELIMITED, "jsonl", "json", "coco"),
}
"""The built-in kinds that use a key of `source`; every kind uses the other keys."""

_KINDS = (*_WITH_COLUMNS, "coco")


def tell_unused(command: Literal["ground", "pack"], plan: Plan, configuration: Configuration, quiet: bool) -> None:
    """Says which settings of a command have no effect."""
    from pipeline.engines import progress  # imports rich

    for key, why in unused_settings(configuration, {source.kind for source in plan.sources}):
        if belongs_to_pack(key) == (command == "pack"):
            progress.tell(command, printable(f"{key} has no effect: {why}"), quiet)


def is_used(key: str, kind: str) -> bool:
    """Whether sources of a kind use a key of `source`. Those of other packages may use any."""
    return kind not in _KINDS or kind in USED_BY.get(key, _KINDS)


def unused_settings(configuration: Configuration, kinds: Collection[str]) -> Iterator[tuple[str, str]]:
    """The keys that have another value than their default, but no effect, each with the reason.

    kinds: those of all sources of the run.
    """
    source, detector, usual = configuration.source, configuration.detector, Configuration()
    for key in USED_BY if kinds else ():
        if attrgetter(key)(configuration) != attrgetter(key)(usual) and not any(is_used(key, kind) for kind in kinds):
            yield key, f"the kind of the sources is {' or '.join(sorted(kinds))}"
    if source.boxes.unit != usual.source.boxes.unit and source.boxes.format in (None, "grit"):
        yield "source.boxes.unit", f"source.boxes.format is {source.boxes.format or 'not set'}"
    if configuration.filters.missing != usual.filters.missing and not configuration.filters.where:
        yield "filters.missing", "filters.where is not set"
    if detector.revision and Path(bundled.model_path(detector.model)).expanduser().is_dir():
        kind = "an embedded model" if detector.model in bundled.MODELS else "a folder"
        yield "detector.revision", f"{detector.model} is {kind}"
    for key in ("claims", "count_claims") if not configuration.phrases.claims else ():
        if getattr(configuration.selection, key) != getattr(usual.selection, key):
            yield f"selection.{key}", "phrases.claims is off"
