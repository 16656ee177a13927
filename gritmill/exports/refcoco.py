"""refcoco: `instances.json` and `refs(gritmill).p`, as the REFER toolkit reads them (lichengunc/refer)."""

import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from gritmill.exports.coco_json import as_polygon, list_categories, number_categories, write_coco, xywh
from gritmill.exports.format import (
    ExportCounts,
    ExportFolder,
    LineFormat,
    Region,
    all_parts,
    certain_rows,
    origin_fields,
    read_classes,
    read_regions,
)
from gritmill.reading import Sample

_FOLDER, _IMAGES = "refcoco", "images/mscoco/images/train2014/"  # fixed names in the toolkit


class RefCoco(LineFormat):
    """A ref is an expression for one thing, so expressions with several boxes are left out and counted.

    Categories are the classes of phrases.
    """

    image_path = _IMAGES + "{0:.5}/{0}.jpg"
    description = """```python
REFER(data_root=".", dataset="refcoco", splitBy="gritmill")  # from lichengunc/refer
```

`refs(gritmill).p` is a pickle of plain containers; `gritmill.plain_pickle.load` reads it without running any code. A
category is the class of a phrase: its head noun or a compound such as "hot dog", in the singular.

gritmill's tests read `instances.json` with pycocotools 2.0.10, and both files with a reader written from `refer.py` of
lichengunc/refer, commit e3bbaa3."""

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes both files, part by part."""
        numbers = number_categories(ref["category"] for _, _, ref in _refs(shards, folder))
        annotations = (_annotation(image, ref, numbers) for _, image, ref in _refs(shards, folder))
        write_coco(f"{_FOLDER}/instances.json", shards, folder, annotations, list_categories(numbers))
        with folder.publish(f"{_FOLDER}/refs(gritmill).p") as file:
            # A list in protocol 2, written item by item, so that it is never in memory.
            file.write(b"\x80\x02]")
            for number, image, ref in _refs(shards, folder):
                file.write(pickle.dumps(_ref(number, image, ref, numbers), 2)[2:-1] + b"a")
            file.write(b".")

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        record = certain_rows(sample.record, counts)
        groups: dict[tuple[int, int], list[tuple[Region, str]]] = {}
        for region, category in zip(read_regions(record, self.options.level), read_classes(record), strict=True):
            groups.setdefault((region.start, region.end), []).append((region, category))
        refs = [
            {"category": category, "bbox": xywh(region.pixel_box), "raw": region.text}
            for (region, category), *others in groups.values()
            if not others
        ]
        counts["refs"] += len(refs)
        counts["expressions with several boxes, left out"] += len(groups) - len(refs)
        image = {
            "id": int(sample.key),
            "file_name": self.image_name(sample).removeprefix(_IMAGES),
            "width": record["width"],
            "height": record["height"],
            **origin_fields(record),
        }
        yield {"image": image, "refs": refs}


def _refs(shards: Sequence[int], folder: ExportFolder) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Each ref as number (from 1), image, ref."""
    refs = ((part["image"], ref) for part in all_parts(shards, folder) for ref in part["refs"])
    yield from ((number, image, ref) for number, (image, ref) in enumerate(refs, 1))


def _annotation(image: dict[str, Any], ref: dict[str, Any], numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "image_id": image["id"],
        "category_id": numbers[ref["category"]],
        "bbox": ref["bbox"],
        "segmentation": [as_polygon(ref["bbox"])],
        "area": round(ref["bbox"][2] * ref["bbox"][3], 3),
        "iscrowd": 0,
    }


def _ref(number: int, image: dict[str, Any], ref: dict[str, Any], numbers: dict[str, int]) -> dict[str, Any]:
    sentence = " ".join(ref["raw"].lower().split())
    return {
        "ref_id": number,
        "ann_id": number,
        "category_id": numbers[ref["category"]],
        "image_id": image["id"],
        # Programs that use the toolkit take the part before the last "_" as the name of the image.
        "file_name": f"{image['file_name'].removesuffix('.jpg')}_{number}.jpg",
        "split": "train",
        "sent_ids": [number],
        "sentences": [{"sent_id": number, "sent": sentence, "raw": ref["raw"], "tokens": sentence.split()}],
    }
