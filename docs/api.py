"""Writes the API pages to build/api/, from the docstrings: `make docs`."""

import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import pdoc
from pdoc import docstrings

_ROW = re.compile(r"^\S.*?\S {2,}\S", re.MULTILINE)
"""A row of a table of contents: names, two blanks or more, an explanation."""

_convert = docstrings.convert


def _with_tables(text: str, *arguments: object) -> str:
    """The docstring in Markdown, with tables of contents and code as blocks of code."""
    blocks = text.split("\n\n")
    fenced = (f"```\n{block}\n```" if _ROW.search(block) or block.startswith("import ") else block for block in blocks)
    return _convert("\n\n".join(fenced), *arguments)


# pyarrow's types are generic in its stubs only: pdoc shows such an annotation as it is written.
warnings.filterwarnings("ignore", message="Error parsing type annotation")
docstrings.convert = _with_tables
pdoc.render.configure(docformat="google")
# A module that imports the client of a store can be documented only if that is installed.
left_out = [] if find_spec("adlfs") else ["!pipeline.files.azure"]
pdoc.pdoc("gritmill", "pipeline", "transforms", *left_out, output_directory=Path("build/api"))
