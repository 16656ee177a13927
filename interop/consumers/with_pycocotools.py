"""pycocotools: the files in COCO's format, as a training or evaluation script of COCO reads them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from interop.consumers.pixels import thumbnail
from interop.seen import Picture, Read, Reading, Thing


def _corners(bbox: list[float]) -> tuple[float, float, float, float]:
    x, y, wide, high = bbox
    return x, y, x + wide, y + high


def _picture(coco: COCO, image: dict[str, Any], images: Path, things: list[Thing], **fields: Any) -> Picture:
    with Image.open(images / image["file_name"]) as opened:
        assert opened.size == (image["width"], image["height"])
        key = Path(image["file_name"]).stem
        return Picture(key, things, opened.size, thumbnail(opened), **fields)


def _annotations(coco: COCO, number: int) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = coco.loadAnns(coco.getAnnIds(imgIds=[number], iscrowd=False))
    return annotations


def _name(coco: COCO, annotation: dict[str, Any]) -> str:
    (category,) = coco.loadCats(annotation["category_id"])
    return str(category["name"])


def _read(instances: str, captions: str, images: str = ".") -> Read:
    def read(folder: Path) -> Iterator[Picture]:
        boxes, texts = COCO(str(folder / instances)), COCO(str(folder / captions))
        assert sorted(boxes.getImgIds()) == sorted(texts.getImgIds())
        for image in boxes.loadImgs(boxes.getImgIds()):
            things = [
                Thing(_corners(one["bbox"]), one["phrase"], _name(boxes, one))
                for one in _annotations(boxes, image["id"])
            ]
            found = [one["caption"] for one in texts.loadAnns(texts.getAnnIds(imgIds=[image["id"]]))]
            yield _picture(boxes, image, folder / images, things, captions=found)

    return read


def _spans(folder: Path) -> Iterator[Picture]:
    """The words of a box are those of its `tokens_positive` in the caption that `caption_id` names."""
    boxes, texts = COCO(str(folder / "instances.json")), COCO(str(folder / "captions.json"))
    for image in boxes.loadImgs(boxes.getImgIds()):
        things = []
        for one in _annotations(boxes, image["id"]):
            (caption,) = texts.loadAnns([one["caption_id"]])
            ((start, end),) = one["tokens_positive"]
            assert caption["image_id"] == image["id"]
            things.append(Thing(_corners(one["bbox"]), caption["caption"][start:end]))
        yield _picture(boxes, image, folder, things)


def _masks(folder: Path) -> Iterator[Picture]:
    """`showAnns` draws all annotations of an image, and the boxes are the limits of the masks of `annToMask`."""
    coco = COCO(str(folder / "instances.json"))
    for image in coco.loadImgs(coco.getImgIds()):
        annotations = _annotations(coco, image["id"])
        coco.showAnns(annotations, draw_bbox=True)
        things = []
        for annotation in annotations:
            mask = coco.annToMask(annotation)
            assert mask.shape == (image["height"], image["width"])
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            box = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
            things.append(Thing(box, annotation["phrase"], _name(coco, annotation)))
        yield _picture(coco, image, folder, things)
        plt.close("all")


def _evaluated(folder: Path) -> Iterator[Picture]:
    """The boxes as the results of a detector: the average precision must be 1."""
    coco = COCO(str(folder / "instances.json"))
    fields = ("image_id", "category_id", "bbox", "score")
    results = coco.loadRes([{name: one[name] for name in fields} for one in coco.loadAnns(coco.getAnnIds())])
    for kind in ("bbox", "segm"):
        evaluation = COCOeval(coco, results, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] > 0.999, f"{kind}: average precision {evaluation.stats[0]}"
    for image in coco.loadImgs(coco.getImgIds()):
        things = [Thing(_corners(one["bbox"]), label=_name(coco, one)) for one in _annotations(results, image["id"])]
        yield _picture(coco, image, folder, things)


def _refcoco(folder: Path) -> Iterator[Picture]:
    coco = COCO(str(folder / "refcoco" / "instances.json"))
    for image in coco.loadImgs(coco.getImgIds()):
        things = [Thing(_corners(one["bbox"]), label=_name(coco, one)) for one in _annotations(coco, image["id"])]
        yield _picture(coco, image, folder / "images/mscoco/images/train2014", things)


def _mdetr(folder: Path) -> Iterator[Picture]:
    """As MDETR's data sets call it (datasets/mixed.py, datasets/coco.py): a box has the words of all its spans."""
    coco = COCO(str(folder / "mdetr_train.json"))
    for image in coco.loadImgs(coco.getImgIds()):
        things = [
            Thing(_corners(one["bbox"]), image["caption"][start:end])
            for one in _annotations(coco, image["id"])
            for start, end in one["tokens_positive"]
        ]
        yield _picture(coco, image, folder, things, captions=[image["caption"]])


_SPLIT = "annotations/{}_train2017.json"

READINGS: dict[str, tuple[Read, Reading]] = {
    "loadAnns, loadCats": (_read("instances.json", "captions.json"), Reading("coco")),
    "loadAnns, tokens_positive": (_spans, Reading("coco")),
    "showAnns, annToMask": (_masks, Reading("coco", pixels=1.01)),
    "loadRes, COCOeval": (_evaluated, Reading("coco")),
    "loadAnns, --split": (
        _read(_SPLIT.format("instances"), _SPLIT.format("captions"), "images/train2017"),
        Reading("coco-split"),
    ),
    "loadAnns, --per-caption": (_read("instances.json", "captions.json"), Reading("coco-per-caption")),
    "loadAnns, refcoco": (_refcoco, Reading("refcoco", some=True)),
    "loadAnns, mdetr": (_mdetr, Reading("mdetr", level="noun_chunks", fused=True)),
}
