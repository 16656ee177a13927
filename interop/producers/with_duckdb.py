"""duckdb: COPY TO parquet, CSV and JSON."""

from pathlib import Path

import duckdb

from interop.producers.rows import with_bytes, with_paths
from interop.written import Given, Write, Written


def _copy(name: str, options: str, in_cells: bool = False, lists: bool = False) -> Write:
    """Copies a table. options: of COPY. in_cells: with image bytes."""

    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        rows = with_bytes(pairs, truth, lists) if in_cells else with_paths(pairs, truth, folder, lists)
        with duckdb.connect() as connection:
            captions = "captions VARCHAR[]" if lists else "caption VARCHAR"
            kind = "BLOB" if in_cells else "VARCHAR"
            connection.execute(f"CREATE TABLE pairs (id VARCHAR, image {kind}, {captions}, score DOUBLE)")
            connection.executemany("INSERT INTO pairs VALUES (?, ?, ?, ?)", [list(row.values()) for row in rows])
            connection.execute(f"COPY pairs TO '{folder / name}' ({options})")
        return Written(name, captions=2 if lists else 1)

    return write


def _partitions(pairs: list[Given], truth: Path, folder: Path) -> Written:
    """A folder `split=…` for each split."""
    _read_blob(pairs, truth, folder)
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT *, if(score < 0.5, 'train', 'test') AS split FROM '{folder}/pairs.parquet')
            TO '{folder}/splits' (FORMAT parquet, PARTITION_BY (split))"""
        )
    return Written("splits")


def _read_blob(pairs: list[Given], truth: Path, folder: Path) -> Written:
    """Pictures of a folder, joined with their captions."""
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT pairs.id, pairs.caption, pairs.score, blobs.content AS image
            FROM read_blob('{truth}/*.jpg') AS blobs JOIN read_json('{truth}/pairs.json') AS pairs
            ON parse_filename(blobs.filename) = pairs.picture) TO '{folder}/pairs.parquet'"""
        )
    return Written("pairs.parquet")


FORMATS: dict[str, Write] = {
    "COPY TO parquet, bytes": _copy("pairs.parquet", "FORMAT parquet", in_cells=True),
    "COPY TO parquet, paths, lists of captions": _copy("pairs.parquet", "FORMAT parquet", lists=True),
    "COPY TO parquet, zstd, version 2": _copy(
        "pairs.parquet", "FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2", in_cells=True
    ),
    "COPY TO parquet, PARTITION_BY": _partitions,
    "COPY TO parquet, read_blob": _read_blob,
    "COPY TO csv": _copy("pairs.csv", "FORMAT csv"),
    "COPY TO csv, gzip": _copy("pairs.csv.gz", "FORMAT csv, COMPRESSION gzip"),
    "COPY TO csv, zstd": _copy("pairs.csv.zst", "FORMAT csv, COMPRESSION zstd"),
    "COPY TO csv, |": _copy("pairs.csv", "FORMAT csv, DELIMITER '|', FORCE_QUOTE *"),
    "COPY TO csv, tab": _copy("pairs.tsv", "FORMAT csv, DELIMITER '\t'"),
    "COPY TO json": _copy("pairs.jsonl", "FORMAT json", lists=True),
    "COPY TO json, ARRAY": _copy("pairs.json", "FORMAT json, ARRAY true", lists=True),
    "COPY TO json, gzip": _copy("pairs.jsonl.gz", "FORMAT json, COMPRESSION gzip"),
    "COPY TO json, zstd": _copy("pairs.ndjson.zst", "FORMAT json, COMPRESSION zstd"),
}
