"""coco: boxes with phrases as categories, and captions, in the files that pycocotools reads."""

from collections.abc import Iterator, Sequence
from typing import Any

from gritmill.exports.coco_json import list_categories, number_categories, write_coco, xywh
from gritmill.exports.format import ExportCounts, ExportFolder, LineFormat, all_parts, origin_fields, read_regions
from gritmill.reading import Sample


class Coco(LineFormat):
    """`instances.json`: one category per lower-cased phrase; boxes are x, y, width, height in pixels.

    `captions.json`: the captions of the same images.
    """

    description = """```python
from pycocotools.coco import COCO

COCO('instances.json').loadAnns(…)
COCO('captions.json').imgToAnns[…]
```

A category is a phrase in lower case. Each box has its `score`, and in `tokens_positive` the span of its phrase in the
caption."""

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes both files, part by part. Only the categories are held in memory."""
        numbers = number_categories(box["category"] for part in all_parts(shards, folder) for box in part["boxes"])
        boxes = _instances(all_parts(shards, folder), numbers)
        write_coco("instances.json", shards, folder, boxes, list_categories(numbers))
        captions = ({"image_id": part["image"]["id"], "caption": part["caption"]} for part in all_parts(shards, folder))
        write_coco("captions.json", shards, folder, captions)

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        record = sample.record
        boxes = [
            {
                "category": region.text.lower(),
                "bbox": xywh(region.pixel_box),
                "score": region.box.score,
                "tokens_positive": [[region.start, region.end]],
            }
            for region in read_regions(record, self.options.level)
        ]
        counts["boxes"] += len(boxes)
        image = {
            "id": int(sample.key),
            "file_name": self.image_name(sample),
            "coco_url": record["url"],
            "width": record["width"],
            "height": record["height"],
            **origin_fields(record),
        }
        yield {"image": image, "caption": record["caption"], "boxes": boxes}


def _instances(parts: Iterator[dict[str, Any]], numbers: dict[str, int]) -> Iterator[dict[str, Any]]:
    for part in parts:
        for box in part["boxes"]:
            area = box["bbox"][2] * box["bbox"][3]
            ids = {"image_id": part["image"]["id"], "category_id": numbers[box.pop("category")]}
            yield {**ids, **box, "area": area, "iscrowd": 0}
