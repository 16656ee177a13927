"""`gritmill audit`: faults of grounded data of any origin. This module must import fast, for the command line."""

from typing import Any

from gritmill.auditing.options import (
    Audited,
    ColumnOption,
    DialectOption,
    Examples,
    FormatOption,
    LimitRows,
    NoClaims,
)
from gritmill.options import check_limit, list_paths
from pipeline.faults import CallError


def audit(
    inputs: Audited,
    *,
    format: FormatOption = None,
    dialect: DialectOption = None,
    column: ColumnOption = None,
    limit: LimitRows = None,
    examples: Examples = 3,
    no_claims: NoClaims = False,
) -> dict[str, Any]:
    """Counts faults in captions with boxes, of any origin, without their images: see docs/audit.md.

    Args:
      format: grit, odvg, coco, hf or truth. Default: what the first rows look like.
      dialect: the files have texts in this dialect. column: of the texts.
      limit: read only so many rows, spread evenly over the files. examples: of each fault.
      no_claims: do not parse captions.

    Returns:
      `files`: for each file `uri`, `taken` (what it was taken for), `rows`, `broken` and `fault` (why it cannot be
      read, or not completely). `left_out`: a line for each file or folder whose format is unknown. `runs`: folders of
      gritmill's runs that files belong to, if their records have claims, and not all boxes come from the source.
      `counts`: the numbers of pictures, pairs, boxes, ….
      `checks`: by name, `title`, `found` among `of` of the `unit`, `per_thousand` with its interval of 95 %, `low` and
      `high` (None if `of` is 0), and `examples`. `claims`: by kind, the same for each verdict, and the number of each
      verdict by predicate; None with `no_claims`.

    Raises:
      CallError: an argument is wrong, or an input matches no file.
    """
    check_limit(limit)
    if examples < 0:
        raise CallError(f"--examples: {examples}: must be at least 0")
    paths = list_paths(inputs, "FILE: the list is empty")
    from gritmill.auditing.find_files import find_files, runs_with_claims
    from gritmill.auditing.read_rows import RowReader
    from gritmill.auditing.run import run

    reader = RowReader.from_options(format, dialect, column)
    left_out: list[str] = []
    found = find_files(paths, left_out.append)
    return run(found, reader, limit, examples, not no_claims, left_out) | {"runs": runs_with_claims(found)}
