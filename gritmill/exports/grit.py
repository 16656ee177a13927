"""grit: rows as in the release of GRIT (zzliang/GRIT): parquet with doubles in the lists, JSON lines with integers."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gritmill.exports.format import ExportCounts, ExportFolder
from gritmill.exports.options import ExportOptions
from gritmill.exports.readers import ran
from gritmill.reading import Sample
from pipeline import layout
from transforms.grit_record import COLUMNS

MIN_SCORE = 0.65
"""Kosmos-2's loader drops rows with a lower score (`--box-score-threshold`). The value was chosen for GLIP's scores."""

_CLIP = ("clip_similarity_vitb32", "clip_similarity_vitl14")
# The released columns, then three of gritmill's, which give the origin of a row.
_NAMES = (
    *("key", *_CLIP, "id", "url", "caption", "width", "height", "noun_chunks", "ref_exps"),
    *("uid", "source_key", "meta"),
)
_TYPES = {column.name: pa.int64() if pa.types.is_integer(column.type) else column.type for column in COLUMNS}
_TYPES |= dict.fromkeys(_CLIP, pa.float64())
SCHEMA = pa.schema([pa.field(name, _TYPES[name]) for name in _NAMES])

LOW_SCORES = """Kosmos-2's loader drops rows with a score below 0.65 unless it is called with another
`--box-score-threshold`. That value was chosen for GLIP. The scores here are unchanged."""


@dataclass(frozen=True)
class Grit:
    """Readers of the parquet must cast the offsets to integers. unilm's tools do not; they read the JSON lines."""

    options: ExportOptions

    data_files = "grit-20m/*.parquet"
    description = f"""\
`grit-20m/coyo_{{i}}_snappy.parquet` and `grit_coyo.jsonl`, with the columns of the released GRIT followed by three
of gritmill's. The similarities of CLIP are null, unless the source has columns with their names. Images are not
included, as in GRIT. {ran("datasets")} Tests slice captions with the
offsets of the lines, as unilm's tools do (commit af1d39f).

{LOW_SCORES}"""

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        rows = [_row(sample.record) for sample in samples]
        with folder.publish(f"grit-20m/coyo_{number}_snappy.parquet") as file:
            pq.write_table(pa.Table.from_pylist(rows, SCHEMA), file, compression="snappy")
        folder.write_lines(layout.export_part(number), (json.dumps(row, ensure_ascii=False) for row in rows))
        counts = ExportCounts(samples=len(rows))
        for row in rows:
            counts.update(count_low_scores(row))
        return counts

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        folder.join_lines("grit_coyo.jsonl", shards)


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    values = {**record, **_clip_similarities(record["meta"])}
    return {name: values[name] for name in _NAMES}


def _clip_similarities(meta: str) -> dict[str, float | None]:
    """The two similarities of CLIP, from the source's values; None if there are none."""
    # As floats, because Python limits the digits of integers, and the largest ones are no floats.
    found = json.loads(meta, parse_int=float) if "clip_similarity" in meta else {}
    return {name: _number(found.get(name)) for name in _CLIP}


def _number(value: Any) -> float | None:
    """The value as a finite number, also of a table's text; otherwise None."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def count_low_scores(record: Mapping[str, Any]) -> ExportCounts:
    """Counts the rows of a record, those that Kosmos-2's loader drops by default, and whether it drops all of them."""
    scores = [row[6] for row in record["ref_exps"]]
    low = sum(score < MIN_SCORE for score in scores)
    return ExportCounts({"rows": len(scores), "rows below 0.65": low, "pairs all below 0.65": int(low == len(scores))})
