"""hf: a folder that `datasets.load_dataset` opens, with images and typed features: one parquet file per shard."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gritmill.exports.format import ExportCounts, ExportFolder, Region, read_regions
from gritmill.exports.options import ExportOptions, Level
from gritmill.exports.readers import ran
from gritmill.reading import Sample
from transforms import grit_record

_BATCH = 100  # images in memory, and rows per row group: the hub's viewer needs groups of a few megabytes

_GROUNDING: "dict[str, tuple[pa.DataType, Callable[[Region, Region], Any]]]" = {
    "phrase": (pa.string(), lambda chunk, expression: chunk.text),
    "start": (pa.int32(), lambda chunk, expression: chunk.start),
    "end": (pa.int32(), lambda chunk, expression: chunk.end),
    "expression": (pa.string(), lambda chunk, expression: expression.text),
    "expression_start": (pa.int32(), lambda chunk, expression: expression.start),
    "expression_end": (pa.int32(), lambda chunk, expression: expression.end),
    "head": (pa.string(), lambda chunk, expression: chunk.head),
    "box": (pa.list_(pa.float32(), 4), lambda chunk, expression: chunk.box.corners),
    "score": (pa.float32(), lambda chunk, expression: chunk.box.score),
}
"""The fields of a grounding: the type, and a function that computes the value from the rows of both levels."""

_FIRST = (
    *("image", "caption", "grounded", "groundings", "width", "height"),
    *("key", "uid", "source_key", "url", "id", "meta"),
)
"""The first columns, in this order. The other columns of the record follow."""

_IN_GROUNDINGS = {"noun_chunks", "ref_exps", "heads"}


def _schema() -> pa.Schema:
    """The columns of this format, and those of the record except its rows, which are in `groundings`."""
    types = {
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        "grounded": pa.string(),
        "groundings": pa.list_(pa.struct([(name, kind) for name, (kind, _) in _GROUNDING.items()])),
        **{column.name: column.type for column in grit_record.COLUMNS if column.name not in _IN_GROUNDINGS},
    }
    types = {name: types[name] for name in dict.fromkeys((*_FIRST, *types))}
    features = {name: {"_type": "Image"} if name == "image" else _feature(kind) for name, kind in types.items()}
    return pa.schema(list(types.items()), {"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: pa.DataType) -> Any:
    """A type as `datasets` writes it to the metadata of a parquet file."""
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind.fields}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "length": kind.list_size, "_type": "List"}
    names = {"double": "float64", "float": "float32"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


@dataclass(frozen=True)
class Hf:
    """Each row is a sample: image, caption, grounded text, `groundings`, and the other columns of the record."""

    options: ExportOptions

    data_files = "data/train-*.parquet"
    description = f"""```python
from datasets import load_dataset

load_dataset(".", split="train")[0]["groundings"]
```

{ran("datasets")} It loads them as a whole and streaming."""

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        counts, schema = ExportCounts(), _schema()
        with (
            folder.publish(f"data/train-{number:05}.parquet") as file,
            pq.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            while rows := [_row(sample) for sample in islice(samples, _BATCH)]:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                counts.update({"samples": len(rows), "boxes": sum(len(row["groundings"]) for row in rows)})
                rows.clear()  # before the next images are read
        return counts

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes an empty file with the schema if there are no shards; otherwise does nothing."""
        if not shards:
            self.shard(0, iter(()), folder)


def _row(sample: Sample) -> dict[str, Any]:
    """The row of a sample. Fields of the record that have no column are ignored."""
    chunks, expressions = (read_regions(sample.record, level) for level in (Level.CHUNKS, Level.EXPRESSIONS))
    groundings = [
        {name: value(*rows) for name, (_, value) in _GROUNDING.items()}
        for rows in zip(chunks, expressions, strict=True)
    ]
    image = {"bytes": sample.jpeg, "path": f"{sample.key}.jpg"}
    return {**sample.record, "image": image, "grounded": sample.grounded, "groundings": groundings}
