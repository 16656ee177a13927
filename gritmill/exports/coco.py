"""coco: detection with phrases as categories, and captions, as pycocotools reads them.

`instances.json`: a category for each phrase, lower-cased; boxes as x, y, width, height in pixels. `captions.json`: the
captions of the same images.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gritmill.exports.coco_json import list_categories, number_categories, with_ids, write_lists, xywh
from gritmill.exports.format import (
    ExportCounts,
    ExportFolder,
    LineFormat,
    all_parts,
    image_name,
    origin_fields,
    read_regions,
    write_image,
)
from gritmill.reading import Sample

_DESCRIPTION = """```python
from pycocotools.coco import COCO

COCO('instances.json').loadAnns(…)
COCO('captions.json').imgToAnns[…]
```

A category is a phrase in lower case. `score` stands beside each box, and `tokens_positive` says where its phrase is in
the caption."""


@dataclass(frozen=True)
class Coco(LineFormat):
    """See the module's text."""

    @property
    def description(self) -> str:
        """For the data card."""
        return _DESCRIPTION

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Both files, part by part: nothing but the categories is held in memory."""
        numbers = number_categories(box["category"] for part in all_parts(shards, folder) for box in part["boxes"])
        write_lists(
            folder,
            "instances.json",
            {
                "images": (part["image"] for part in all_parts(shards, folder)),
                "annotations": with_ids(_instances(all_parts(shards, folder), numbers)),
                "categories": list_categories(numbers),
            },
        )
        write_lists(
            folder,
            "captions.json",
            {
                "images": (part["image"] for part in all_parts(shards, folder)),
                "annotations": with_ids(
                    {"image_id": part["image"]["id"], "caption": part["caption"]} for part in all_parts(shards, folder)
                ),
            },
        )

    def lines(self, samples: Iterator[Sample], folder: ExportFolder, counts: ExportCounts) -> Iterator[str]:
        for sample in samples:
            write_image(sample, folder, self.options)
            part = self._part(sample)
            counts.update({"samples": 1, "boxes": len(part["boxes"])})
            yield json.dumps(part, ensure_ascii=False)

    def _part(self, sample: Sample) -> dict[str, Any]:
        record = sample.record
        image_fields = {"width": record["width"], "height": record["height"], **origin_fields(record)}
        return {
            "image": {
                "id": int(sample.key),
                "file_name": image_name(sample),
                "coco_url": record["url"],
                **image_fields,
            },
            "caption": record["caption"],
            "boxes": [
                {
                    "category": region.text.lower(),
                    "bbox": xywh(region.pixel_box),
                    "score": region.score,
                    "tokens_positive": [[region.start, region.end]],
                }
                for region in read_regions(record, self.options)
            ],
        }


def _instances(parts: Iterator[dict[str, Any]], numbers: dict[str, int]) -> Iterator[dict[str, Any]]:
    for part in parts:
        for box in part["boxes"]:
            area = box["bbox"][2] * box["bbox"][3]
            ids = {"image_id": part["image"]["id"], "category_id": numbers[box.pop("category")]}
            yield {**ids, **box, "area": area, "iscrowd": 0}
