"""refcoco: `instances.json` and `refs(gritmill).p`, as the REFER toolkit reads them (lichengunc/refer)."""

import json
import pickle
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from gritmill.exports.coco_json import box_fields, coco_lists, list_categories
from gritmill.exports.format import ExportCounts, ExportFolder, as_json, certain_rows, origin_fields
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
        sentence = cache(_as_sentence)
        things: dict[str, set[BoxPlace]] = {}  # by the words
        expressions: dict[tuple[int, tuple[int, int]], BoxPlace] = {}
        for (number, index), place in sorted(remaining.items()):
            box = lines[number]["boxes"][index]
            things.setdefault(sentence(box["phrase"]), set()).add(place)
            expressions[number, (box["span"][0], box["span"][1])] = place
        sentences: dict[BoxPlace, list[dict[str, Any]]] = {}
        for (number, (start, end)), place in expressions.items():
            raw = lines[number]["caption"][start:end]
            if len(things[sentence(raw)]) == 1:
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
        entries, sentences = Entries(self, shards, folder), 0
        categories = list_categories(entries.classes)
        with (
            folder.publish(f"{_FOLDER}/refs(gritmill).p") as refs,
            coco_lists(f"{_FOLDER}/instances.json", folder, categories) as (images, annotations),
        ):
            refs.write(b"\x80\x02]")  # a list in protocol 2, written item by item, so that it is never in memory
            for lines in entries:
                image, boxes = lines[0]["image"], [box for line in lines for box in line["boxes"]]
                if boxes:
                    images.add(as_json(image))
                elif self.options.images:
                    folder.delete(self.image_path_of(lines[0]["key"]))
                for box in boxes:
                    category = entries.classes[box["class"]]
                    number = annotations.add_numbered(box_fields(image, box["corners"], category))
                    named = json.loads(as_json(box["sentences"]))  # pickle would refer to a text that two of them share
                    sent_ids = list(range(sentences + 1, sentences + len(named) + 1))
                    sentences = sent_ids[-1]
                    ref = {
                        "ref_id": number,
                        "ann_id": number,
                        "category_id": category,
                        "image_id": image["id"],
                        # Programs that use the toolkit take the part before the last "_" as the name of the image.
                        "file_name": f"{image['file_name'].removesuffix('.jpg')}_{number}.jpg",
                        "split": "train",
                        "sent_ids": sent_ids,
                        "sentences": [_sentence(*one) for one in zip(sent_ids, named, strict=True)],
                    }
                    refs.write(pickle.dumps(ref, 2)[2:-1] + b"a")
            refs.write(b".")
        return entries.counts


def _sentence(number: int, sentence: dict[str, Any]) -> dict[str, Any]:
    sent = _as_sentence(sentence["raw"])
    return {"sent_id": number, "sent": sent, **sentence, "tokens": sent.split()}


def _as_sentence(words: str) -> str:
    return " ".join(words.lower().split())
