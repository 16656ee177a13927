"""tsv: the six columns that Kosmos-2's loader reads (microsoft/unilm, laion2b_obj_loader.py)."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gritmill.exports.format import ExportCounts, ExportFolder, origin_fields
from gritmill.exports.grit import LOW_SCORES, count_low_scores
from gritmill.exports.options import ExportOptions
from gritmill.reading import Sample

_SEPARATORS = frozenset("\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


@dataclass(frozen=True)
class Tsv:
    """Columns: MD5 of the image, caption, image in base64, width, height, and a Python dictionary of the rows.

    The format cannot represent a tab or a line break in a caption. Such pairs are left out and counted.
    """

    options: ExportOptions

    data_files = ""
    description = f"""\
Kosmos-2's training reads this folder with `--laion-data-dir`. It opens `json/train.json`, which lists
`coyo_filtered_tsvs_v1/00000.tsv`; for such a path, its loader reads the file of the same name in
`coyo_filtered_tsvs_v1_obj`. The path of this folder must not contain these names: the loader replaces them there, too.
`origins/` has one line per row with `uid`, `source_key`, `url` and `meta`.

The loader was not run on these files: tests read them as its code does (microsoft/unilm, commit af1d39f, files
`kosmos-2/unilm/tasks/gpt_interleaved_laion_obj.py` and `kosmos-2/unilm/data/vl/laion2b_obj_loader.py`).

{LOW_SCORES}"""

    def shard(self, number: int, samples: Iterator[Sample], folder: ExportFolder) -> ExportCounts:
        counts = ExportCounts()
        origins: list[str] = []
        with folder.publish(f"coyo_filtered_tsvs_v1_obj/{number:05}.tsv") as file:
            for sample in samples:
                if _SEPARATORS.isdisjoint(sample.caption):
                    # The newline is a separator: there is none after the last line.
                    file.write(b"\n" * (counts["samples"] > 0) + "\t".join(_cells(sample)).encode())
                    counts.update({"samples": 1, **count_low_scores(sample.record)})
                    origins.append(json.dumps(origin_fields(sample.record), ensure_ascii=False))
                else:
                    counts["captions with a tab or a line's end, left out"] += 1
        # The six columns have no field for the origin.
        folder.write_lines(f"origins/{number:05}.jsonl", origins)
        return counts

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes the loader's list of files. The paths are relative to the export's folder."""
        names = [f"coyo_filtered_tsvs_v1/{number:05}.tsv" for number in shards]
        source = {"source": names, "source_lang": "grit", "weight": 1.0, "name": "grit"}
        folder.write_lines("json/train.json", [json.dumps([source])])


def _cells(sample: Sample) -> Iterator[str]:
    record = sample.record
    yield hashlib.md5(sample.jpeg, usedforsecurity=False).hexdigest()
    yield sample.caption
    yield base64.b64encode(sample.jpeg).decode("ascii")
    yield str(record["width"])
    yield str(record["height"])
    yield str({"phrase": record["noun_chunks"], "expression_v1": record["ref_exps"]})
