"""supervision: data sets of detections, from COCO's and YOLO's files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import supervision as sv

from interop.consumers.pixels import thumbnail
from interop.seen import Picture, Read, Reading, Thing


def _pictures(found: sv.DetectionDataset) -> Iterator[Picture]:
    for path, pixels, detections in found:
        things = [
            Thing(tuple(map(float, box)), label=found.classes[number])
            for box, number in zip(detections.xyxy, detections.class_id, strict=True)
        ]
        height, width, _ = pixels.shape
        yield Picture(Path(path).stem, things, (width, height), thumbnail(pixels[..., ::-1]))


def _coco(instances: str, images: str = ".", **options: Any) -> Read:
    def read(folder: Path) -> Iterator[Picture]:
        found = sv.DetectionDataset.from_coco(str(folder / images), str(folder / instances), **options)
        yield from _pictures(found)

    return read


def _masks(folder: Path) -> Iterator[Picture]:
    """The boxes are the limits of the masks."""
    found = sv.DetectionDataset.from_coco(str(folder), str(folder / "instances.json"), force_masks=True)
    for path, pixels, detections in found:
        boxes = sv.mask_to_xyxy(detections.mask)
        things = [
            Thing(tuple(map(float, box)), label=found.classes[number])
            for box, number in zip(boxes, detections.class_id, strict=True)
        ]
        yield Picture(Path(path).stem, things, pixels.shape[1::-1])


def _yolo(folder: Path) -> Iterator[Picture]:
    """A folder of images with a folder of labels at a time."""
    for images in sorted((folder / "images").iterdir()):
        labels = folder / "labels" / images.name
        yield from _pictures(sv.DetectionDataset.from_yolo(str(images), str(labels), str(folder / "data.yaml")))


READINGS: dict[str, tuple[Read, Reading]] = {
    "from_coco": (_coco("instances.json"), Reading("coco")),
    "from_coco, force_masks": (_masks, Reading("coco", pixels=1.01)),
    "from_coco, --split": (_coco("annotations/instances_train2017.json", "images/train2017"), Reading("coco-split")),
    "from_coco, --per-caption": (_coco("instances.json"), Reading("coco-per-caption")),
    "from_yolo": (_yolo, Reading("yolo")),
    "from_yolo, --per-caption": (_yolo, Reading("yolo-per-caption")),
}
