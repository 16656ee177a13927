"""Exit status 1: the call was correct and has finished, but the data has too many faults."""

from typing import TYPE_CHECKING, Any

from pipeline.faults import DataFault
from transforms.wording import counted

if TYPE_CHECKING:
    from pipeline.pack.report import Report


def check_ledger(report: "Report", max_failed: float = 0.0, allow_faults: bool = False) -> None:
    """Raises DataFault if the data has more faults than allowed, or if no pair was written."""
    ledger = report.ledger
    read, failed = ledger.read, ledger.failed_pairs
    if not ledger.written:
        counts = f"{counted(read, 'pair')} read, {ledger.rejected_pairs:,} rejected, {failed:,} failed"
        uncaptioned = ledger.rejected.get("no_caption", 0) == read > 0
        hint = "; set source.columns.caption to the field with the caption" if uncaptioned else ""
        raise DataFault(f"no pair was written: {counts}{hint}")
    if failed / read > max_failed:
        raise DataFault(f"{failed:,} of {counted(read, 'pair')} failed, more than --max-failed {max_failed:g} allows")
    for name, table in report.tables.items():
        if (rows_failed := sum(table.failed.values())) > max_failed * table.rows:
            rows = counted(table.rows, "row")
            raise DataFault(f"{name}: {rows_failed:,} of {rows} failed, more than --max-failed {max_failed:g} allows")
    if report.source_faults and not allow_faults:
        fault = report.source_faults[0]
        raise DataFault(f"{fault.source}: {fault.fault} (--allow-source-faults accepts this)")


def check_exported(figures: dict[str, int], written: int, quads: bool) -> None:
    """Raises DataFault if an export has no samples, or `relations` no statements. written: the samples of the run."""
    if not written:
        missing, reason = "samples", "the run has none; its report.html says why"
    elif figures.get("statements") == 0:
        from gritmill.exports.relations.format import why_none

        missing, reason = "statements", why_none(quads).replace("`", "")
    elif figures.get("samples") == 0:
        missing, reason = "samples", "the format can carry none of the run; export another format or run"
    else:
        return
    raise DataFault(f"no {missing} were written, only files without {missing} and a data card: {reason}")


def check_measured(figures: Any, pictures: dict[str, Any]) -> None:
    """Raises DataFault if nothing could be measured."""
    if figures:
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in pictures["unusable"].items())
    if reasons:
        example = next(iter(pictures["examples"].values()))
        message = f"nothing was measured: no image of {pictures['pictures']} can be used: {reasons}"
        raise DataFault(f"{message}, for example {example} (--images sets their folder)")
    raise DataFault(f"nothing was measured: {counted(pictures['pictures'], 'image')}, but no phrase with a true box")


def check_phrases(figures: dict[str, Any]) -> None:
    """Raises DataFault if no phrase of the set is marked."""
    if not figures["marked"]:
        raise DataFault("nothing was measured: no phrase of a caption is marked; name a set with captions and phrases")


def check_relations(result: dict[str, Any]) -> None:
    """Raises DataFault if no caption has statements or boxes, or if the detector was asked and no image can be used."""
    detected = result["detected"]
    if detected is not None:
        check_measured(detected["groups"], detected["pictures"])
    if not (result["reading"] or result["verdicts"] or detected):
        captions = counted(result["captions"]["read"], "caption")
        raise DataFault(f"nothing was measured: {captions}, but no statements, and no claim whose phrases have boxes")


def check_counted(result: dict[str, Any]) -> None:
    """Raises DataFault if no phrase of a run has a number."""
    if not result["curves"]:
        read = counted(result["pairs"]["read"], "pair")
        raise DataFault(f"nothing was measured: {read}, but no phrase with a number and boxes of the detector")


def check_threshold(result: dict[str, Any]) -> None:
    """Raises DataFault if no threshold gives the target precision."""
    if result["threshold"] is not None:
        return
    best = result["highest_precision"]
    highest = f"the highest is {best['precision']:.3f}, at {best['threshold']:g}" if best else "there are no boxes"
    raise DataFault(f"no threshold gives a precision of {result['wished_precision']:g}: {highest}")


def check_readable(result: dict[str, Any]) -> None:
    """Raises DataFault if a file, or a part of one, could not be read, or if nothing was."""
    bad = [file for file in result["files"] if file["fault"]]
    if bad:
        more = f" (and {len(bad) - 1:,} more files)" if len(bad) > 1 else ""
        raise DataFault(f"{bad[0]['uri']}: {bad[0]['fault']}{more}")
    if not result["counts"]["pairs"]:
        other = "no row is in the format; --examples 1 shows one" if result["counts"]["rows"] else "there are no rows"
        reasons = (*result["checks"]["broken_row"]["examples"], *result["left_out"], other)
        raise DataFault(f"nothing was read: {reasons[0]}")
