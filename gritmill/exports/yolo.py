"""yolo: one text file per image, one line per box: class, centre, width and height as fractions of the image."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from gritmill.exports.format import ExportCounts, ExportFolder, origin_fields
from gritmill.exports.image_entries import Entries, ImageEntries
from gritmill.exports.readers import ran
from gritmill.reading import Sample
from transforms.text.grounded_caption import Corners

_DESCRIPTION = f"""```
yolo detect train data=data.yaml
```

A class is the class of a phrase: its head noun or a compound such as "hot dog", in the singular. An image with several
captions has one file with the boxes of all of them, unless the export was made with `--per-caption`. Captions are not
included. `parts/` has the `uid`, `source_key`, `url` and `meta` of each sample.

Each shard has its own folder: `images/00000/` with `labels/00000/`, and so on. `data.yaml` names `images`, and
Ultralytics also looks into the folders below it. `data.yaml` has no `path`, so that its paths start at its own folder.
It names the same images for training and validation: split them before you trust a figure.

{ran("supervision", "datumaro")} supervision takes one folder of images and labels
at a time; for datumaro (`Dataset.import_from('.', 'yolo')`), each of them is a subset. Ultralytics 8.4.190 was run on
them by hand: its `check_det_dataset` and `YOLODataset` found all images, boxes and classes."""

_WITHOUT_IMAGES = """The export was made with `--no-images`. Before you train, copy each image below
`images/`, to the place that its label has below `labels/`: `images/00000/000000000.jpg` belongs to
`labels/00000/000000000.txt`.

"""


class Yolo(ImageEntries):
    """Classes are those of phrases. `data.yaml` lists them in the order of their first occurrence.

    `labels/` mirrors `images/`, as Ultralytics requires.
    """

    @property
    def description(self) -> str:
        """See `Format`."""
        return _DESCRIPTION if self.options.images else _WITHOUT_IMAGES + _DESCRIPTION

    def describe(self, sample: Sample) -> Mapping[str, Any]:
        """Where the sample comes from."""
        return origin_fields(sample.record)

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> ExportCounts:
        """Writes the labels and `data.yaml`."""
        entries = Entries(self, shards, folder)
        for lines in entries:
            boxes = (box for line in lines for box in line["boxes"])
            rows = (
                f"{entries.classes[box['class']] - 1} {' '.join(map(str, _centred(box['corners'])))}" for box in boxes
            )
            name = self.image_path_of(lines[0]["key"])
            folder.write_lines(name.replace("images/", "labels/", 1).removesuffix(".jpg") + ".txt", rows)
        data_yaml = {"train": "images", "val": "images", "names": dict(enumerate(entries.classes))}
        folder.write("data.yaml", yaml.safe_dump(data_yaml, sort_keys=False, allow_unicode=True).encode())
        return entries.counts


def _centred(box: Corners) -> list[float]:
    x1, y1, x2, y2 = box
    return [round(value, 6) for value in ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)]
