"""coco: detection with phrases as categories, and captions, as pycocotools reads them.

`instances.json`: a category for each phrase, lower-cased; boxes as x, y, width, height in pixels. `captions.json`: the
captions of the same images.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gritmill.exports.format import Figures, Folder, Options, image_name, part_name, regions, write_image
from gritmill.reading import Sample
from pipeline import files
from pipeline.publish import publish

_ABOUT = """```python
from pycocotools.coco import COCO

COCO('instances.json').loadAnns(…)
COCO('captions.json').imgToAnns[…]
```

A category is a phrase in lower case. `score` stands beside each box, and `tokens_positive` says where its phrase is in
the caption."""


@dataclass(frozen=True)
class Coco:
    """See the module's text."""

    options: Options

    @property
    def about(self) -> str:
        """For the data card."""
        return _ABOUT

    def shard(self, number: int, samples: Iterator[Sample], folder: Folder) -> Figures:
        """Its images and annotations, as lines, and its pictures."""
        figures = Figures()
        folder.write_lines(part_name(number), self._lines(samples, folder, figures))
        return figures

    def finish(self, shards: Sequence[int], folder: Folder) -> None:
        """Both files, part by part: nothing but the categories is held in memory."""
        categories: dict[str, int] = {}
        for part in _parts(shards, folder):
            for box in part["boxes"]:
                categories.setdefault(box["category"], len(categories) + 1)
        named = [{"id": number, "name": name, "supercategory": ""} for name, number in categories.items()]
        _write(
            folder,
            "instances.json",
            {
                "images": (part["image"] for part in _parts(shards, folder)),
                "annotations": _numbered(_instances(_parts(shards, folder), categories)),
                "categories": iter(named),
            },
        )
        _write(
            folder,
            "captions.json",
            {
                "images": (part["image"] for part in _parts(shards, folder)),
                "annotations": _numbered(
                    {"image_id": part["image"]["id"], "caption": part["caption"]} for part in _parts(shards, folder)
                ),
            },
        )

    def _lines(self, samples: Iterator[Sample], folder: Folder, figures: Figures) -> Iterator[str]:
        for sample in samples:
            write_image(sample, folder, self.options)
            part = self._part(sample)
            figures.update({"samples": 1, "boxes": len(part["boxes"])})
            yield json.dumps(part, ensure_ascii=False)

    def _part(self, sample: Sample) -> dict[str, Any]:
        record = sample.record
        about = {name: record[name] for name in ("width", "height", "uid", "source_key")}
        return {
            "image": {"id": int(sample.key), "file_name": image_name(sample), "coco_url": record["url"], **about},
            "caption": record["caption"],
            "boxes": [
                {
                    "category": region.words.lower(),
                    "bbox": _xywh(region.box),
                    "score": region.score,
                    "tokens_positive": [[region.start, region.end]],
                }
                for region in regions(record, self.options)
            ],
        }


def _parts(shards: Sequence[int], folder: Folder) -> Iterator[dict[str, Any]]:
    for number in shards:
        yield from map(json.loads, folder.lines(part_name(number)))


def _instances(parts: Iterator[dict[str, Any]], categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    for part in parts:
        for box in part["boxes"]:
            area = box["bbox"][2] * box["bbox"][3]
            known = {"image_id": part["image"]["id"], "category_id": categories[box.pop("category")]}
            yield {**known, **box, "area": area, "iscrowd": 0}


def _numbered(annotations: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from ({"id": number, **annotation} for number, annotation in enumerate(annotations, 1))


def _write(folder: Folder, name: str, lists: dict[str, Iterator[dict[str, Any]]]) -> None:
    """A JSON object of lists, entry by entry."""
    with publish(files.join(folder.uri, name)) as file:
        file.write(b'{"info": {"description": "written by gritmill"}, "licenses": []')
        for key, values in lists.items():
            file.write(f', "{key}": ['.encode())
            for number, value in enumerate(values):
                file.write((",\n" * (number > 0) + json.dumps(value, ensure_ascii=False)).encode())
            file.write(b"]")
        file.write(b"}\n")


def _xywh(box: tuple[float, float, float, float]) -> list[float]:
    x1, y1, x2, y2 = box
    return [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)]
