"""Reads files, and adds up what the checks find. The memory does not grow with the number of rows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from gritmill.auditing.checked_row import CheckedRow
from gritmill.auditing.checks import CHECKS, UNITS
from gritmill.auditing.rates import Sums, Tally
from gritmill.auditing.read_file import BrokenRow, Picked, count_rows
from gritmill.auditing.read_rows import Planned, RowReader, UnknownFormat
from gritmill.auditing.same_image import SameImages
from pipeline.faults import SourceFault, first_line
from transforms.claims.verdicts import RULES_VERSION, Verdict
from transforms.records import ClaimKind

if TYPE_CHECKING:
    from gritmill.auditing.claims import ClaimReader

_BATCH = 256  # captions that are parsed at a time
_BROKEN = "broken_row"
_OF_CHECK = {_BROKEN: "rows", **{check.name: check.of for check in CHECKS}}
_TITLES = {_BROKEN: "rows that are not in the format", **{check.name: check.title for check in CHECKS}}

_CLAIM_TITLES = {
    "fewer_boxes": "counts whose phrase has boxes, but fewer than stated",
    "no_noun_phrase": "phrases that are no noun phrase of the parser",
}


@dataclass
class AuditedFile:
    """What was read of a file; see `gritmill.audit`."""

    uri: str
    taken: str = ""
    rows: int = 0
    broken: int = 0
    fault: str = ""


def run(
    uris: Sequence[str],
    reader: RowReader,
    limit: int | None,
    examples: int,
    with_claims: bool,
    left_out: list[str],
) -> dict[str, Any]:
    """The result of `gritmill.audit`. left_out: lines about what is not among the URIs; those about files are added."""
    files: list[AuditedFile] = []
    planned: list[tuple[AuditedFile, Planned]] = []
    for uri in uris:
        try:
            plan = reader.plan(uri)
            files.append(AuditedFile(uri, plan.taken))
            planned.append((files[-1], plan))
        except UnknownFormat as error:
            left_out.append(f"{uri}: {error}")
        except (SourceFault, OSError) as error:
            files.append(AuditedFile(uri, fault=first_line(error)))
    claim_reader, of_check = None, _OF_CHECK
    if with_claims:
        from gritmill.auditing.claims import OF_CHECK, ClaimReader  # imports spaCy

        claim_reader, of_check = ClaimReader(), _OF_CHECK | OF_CHECK
    tally = Tally(of_check, examples)
    found = _rows(planned, limit)
    while rows := list(islice(found, _BATCH)):
        _add(tally, rows, claim_reader)
    tally.close()
    return {
        "files": [asdict(one) for one in files],
        "left_out": left_out,
        "limit": limit,
        "counts": {"pictures": tally.pictures, **{name: tally.units[name] for name in ("rows", *UNITS)}},
        "checks": _checks(tally, with_claims),
        "claims": _claims(tally, claim_reader) if claim_reader else None,
    }


_Row = tuple[str, CheckedRow | BrokenRow, bool]
"""The place of a row, what it is, and whether it is the first of its place: a conversation has several."""


def _rows(planned: Sequence[tuple[AuditedFile, Planned]], limit: int | None) -> Iterator[_Row]:
    """The rows of all files. What is read is noted in the `AuditedFile`s."""
    sizes = [count_rows(plan.uri, plan.kind) if limit is not None else 0 for _, plan in planned]
    offset = 0
    for (file, plan), size in zip(planned, sizes, strict=True):
        picked = _everywhere if limit is None else _spread(limit, sum(sizes), offset)
        offset += size
        named = SameImages(file.uri)
        try:
            for place, found in plan.rows(picked):
                file.rows += 1
                if isinstance(found, BrokenRow):
                    file.broken += 1
                    yield place, found, True
                else:
                    yield from ((place, CheckedRow(named(row)), at == 0) for at, row in enumerate(found))
        except (SourceFault, OSError) as error:
            file.fault = first_line(error)


def _everywhere(position: int) -> bool:
    return True


def _spread(limit: int, total: int, offset: int) -> Picked:
    """Picks `limit` of `total` rows at equal distances. offset: the rows of the files before this one."""
    total = max(total, 1)
    return lambda at: (offset + at + 1) * limit // total > (offset + at) * limit // total or limit >= total


def _add(tally: Tally, rows: Sequence[_Row], claim_reader: "ClaimReader | None") -> None:
    good = [row for _, row, _ in rows if isinstance(row, CheckedRow)]
    of_claims = iter(claim_reader.check(good) if claim_reader else ())
    for place, row, is_first in rows:
        if isinstance(row, BrokenRow):
            tally.add(place, place, {"rows": 1}, {_BROKEN: [row.reason]})
            continue
        units = {name: count(row) for name, count in UNITS.items()} | {"rows": int(is_first)}
        found = {check.name: lines for check in CHECKS if (lines := list(check.find(row)))}
        more_units, more_found = next(of_claims, ({}, {}))
        tally.add(row.row.picture, place, units | more_units, found | more_found)


def _checks(tally: Tally, with_claims: bool) -> dict[str, Any]:
    titles = _TITLES | (_CLAIM_TITLES if with_claims else {})
    return {name: _figures(tally, name, title) for name, title in titles.items()}


def _claims(tally: Tally, reader: "ClaimReader") -> dict[str, Any]:
    """By kind: the number of claims, the figures of each verdict, and the numbers of verdicts by predicate."""
    result: dict[str, Any] = {"rules": RULES_VERSION}
    for kind in ClaimKind:
        predicates: dict[str, Counter[str]] = {}
        for (of_kind, predicate, verdict), number in sorted(reader.by_predicate.items()):
            if of_kind == kind:
                predicates.setdefault(predicate, Counter())[verdict] = number
        verdicts = {verdict: _figures(tally, f"{kind}_{verdict}", f"{kind}s {verdict}") for verdict in Verdict}
        result[kind] = {"number": tally.units[f"{kind}s"], **verdicts, "predicates": predicates}
    return result


def _figures(tally: Tally, name: str, title: str) -> dict[str, Any]:
    sums = tally.sums.get(name, Sums())
    interval = sums.interval()
    rates = [None, None, None] if interval is None else [1000 * value for value in interval]
    return {
        "title": title,
        "found": sums.found,
        "of": sums.of,
        "unit": tally.of_check[name],
        **dict(zip(("per_thousand", "low", "high"), rates, strict=True)),
        "examples": tally.examples.get(name, []),
    }
