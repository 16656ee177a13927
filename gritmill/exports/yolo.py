"""yolo: one text file per image, one line per box: class, centre, width and height as fractions of the image."""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from gritmill.exports.coco_json import number_categories
from gritmill.exports.format import ExportCounts, ExportFolder, LineFormat, all_parts, origin_fields, read_regions
from gritmill.reading import Sample
from transforms.text.grounded_caption import Corners


class Yolo(LineFormat):
    """Classes are head nouns. `data.yaml` lists them in the order of their first occurrence.

    `labels/` mirrors `images/`, as Ultralytics requires.
    """

    description = """```
yolo detect train data=data.yaml
```

A class is the head noun of a phrase, in lower case. Captions are not included. `parts/` has the `uid`, `source_key`,
`url` and `meta` of each image."""

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> None:
        """Writes the labels and `data.yaml`. The classes can be numbered only when all of them are known."""
        classes = number_categories((name for part in all_parts(shards, folder) for name, _ in part["boxes"]), first=0)
        for part in all_parts(shards, folder):
            lines = (f"{classes[name]} {' '.join(map(str, box))}" for name, box in part["boxes"])
            folder.write_lines(part["labels"], lines)
        names = {number: name for name, number in classes.items()}
        # Without `path`, Ultralytics uses the folder of this file.
        data_yaml = {"train": "images", "val": "images", "names": names}
        folder.write("data.yaml", yaml.safe_dump(data_yaml, sort_keys=False, allow_unicode=True).encode())

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        labels = self.image_name(sample).replace("images/", "labels/", 1).removesuffix(".jpg") + ".txt"
        regions = read_regions(sample.record, self.options.level)
        counts["boxes"] += len(regions)
        boxes = [(region.head.lower(), _centred(region.box.corners)) for region in regions]
        yield {"labels": labels, "boxes": boxes, **origin_fields(sample.record)}


def _centred(box: Corners) -> list[float]:
    x1, y1, x2, y2 = box
    return [round(value, 6) for value in ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)]
