"""polars: parquet, CSV, JSON, IPC."""

from pathlib import Path
from typing import Any

import polars as pl

from interop.producers.rows import with_bytes, with_paths
from interop.written import Given, Write, Written


def _write(method: str, name: str, in_cells: bool = False, lists: bool = False, **options: Any) -> Write:
    """Calls a method of a data frame. in_cells: with image bytes."""

    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        rows = with_bytes(pairs, truth, lists) if in_cells else with_paths(pairs, truth, folder, lists)
        getattr(pl.DataFrame(rows), method)(folder / name, **options)
        return Written(name, captions=2 if lists else 1)

    return write


def _lazy(method: str, name: str, **options: Any) -> Write:
    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        getattr(pl.LazyFrame(with_paths(pairs, truth, folder)), method)(folder / name, **options)
        return Written(name)

    return write


FORMATS: dict[str, Write] = {
    "write_parquet, bytes": _write("write_parquet", "pairs.parquet", in_cells=True),
    "write_parquet, paths, lists of captions": _write("write_parquet", "pairs.parquet", lists=True),
    "write_parquet, row groups of 5": _write("write_parquet", "pairs.parquet", in_cells=True, row_group_size=5),
    "write_csv": _write("write_csv", "pairs.csv"),
    "write_csv, tab": _write("write_csv", "pairs.tsv", separator="\t"),
    "write_csv, quote_style=always, BOM": _write("write_csv", "pairs.csv", quote_style="always", include_bom=True),
    "write_ndjson": _write("write_ndjson", "pairs.ndjson", lists=True),
    "write_json": _write("write_json", "pairs.json", lists=True),
    "write_ipc": _write("write_ipc", "pairs.arrow", in_cells=True),
    "write_ipc, zstd, .ipc": _write("write_ipc", "pairs.ipc", in_cells=True, compression="zstd"),
    "write_ipc, lists of captions, .feather": _write("write_ipc", "pairs.feather", in_cells=True, lists=True),
    "write_ipc, compat_level=oldest": _write("write_ipc", "pairs.arrow", compat_level=pl.CompatLevel.oldest()),
    "write_ipc_stream": _write("write_ipc_stream", "pairs.arrows", in_cells=True),
    "sink_parquet": _lazy("sink_parquet", "pairs.parquet"),
    "sink_csv": _lazy("sink_csv", "pairs.csv"),
    "sink_ndjson": _lazy("sink_ndjson", "pairs.jsonl"),
}
