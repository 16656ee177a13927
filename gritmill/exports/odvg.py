"""odvg: the JSON lines of mmdetection's ODVGDataset, which Open-GroundingDino also reads."""

from collections.abc import Iterator
from typing import Any

from gritmill.exports.format import ExportCounts, ExportFolder, LineFormat, origin_fields, read_regions
from gritmill.reading import Sample

_MIN_SIDE = 1.0  # mmdetection drops boxes with a side below one pixel


class Odvg(LineFormat):
    """Each region has one flat box in pixels: mmdetection accepts lists of boxes too, Open-GroundingDino does not.

    mmdetection uses only `tokens_positive`, Open-GroundingDino only the phrases.
    """

    file_name = "odvg.jsonl"
    description = """```python
# mmdetection; Open-GroundingDino accepts the same file as `anno` of a dataset of mode "odvg"
dict(type='ODVGDataset', data_root='.', ann_file='odvg.jsonl', label_map_file=None, data_prefix=dict(img=''))
```"""

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        record = sample.record
        found = read_regions(record, self.options.level)
        regions = [
            {
                "bbox": [round(corner, 3) for corner in region.pixel_box],
                "phrase": region.text,
                "tokens_positive": [[region.start, region.end]],
            }
            for region in found
            if min(region.pixel_box[2] - region.pixel_box[0], region.pixel_box[3] - region.pixel_box[1]) >= _MIN_SIDE
        ]
        counts["boxes"] += len(regions)
        counts["boxes of less than a pixel, left out"] += len(found) - len(regions)
        yield {
            "filename": self.image_name(sample),
            "height": record["height"],
            "width": record["width"],
            "grounding": {"caption": record["caption"], "regions": regions},
            **origin_fields(record),
        }
