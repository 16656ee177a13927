"""What `ground` tells people: on the screen, and in the log of the run."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from threading import Timer

from pipeline import files
from pipeline.faults import RunFault, SourceFault, printable
from pipeline.files.run_log import RunLog
from pipeline.ground.count_rows import count_finished
from pipeline.ground.options import GroundOptions
from pipeline.ids import RangeId
from pipeline.plan.named_columns import columns_used, tell_missing
from pipeline.plan.plan import Plan, PlannedSource
from pipeline.sources import fields, notices
from pipeline.sources.columns import NO_FIELDS
from pipeline.tables.table import Table
from transforms.filters import columns_of
from transforms.wording import counted

_LOOK = 16
"""Pairs of the first source in which the columns that the settings name are looked up."""

_SOON = 0.3
"""Seconds."""

_READ_WHOLE = ("coco", "json", "parquet", "arrow")
"""Kinds of which the whole file, or the image column, is read to know the first images: not again at each resume."""


def tell_loading(options: GroundOptions) -> None:
    """Says what takes the first seconds, after what can be refused without the imports that take them."""
    _tell("loading libraries and models", options.quiet)


@contextmanager
def unless_soon(tell: Callable[[], object]) -> Iterator[None]:
    """Calls `tell` if the block takes longer than a moment, as the listing of a store or of a large folder does."""
    timer = Timer(_SOON, tell)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # so that nothing is told twice


def log_plan(plan: Plan, left_out: Sequence[str], log: RunLog | None) -> None:
    """Opens the log: this call may now write into the folder."""
    if log is None:
        return
    log.open()
    limit = "" if plan.limit is None else f", limit {counted(plan.limit, 'pair')}"
    names = ", ".join(source.uri for source in (*plan.sources[:1], *plan.sources[1:][-1:]))
    sources, ranges = counted(len(plan.sources), "source"), counted(sum(1 for _ in plan.range_ids()), "range")
    log.note("plan", f"{sources}, {ranges}{limit}; {names}")
    for line in left_out:
        log.note("skip", line)
    for source in plan.sources:
        if source.fault:
            log.note("fault", f"{source.uri}: {source.fault}")


def tell_left_out(lines: Sequence[str], quiet: bool) -> None:
    """Says what of the inputs is no source."""
    for line in lines:
        _tell(line, quiet)


def tell_of_store(output: str, options: GroundOptions) -> None:
    """Says if two workers at one chunk, as engines may start them, are not kept apart by the store."""
    if not files.is_store(output):
        return
    from pipeline.files import remote

    if not remote.has_create_only_puts(output):
        line = f"{files.place_of(output)} has no conditional writes; what is written is read back instead"
        _tell(line, options.quiet)
        if options.log:
            options.log.note("store", line)


def tell_first_source(plan: Plan, options: GroundOptions, earlier: Sequence[PlannedSource] = ()) -> None:
    """Says before the first hour what of the first source may not be meant: its notices, and the columns of
    the settings that its first pairs do not have, which the manifest says of every source.

    earlier: the sources that earlier calls planned. A source that cannot be read here is reported where it is
    processed.
    """
    first = next((source for source in plan.sources if source.ranges), None)
    if first is None:
        return
    named = columns_used(plan.configuration, first.kind)
    lines: list[str] = []
    columns: dict[str, None] = {}
    known = NO_FIELDS
    with suppress(RunFault, SourceFault, OSError):
        source, start = first.open(plan.configuration.source), first.ranges[0].start
        if first.kind not in _READ_WHOLE or not any(first is source for source in earlier):
            lines += [f"{first.uri}: {line}" for line in notices(source, start)]
        if named:
            known = fields(source, start)
            for _, pair in islice(source.read(start), _LOOK):
                columns |= {} if pair.error else dict.fromkeys(columns_of(pair))
    lines += tell_missing(named, known, columns, f"the first pairs of {first.uri}")
    for line in lines:
        _tell(line, options.quiet)


def tell_finished(table: Table, finished: Collection[RangeId], options: GroundOptions) -> None:
    """Says that nothing is left to do. table, finished: the detections and their finished ranges."""
    line = f"nothing to do: all {count_finished(table, finished)} are done"
    _tell(line, options.quiet)
    if options.log:
        options.log.note("done", f"ground: {line}")


def _tell(line: str, quiet: bool) -> None:
    from pipeline.engines import progress  # imports rich

    progress.tell("ground", printable(line), quiet)
