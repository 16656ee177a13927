"""mdetr: the training format of MDETR and GLIP (ashkamath/mdetr): COCO's format with `tokens_positive`."""

from collections.abc import Iterator, Sequence
from typing import Any

from gritmill.exports.coco_json import coco_lists, xywh
from gritmill.exports.format import (
    ExportCounts,
    ExportFolder,
    LeftOut,
    LineFormat,
    Region,
    all_lines,
    certain_rows,
    origin_fields,
    read_regions,
)
from gritmill.exports.options import Level
from gritmill.exports.readers import ran
from gritmill.reading import Sample
from transforms.selection.select_boxes import ious

_SAME_BOX_IOU = 0.95


class Mdetr(LineFormat):
    """There is one image entry per caption: an image with several captions has several entries.

    Phrases are noun chunks unless the options say otherwise: the words of an expression name other things as well, and
    MDETR would align the box of the dog with "a field" in "a dog in a field" (ashkamath/mdetr, issue 87).

    A box that several phrases name is one annotation with all their spans. Boxes with an IoU of 0.95 or more count as
    the same box, and the last one is kept, as in MDETR's own scripts.
    """

    description = f"""\
`mdetr_train.json` in the format of MDETR's `final_mixed_train.json`, the name under which its loader opens it in
`gqa_ann_path`. `file_name` is relative to this folder: use it as `vg_img_path`, because `data_source` is "vg". The
loader also wants a folder `train2014` in `coco_path`; it may be empty. `tokens_positive_eval` has one list per phrase,
as in MDETR's Flickr30k files.

The loaders were not run on these files: tests read them as the code of both does (`datasets/mixed.py` of
ashkamath/mdetr, commit ea09acc; `maskrcnn_benchmark/data/datasets/mixed.py` of microsoft/GLIP, commit 9dda955), with
pycocotools as there. {ran("pycocotools")} GLIP cuts captions at 256 tokens."""

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes the file from the texts of the lines, which are already as it needs them."""
        categories = [{"id": 1, "name": "object", "supercategory": "object"}]
        with coco_lists("mdetr_train.json", folder, categories) as (images, annotations):
            for line in all_lines(shards, folder):
                # In a text, quotes are escaped; boxes have no texts.
                image, boxes = line.removeprefix('{"image": ').split(', "boxes": [{')
                images.add(image)
                for box in boxes.removesuffix("}]}").split("}, {"):
                    annotations.add_numbered(box)

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        record, number = certain_rows(sample.record, counts), int(sample.key)
        regions = read_regions(record, self.options.level or Level.CHUNKS)
        if not regions:
            raise LeftOut("captions without a region")
        image = {
            "file_name": self.image_name(sample),
            "height": record["height"],
            "width": record["width"],
            "id": number,
            "original_id": number,
            "caption": record["caption"],
            "dataset_name": "gritmill",
            "data_source": "vg",  # the loader of mixed data: "coco" or any other name
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
