"""odvg: JSON lines of mmdetection's ODVGDataset, which Open-GroundingDino reads as well.

A region has one flat box in pixels: mmdetection takes lists of boxes too, Open-GroundingDino does not. mmdetection goes
by `tokens_positive` alone, Open-GroundingDino by the phrases alone.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gritmill.exports.format import (
    ExportCounts,
    ExportFolder,
    LineFormat,
    all_lines,
    image_name,
    origin_fields,
    read_regions,
    write_image,
)
from gritmill.reading import Sample

_MIN_SIDE = 1.0  # mmdetection drops boxes of less than a pixel


_DESCRIPTION = """```python
# mmdetection; Open-GroundingDino takes the same file as `anno` of a dataset of mode "odvg"
dict(type='ODVGDataset', data_root='.', ann_file='odvg.jsonl', label_map_file=None, data_prefix=dict(img=''))
```"""


@dataclass(frozen=True)
class Odvg(LineFormat):
    """See the module's text."""

    @property
    def description(self) -> str:
        """For the data card."""
        return _DESCRIPTION

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """One file of all lines."""
        folder.write_lines("odvg.jsonl", all_lines(shards, folder))

    def lines(self, samples: Iterator[Sample], folder: ExportFolder, counts: ExportCounts) -> Iterator[str]:
        for sample in samples:
            write_image(sample, folder, self.options)
            row = self._row(sample)
            boxes = len(row["grounding"]["regions"])
            counts.update({"samples": 1, "boxes": boxes})
            counts["boxes of less than a pixel, left out"] += len(sample.record["ref_exps"]) - boxes
            yield json.dumps(row, ensure_ascii=False)

    def _row(self, sample: Sample) -> dict[str, Any]:
        record = sample.record
        return {
            "filename": image_name(sample),
            "height": record["height"],
            "width": record["width"],
            "grounding": {
                "caption": record["caption"],
                "regions": [
                    {
                        "bbox": [round(corner, 3) for corner in region.pixel_box],
                        "phrase": region.text,
                        "tokens_positive": [[region.start, region.end]],
                    }
                    for region in read_regions(record, self.options)
                    if min(region.pixel_box[2] - region.pixel_box[0], region.pixel_box[3] - region.pixel_box[1])
                    >= _MIN_SIDE
                ],
            },
            **origin_fields(record),
        }
