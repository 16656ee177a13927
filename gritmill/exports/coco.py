"""coco: boxes with their classes, and captions, in the files that pycocotools and datumaro read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gritmill.exports.coco_json import box_fields, coco_lists, list_categories
from gritmill.exports.format import ExportCounts, ExportFolder, as_json, origin_fields
from gritmill.exports.image_entries import Entries, ImageEntries
from gritmill.exports.readers import ran
from gritmill.reading import Sample
from pipeline.faults import CallError


@dataclass(frozen=True)
class Coco(ImageEntries):
    """`instances.json`: one category per class; boxes are x, y, width, height in pixels, and polygons.

    `captions.json`: the captions of the same images. With `split`, the names and folders are those of COCO's own
    release, as datumaro reads them.
    """

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w-]*", self.options.split, re.ASCII):
            raise CallError(f"--split: {self.options.split}: use letters, digits, - and _")

    @property
    def description(self) -> str:
        """See `Format`."""
        instances, captions = self._names
        return f"""```python
from pycocotools.coco import COCO

COCO('{instances}').loadAnns(…)
COCO('{captions}').imgToAnns[…]
```

A category is the class of a phrase: its head noun or a compound such as "hot dog", in the singular. Each box has its
`score`, its `phrase`, and in `tokens_positive` the span of the phrase in the caption with the id `caption_id`. The
`segmentation` is the box as a polygon. An image with several captions is one image with the boxes of all of them,
unless the export was made with `--per-caption`.

{self._read_by}"""

    @property
    def _read_by(self) -> str:
        if not self.options.split:
            return f"{ran('pycocotools', 'supervision')} For datumaro, export with `--split`."
        return f"{ran('pycocotools', 'supervision', 'datumaro')} For datumaro: `Dataset.import_from('.', 'coco')`."

    @property
    def _names(self) -> tuple[str, str]:
        split = self.options.split
        return (
            (f"annotations/instances_{split}.json", f"annotations/captions_{split}.json")
            if split
            else ("instances.json", "captions.json")
        )

    def image_path_of(self, key: str) -> str:
        return self._images + self._file_name(key)

    def describe(self, sample: Sample) -> Mapping[str, Any]:
        """The image as COCO describes it."""
        record = sample.record
        image = {
            "id": int(sample.key),
            "file_name": self._file_name(sample.key),
            "coco_url": record["url"],
            "width": record["width"],
            "height": record["height"],
            **origin_fields(record),
        }
        return {"image": image}

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> ExportCounts:
        """Writes both files, entry by entry."""
        instances, captions = self._names
        entries = Entries(self, shards, folder)
        with (
            coco_lists(captions, folder) as (captioned, sentences),
            coco_lists(instances, folder, list_categories(entries.classes)) as (images, boxes),
        ):
            for lines in entries:
                image = lines[0]["image"]
                text = as_json(image)
                images.add(text)
                captioned.add(text)
                for line in lines:
                    sentence = {"image_id": image["id"], "caption": line["caption"], **origin_fields(line["image"])}
                    number = sentences.add_numbered(as_json(sentence)[1:-1])
                    for box in line["boxes"]:
                        fields = box_fields(image, box["corners"], entries.classes[box["class"]])
                        boxes.add_numbered(
                            f'{fields}, "score": {box["score"]}, "phrase": {as_json(box["phrase"])}, '
                            f'"caption_id": {number}, "tokens_positive": {[box["span"]]}'
                        )
        return entries.counts

    @property
    def _images(self) -> str:
        """The folder that file names are relative to."""
        return f"images/{self.options.split}/" if self.options.split else ""

    def _file_name(self, key: str) -> str:
        return f"{key[:5]}/{key}.jpg" if self.options.split else self.image_path.format(key)
