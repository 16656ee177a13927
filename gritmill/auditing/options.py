"""The options of `gritmill audit`. This module must import fast."""

from typing import Annotated

from gritmill.options import Option, PathsOrUris

Audited = Annotated[
    PathsOrUris, Option("", "Grounded data: paths, globs, brace patterns, folders or URIs.", "FILE", cli_type=list[str])
]
FormatOption = Annotated[
    str | None,
    Option("--format", "Format: grit, odvg, coco, hf, truth. Default: that of the first rows.", "NAME"),
]
DialectOption = Annotated[str | None, Option("--dialect", "The files have texts in this dialect.", "NAME")]
ColumnOption = Annotated[
    str | None, Option("--column", "Column of the texts. Default: grounded, text, caption or conversations.", "NAME")
]
LimitRows = Annotated[int | None, Option("--limit", "Read only N rows, spread evenly over the files.", "N", min=1)]
Examples = Annotated[int, Option("--examples", "Examples of each fault.", "N", min=0)]
NoClaims = Annotated[bool, Option("--no-claims", "Do not parse captions. Most of the time goes there.")]
