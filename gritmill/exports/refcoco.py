"""refcoco: `instances.json` and `refs(gritmill).p`, as the REFER toolkit reads them (lichengunc/refer).

A ref is an expression for one thing: expressions with several boxes are left out and counted. Categories are head
nouns.
"""

import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gritmill.exports.coco_json import list_categories, number_categories, write_lists, xywh
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
from pipeline import files
from pipeline.files.publish import publish

_FOLDER, _IMAGES = "refcoco", "images/mscoco/images/train2014"  # the toolkit knows no other names

_DESCRIPTION = """```python
REFER(data_root=".", dataset="refcoco", splitBy="gritmill")  # of lichengunc/refer
```

`refs(gritmill).p` is a pickle of plain containers; `gritmill.plain_pickle.load` reads it without running anything."""


@dataclass(frozen=True)
class RefCoco(LineFormat):
    """See the module's text."""

    @property
    def description(self) -> str:
        """For the data card."""
        return _DESCRIPTION

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Both files, part by part."""
        numbers = number_categories(ref["category"] for _, _, ref in _refs(shards, folder))
        lists = {
            "images": (part["image"] for part in all_parts(shards, folder)),
            "annotations": (_annotation(number, ref, numbers) for number, _, ref in _refs(shards, folder)),
            "categories": list_categories(numbers),
        }
        write_lists(folder, f"{_FOLDER}/instances.json", lists)
        with publish(files.join(folder.uri, f"{_FOLDER}/refs(gritmill).p")) as file:
            # A list of protocol 2, item by item: nothing of it is held in memory.
            file.write(b"\x80\x02]")
            for number, image, ref in _refs(shards, folder):
                file.write(pickle.dumps(_ref(number, image, ref, numbers), 2)[2:-1] + b"a")
            file.write(b".")

    def lines(self, samples: Iterator[Sample], folder: ExportFolder, counts: ExportCounts) -> Iterator[str]:
        for sample in samples:
            if self.options.images:
                folder.write(f"{_IMAGES}/{_name(sample)}", sample.jpeg)
            groups: dict[tuple[int, int], list[Region]] = {}
            for region in read_regions(sample.record, self.options):
                groups.setdefault((region.start, region.end), []).append(region)
            single = [group[0] for group in groups.values() if len(group) == 1]
            counts.update({"samples": 1, "refs": len(single)})
            counts["expressions with several boxes, left out"] += len(groups) - len(single)
            yield json.dumps(_part(sample, single), ensure_ascii=False)


def _name(sample: Sample) -> str:
    return f"{sample.key[:5]}/{sample.key}.jpg"


def _part(sample: Sample, single: Sequence[Region]) -> dict[str, Any]:
    record = sample.record
    image = {"id": int(sample.key), "file_name": _name(sample)}
    image |= {"width": record["width"], "height": record["height"], **origin_fields(record)}
    refs = [{"category": region.head.lower(), "bbox": xywh(region.pixel_box), "raw": region.text} for region in single]
    return {"image": image, "refs": refs}


def _refs(shards: Sequence[int], folder: ExportFolder) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Every ref with its number, from 1, and its image."""
    number = 0
    for part in all_parts(shards, folder):
        for ref in part["refs"]:
            number += 1
            yield number, part["image"], {**ref, "image_id": part["image"]["id"]}


def _annotation(number: int, ref: dict[str, Any], numbers: dict[str, int]) -> dict[str, Any]:
    x, y, wide, high = ref["bbox"]
    corners = [x, y, x + wide, y, x + wide, y + high, x, y + high]
    return {
        "id": number,
        "image_id": ref["image_id"],
        "category_id": numbers[ref["category"]],
        "bbox": ref["bbox"],
        "segmentation": [corners],
        "area": round(wide * high, 3),
        "iscrowd": 0,
    }


def _ref(number: int, image: dict[str, Any], ref: dict[str, Any], numbers: dict[str, int]) -> dict[str, Any]:
    sentence = " ".join(ref["raw"].lower().split())
    return {
        "ref_id": number,
        "ann_id": number,
        "category_id": numbers[ref["category"]],
        "image_id": image["id"],
        # The toolkit's users take what stands before the last "_" for the picture's name.
        "file_name": f"{image['file_name'].removesuffix('.jpg')}_{number}.jpg",
        "split": "train",
        "sent_ids": [number],
        "sentences": [{"sent_id": number, "sent": sentence, "raw": ref["raw"], "tokens": sentence.split()}],
    }
