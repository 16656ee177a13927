"""datumaro: the exports in COCO's own layout (`--split`) and in YOLO's. Each shard of `yolo` is a subset there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datumaro import AnnotationType, Dataset

from interop.consumers.pixels import thumbnail
from interop.seen import Picture, Read, Reading, Thing


def _imported(layout: str | None, captions: bool = False, boxes: bool = True) -> Read:
    """layout: None: datumaro detects it. captions, boxes: what this layout has."""

    def read(folder: Path) -> Iterator[Picture]:
        data = Dataset.import_from(str(folder), layout)
        labels = data.categories().get(AnnotationType.label)
        for item in data:
            found: dict[AnnotationType, list[Any]] = {}
            for annotation in item.annotations:
                found.setdefault(annotation.type, []).append(annotation)
            things = [
                Thing(tuple(map(float, box.points)), label=labels[box.label].name)
                for box in found.pop(AnnotationType.bbox, [])
            ]
            polygons = found.pop(AnnotationType.polygon, [])
            assert len(polygons) in (0, len(things))
            texts = [annotation.caption for annotation in found.pop(AnnotationType.caption, [])]
            assert not found
            pixels = item.media.data
            # Grey images have no third dimension.
            colours = pixels[..., ::-1] if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
            yield Picture(
                Path(item.id).stem,
                things if boxes else None,
                pixels.shape[1::-1],
                thumbnail(colours),
                texts if captions else None,
            )

    return read


READINGS: dict[str, tuple[Read, Reading]] = {
    "import_from": (_imported(None, captions=True), Reading("coco-split")),
    'import_from, "coco_instances"': (_imported("coco_instances"), Reading("coco-split")),
    'import_from, "coco_captions"': (_imported("coco_captions", captions=True, boxes=False), Reading("coco-split")),
    'import_from, "yolo"': (_imported("yolo"), Reading("yolo")),
}
