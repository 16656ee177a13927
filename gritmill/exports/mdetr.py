"""mdetr: the training format of MDETR and GLIP (ashkamath/mdetr): COCO's format with `tokens_positive`."""

from collections.abc import Iterator, Sequence
from typing import Any

from gritmill.exports.coco_json import write_coco, xywh
from gritmill.exports.format import (
    ExportCounts,
    ExportFolder,
    LineFormat,
    Region,
    all_parts,
    origin_fields,
    read_regions,
)
from gritmill.reading import Sample
from transforms.selection.select_boxes import ious

_SAME_BOX_IOU = 0.95


class Mdetr(LineFormat):
    """There is one image entry per caption: an image with several captions has several entries.

    A box that several phrases name is one annotation with all their spans. Boxes with an IoU of 0.95 or more count as
    the same box, and the last one is kept, as in MDETR's own scripts.
    """

    description = """\
`mdetr_train.json` in the format of MDETR's `final_mixed_train.json`; `tokens_positive_eval` has one list per
phrase, as in its Flickr30k files. `file_name` is relative to this folder."""

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        boxes = (box for part in all_parts(shards, folder) for box in part["boxes"])
        categories = [{"id": 1, "name": "object", "supercategory": "object"}]
        write_coco("mdetr_train.json", shards, folder, boxes, categories)

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        record, number = sample.record, int(sample.key)
        regions = read_regions(record, self.options.level)
        image = {
            "file_name": self.image_name(sample),
            "height": record["height"],
            "width": record["width"],
            "id": number,
            "original_id": number,
            "caption": record["caption"],
            "dataset_name": "gritmill",
            "tokens_negative": [[0, len(record["caption"])]],
            "tokens_positive_eval": [[span] for span in _spans(regions)],
            **origin_fields(record),
        }
        boxes = [_annotation(number, group) for group in _group_same_boxes(regions)]
        counts["boxes"] += len(boxes)
        yield {"image": image, "boxes": boxes}


def _group_same_boxes(regions: Sequence[Region]) -> list[list[Region]]:
    """Groups the regions that have the same box."""
    corners = [region.box.corners for region in regions]
    same_box = ious(corners, corners) >= _SAME_BOX_IOU
    groups: list[list[int]] = []
    for number in range(len(regions)):
        same = next((group for group in groups if same_box[group[-1], number]), None)
        if same is None:
            groups.append([number])
        else:
            same.append(number)
    return [[regions[number] for number in group] for group in groups]


def _annotation(image: int, group: Sequence[Region]) -> dict[str, Any]:
    bbox = xywh(group[-1].pixel_box)
    return {
        "image_id": image,
        "category_id": 1,
        "bbox": bbox,
        "area": round(bbox[2] * bbox[3], 3),
        "iscrowd": 0,
        "tokens_positive": _spans(group),
    }


def _spans(regions: Sequence[Region]) -> list[tuple[int, int]]:
    return sorted({(region.start, region.end) for region in regions})
