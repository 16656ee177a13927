"""mdetr: what MDETR and GLIP are trained on (ashkamath/mdetr): COCO's form with `tokens_positive`.

An image entry stands for a caption, not for a picture. A box that several phrases name is one annotation with all
their spans: boxes that overlap by an IoU of 0.95 or more count as one, and the last one is kept, as in the project's
own scripts.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gritmill.exports.coco_json import with_ids, write_lists, xywh
from gritmill.exports.format import (
    ExportCounts,
    ExportFolder,
    LineFormat,
    Region,
    all_parts,
    image_name,
    origin_fields,
    read_regions,
    write_image,
)
from gritmill.reading import Sample
from transforms.selection.select_boxes import ious

_FILE_NAME = "mdetr_train.json"
_SAME_BOX_IOU = 0.95

_DESCRIPTION = """\
`mdetr_train.json` in the form of MDETR's `final_mixed_train.json`; `tokens_positive_eval` has one list a
phrase, as in its Flickr30k files. `file_name` is relative to this folder."""


@dataclass(frozen=True)
class Mdetr(LineFormat):
    """See the module's text."""

    @property
    def description(self) -> str:
        """For the data card."""
        return _DESCRIPTION

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """One file of all."""
        write_lists(
            folder,
            _FILE_NAME,
            {
                "images": (part["image"] for part in all_parts(shards, folder)),
                "annotations": with_ids(box for part in all_parts(shards, folder) for box in part["boxes"]),
                "categories": iter([{"id": 1, "name": "object", "supercategory": "object"}]),
            },
        )

    def lines(self, samples: Iterator[Sample], folder: ExportFolder, counts: ExportCounts) -> Iterator[str]:
        for sample in samples:
            write_image(sample, folder, self.options)
            part = _part(sample, read_regions(sample.record, self.options))
            counts.update({"samples": 1, "boxes": len(part["boxes"])})
            yield json.dumps(part, ensure_ascii=False)


def _part(sample: Sample, record_regions: Sequence[Region]) -> dict[str, Any]:
    record, number = sample.record, int(sample.key)
    spans = sorted({(region.start, region.end) for region in record_regions})
    image = {
        "file_name": image_name(sample),
        "height": record["height"],
        "width": record["width"],
        "id": number,
        "original_id": number,
        "caption": record["caption"],
        "dataset_name": "gritmill",
        "tokens_negative": [[0, len(record["caption"])]],
        "tokens_positive_eval": [[list(span)] for span in spans],
        **origin_fields(record),
    }
    boxes = [_annotation(number, group) for group in _group_same_boxes(record_regions)]
    return {"image": image, "boxes": boxes}


def _group_same_boxes(record_regions: Sequence[Region]) -> list[list[Region]]:
    """The regions, those of one box in one list."""
    corners = np.array([region.normalized_box for region in record_regions], float).reshape(-1, 4).T
    same_box = ious(corners[:, :, None], corners[:, None]) >= _SAME_BOX_IOU
    groups: list[list[int]] = []
    for number in range(len(record_regions)):
        same = next((group for group in groups if same_box[group[-1], number]), None)
        if same is None:
            groups.append([number])
        else:
            same.append(number)
    return [[record_regions[number] for number in group] for group in groups]


def _annotation(image: int, group: Sequence[Region]) -> dict[str, Any]:
    bbox = xywh(group[-1].pixel_box)
    return {
        "image_id": image,
        "category_id": 1,
        "bbox": bbox,
        "area": round(bbox[2] * bbox[3], 3),
        "iscrowd": 0,
        "tokens_positive": [list(span) for span in sorted({(region.start, region.end) for region in group})],
    }
