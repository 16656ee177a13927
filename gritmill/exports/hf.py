"""hf: a folder that `datasets.load_dataset` opens, with pictures and typed features: parquet, a file a shard."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gritmill.exports.format import ExportCounts, ExportFolder
from gritmill.exports.options import Options
from gritmill.reading import Sample
from pipeline import files
from pipeline.files.publish import publish

_BATCH = 100  # pictures in memory, and rows a group: the viewer of the hub wants groups of some megabytes

_DESCRIPTION = """```python
from datasets import load_dataset

load_dataset(".", split="train")[0]["groundings"]
```"""

_GROUNDING = pa.struct(
    [
        ("phrase", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("expression", pa.string()),
        ("expression_start", pa.int32()),
        ("expression_end", pa.int32()),
        ("head", pa.string()),
        ("box", pa.list_(pa.float32(), 4)),
        ("score", pa.float32()),
    ]
)
_COLUMNS: "list[tuple[str, pa.DataType]]" = [
    ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ("caption", pa.string()),
    ("grounded", pa.string()),
    ("groundings", pa.list_(_GROUNDING)),
    ("width", pa.int32()),
    ("height", pa.int32()),
    *((name, pa.string()) for name in ("key", "uid", "source_key", "url")),
    ("id", pa.int64()),
    ("meta", pa.string()),
]


def _feature(kind: pa.DataType) -> Any:
    """A type as `datasets` writes it into a parquet file's metadata."""
    if pa.types.is_struct(kind):
        return {kind.field(i).name: _feature(kind.field(i).type) for i in range(kind.num_fields)}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "length": kind.list_size, "_type": "List"}
    names = {"double": "float64", "float": "float32"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


_FEATURES = {name: {"_type": "Image"} if name == "image" else _feature(kind) for name, kind in _COLUMNS}

SCHEMA = pa.schema(_COLUMNS, {"huggingface": json.dumps({"info": {"features": _FEATURES}})})


@dataclass(frozen=True)
class Hf:
    """See the module's text."""

    options: Options

    @property
    def description(self) -> str:
        """For the data card."""
        return _DESCRIPTION

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        """A parquet file."""
        counts = ExportCounts()
        with (
            publish(files.join(folder.uri, f"data/train-{number:05}.parquet")) as file,
            pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer,
        ):
            while rows := [_row(sample) for sample in islice(samples, _BATCH)]:
                writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
                counts.update({"samples": len(rows), "boxes": sum(len(row["groundings"]) for row in rows)})
        return counts

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Nothing to add to the shards' files; without a shard an empty file holds the schema."""
        if not shards:
            self.shard(0, iter(()), folder)


def _row(sample: Sample) -> dict[str, Any]:
    record = sample.record
    plain = {name: record[name] for name, _ in _COLUMNS if name in record}
    image = {"bytes": sample.jpeg, "path": f"{sample.key}.jpg"}
    return {**plain, "image": image, "grounded": sample.grounded, "groundings": list(_groundings(record))}


def _groundings(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    caption = record["caption"]
    for chunk, expression, head in zip(record["noun_chunks"], record["ref_exps"], record["heads"], strict=True):
        yield {
            "phrase": caption[chunk[0] : chunk[1]],
            "start": chunk[0],
            "end": chunk[1],
            "expression": caption[expression[0] : expression[1]],
            "expression_start": expression[0],
            "expression_end": expression[1],
            "head": caption[head[0] : head[1]],
            "box": chunk[2:6],
            "score": chunk[6],
        }
