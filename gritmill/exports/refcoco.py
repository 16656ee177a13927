"""refcoco: `instances.json` and `refs(gritmill).p`, as the REFER toolkit reads them (lichengunc/refer)."""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gritmill.exports.coco_json import as_polygon, in_pixels, list_categories, write_coco, xywh
from gritmill.exports.format import ExportCounts, ExportFolder, certain_rows, origin_fields
from gritmill.exports.image_entries import BoxPlace, Entries, ImageEntries, SampleLine
from gritmill.reading import Sample

_FOLDER, _IMAGES = "refcoco", "images/mscoco/images/train2014/"  # fixed names in the toolkit


class RefCoco(ImageEntries):
    """A ref is one thing of an image, with the expressions that name it, one or more per caption.

    An expression names one thing: those with several boxes in the image, in one caption or in several, are left out
    and counted. So are images without a ref, for which the toolkit's `getRefIds` raises a KeyError. Categories are the
    classes of phrases.
    """

    image_path = _IMAGES + "{0:.5}/{0}.jpg"
    description = """```python
REFER(data_root=".", dataset="refcoco", splitBy="gritmill")  # from lichengunc/refer
```

`refs(gritmill).p` is a pickle of plain containers; `gritmill.plain_pickle.load(path.read_bytes())` reads it without
running any code. A category is the class of a phrase: its head noun or a compound such as "hot dog", in the singular.
An image with several captions is one image, and a box that several of them name is one ref with their sentences, unless
the export was made with `--per-caption`. Each sentence has the `uid`, `source_key`, `url` and `meta` of its caption.

gritmill's tests read `instances.json` with pycocotools 2.0.10, and both files with a reader written from `refer.py` of
lichengunc/refer, commit e3bbaa3. `refer.py` of its branch python3, commit 2fe1dfe, was run on them by hand."""

    def describe(self, sample: Sample) -> Mapping[str, Any]:
        """The image as the toolkit describes it."""
        record = sample.record
        image = {
            "id": int(sample.key),
            "file_name": self.image_name(sample).removeprefix(_IMAGES),
            "width": record["width"],
            "height": record["height"],
            **origin_fields(record),
        }
        return {"image": image}

    def select_rows(self, record: Mapping[str, Any], counts: ExportCounts) -> Mapping[str, Any]:
        """See `ImageEntries`."""
        return certain_rows(record, counts)

    def merge(
        self, lines: list[SampleLine], remaining: Mapping[BoxPlace, BoxPlace], counts: ExportCounts
    ) -> list[SampleLine]:
        """The lines of an image with the boxes that are refs. Each has `sentences`: the words and the origin."""
        things: dict[str, set[BoxPlace]] = {}  # by the words
        expressions: dict[tuple[int, tuple[int, int]], BoxPlace] = {}
        for (number, index), place in sorted(remaining.items()):
            box = lines[number]["boxes"][index]
            things.setdefault(_as_sentence(box["phrase"]), set()).add(place)
            expressions[number, (box["span"][0], box["span"][1])] = place
        sentences: dict[BoxPlace, list[dict[str, Any]]] = {}
        for (number, (start, end)), place in expressions.items():
            raw = lines[number]["caption"][start:end]
            if len(things[_as_sentence(raw)]) == 1:
                sentences.setdefault(place, []).append({"raw": raw, **origin_fields(lines[number]["image"])})
        written = sum(map(len, sentences.values()))
        counts["images" if sentences else "images without a ref, left out"] += 1
        counts.update({"refs": len(sentences), "sentences": written})
        counts["expressions with several boxes, left out"] += len(expressions) - written
        return [
            {
                **line,
                "boxes": [
                    {**box, "sentences": sentences[number, index]}
                    for index, box in enumerate(line["boxes"])
                    if (number, index) in sentences
                ],
            }
            for number, line in enumerate(lines)
        ]

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> ExportCounts:
        """Writes both files, entry by entry."""
        with self.open_entries(shards, folder) as entries:
            annotations = (_annotation(image, box, entries.classes) for image, box in _refs(entries))
            images = (lines[0]["image"] for lines in entries if _has_ref(lines))
            categories = list_categories(entries.classes)
            write_coco(f"{_FOLDER}/instances.json", shards, folder, annotations, categories, images)
            with folder.publish(f"{_FOLDER}/refs(gritmill).p") as file:
                # A list in protocol 2, written item by item, so that it is never in memory.
                file.write(b"\x80\x02]")
                for ref in _as_refs(entries):
                    file.write(pickle.dumps(ref, 2)[2:-1] + b"a")
                file.write(b".")
            for lines in entries if self.options.images else ():
                if not _has_ref(lines):
                    folder.delete(self.image_path_of(lines[0]["key"]))
            return entries.counts


def _has_ref(lines: Sequence[SampleLine]) -> bool:
    return any(line["boxes"] for line in lines)


def _refs(entries: Entries) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each ref as its image and its box."""
    yield from ((lines[0]["image"], box) for lines in entries for line in lines for box in line["boxes"])


def _annotation(image: dict[str, Any], box: dict[str, Any], categories: Mapping[str, int]) -> dict[str, Any]:
    bbox = xywh(in_pixels(box["corners"], image["width"], image["height"]))
    return {
        "image_id": image["id"],
        "category_id": categories[box["class"]],
        "bbox": bbox,
        "segmentation": [as_polygon(bbox)],
        "area": round(bbox[2] * bbox[3], 3),
        "iscrowd": 0,
    }


def _as_refs(entries: Entries) -> Iterator[dict[str, Any]]:
    """The refs, numbered from 1 as `write_coco` numbers their annotations."""
    sentences = 0
    for number, (image, box) in enumerate(_refs(entries), 1):
        sent_ids = list(range(sentences + 1, sentences + len(box["sentences"]) + 1))
        sentences = sent_ids[-1]
        yield {
            "ref_id": number,
            "ann_id": number,
            "category_id": entries.classes[box["class"]],
            "image_id": image["id"],
            # Programs that use the toolkit take the part before the last "_" as the name of the image.
            "file_name": f"{image['file_name'].removesuffix('.jpg')}_{number}.jpg",
            "split": "train",
            "sent_ids": sent_ids,
            "sentences": [_sentence(*one) for one in zip(sent_ids, box["sentences"], strict=True)],
        }


def _sentence(number: int, sentence: dict[str, Any]) -> dict[str, Any]:
    sent = _as_sentence(sentence["raw"])
    return {"sent_id": number, "sent": sent, **sentence, "tokens": sent.split()}


def _as_sentence(words: str) -> str:
    return " ".join(words.lower().split())
