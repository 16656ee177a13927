"""pandas: parquet, CSV, JSON, feather."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd

from interop.producers.rows import with_bytes, with_paths
from interop.written import Given, Write, Written


def _paths(pairs: list[Given], truth: Path, folder: Path) -> pd.DataFrame:
    return pd.DataFrame(with_paths(pairs, truth, folder))


def _parquet_bytes(pairs: list[Given], truth: Path, folder: Path) -> Written:
    pd.DataFrame(with_bytes(pairs, truth)).to_parquet(folder / "pairs.parquet")
    return Written("pairs.parquet")


def _parquet_lists(pairs: list[Given], truth: Path, folder: Path) -> Written:
    pd.DataFrame(with_paths(pairs, truth, folder, lists=True)).to_parquet(folder / "pairs.parquet", index=False)
    return Written("pairs.parquet", captions=2)


def _parquet_index(pairs: list[Given], truth: Path, folder: Path) -> Written:
    _paths(pairs, truth, folder).set_index("id").to_parquet(folder / "pairs.parquet", compression="zstd")
    return Written("pairs.parquet")


def _parquet_partitions(pairs: list[Given], truth: Path, folder: Path) -> Written:
    table = pd.DataFrame(with_bytes(pairs, truth)).assign(split=["train", "test"] * (len(pairs) // 2))
    table.to_parquet(folder / "pairs", partition_cols=["split"])
    return Written("pairs")


def _csv(name: str, **options: Any) -> Write:
    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        _paths(pairs, truth, folder).to_csv(folder / name, **options)
        return Written(name)

    return write


def _json(name: str, **options: Any) -> Write:
    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        _paths(pairs, truth, folder).to_json(folder / name, **options)
        return Written(name)

    return write


def _json_base64(pairs: list[Given], truth: Path, folder: Path) -> Written:
    table = pd.DataFrame(with_bytes(pairs, truth))
    table["image"] = [base64.b64encode(image).decode() for image in table["image"]]
    table.to_json(folder / "pairs.jsonl", orient="records", lines=True)
    return Written("pairs.jsonl")


def _feather(pairs: list[Given], truth: Path, folder: Path) -> Written:
    pd.DataFrame(with_bytes(pairs, truth)).to_feather(folder / "pairs.feather")
    return Written("pairs.feather")


FORMATS: dict[str, Write] = {
    "to_parquet, bytes": _parquet_bytes,
    "to_parquet, paths, lists of captions": _parquet_lists,
    "to_parquet, paths, ids as index": _parquet_index,
    "to_parquet, partition_cols": _parquet_partitions,
    "to_csv": _csv("pairs.csv"),
    "to_csv, index=False": _csv("pairs.csv", index=False),
    "to_csv, sep=tab, gz": _csv("pairs.tsv.gz", index=False, sep="\t"),
    "to_csv, sep=;, utf-8-sig": _csv("pairs.csv", index=False, sep=";", encoding="utf-8-sig"),
    "to_csv, utf-16": _csv("pairs.csv", index=False, encoding="utf-16"),
    "to_csv, quoting=all": _csv("pairs.csv", index=False, quoting=1, lineterminator="\r\n"),
    "to_json, records": _json("pairs.json", orient="records"),
    "to_json, records, indent": _json("pairs.json", orient="records", indent=2, force_ascii=False),
    "to_json, records, lines": _json("pairs.jsonl", orient="records", lines=True),
    "to_json, records, lines, gz": _json("pairs.jsonl.gz", orient="records", lines=True, force_ascii=False),
    "to_json, table": _json("pairs.json", orient="table", index=False),
    "to_json, columns": _json("pairs.json"),
    "to_json, split": _json("pairs.json", orient="split"),
    "to_json, lines, base64": _json_base64,
    "to_feather": _feather,
}
