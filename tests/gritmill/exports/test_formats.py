"""Each format as its consumer reads it."""

import ast
import base64
import contextlib
import hashlib
import io
import json
import pickle
import re
import tarfile
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from pycocotools.coco import COCO

import gritmill
from gritmill import plain_pickle
from gritmill.exports import find_format
from gritmill.exports.export import export
from gritmill.exports.format import ExportFolder
from gritmill.exports.options import ExportOptions, Level
from gritmill.reading import Sample
from tests import sample_pairs
from transforms.claims.verdicts import Checked, Verdict
from transforms.grit_record import compose
from transforms.records import Box, Claim, ClaimKind, Grounding, Pair, Phrase
from transforms.text import dialects
from transforms.text.grounded_caption import Carries


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_grit_has_the_released_rows(finished, records, tmp_path):
    figures = export(finished, "grit", tmp_path)["figures"]
    found = lines(tmp_path / "grit_coyo.jsonl")
    assert [row["key"] for row in found] == list(records)
    for row in found:
        assert [row.pop(name) for name in ("clip_similarity_vitb32", "clip_similarity_vitl14")] == [None, None]
        assert {name: records[row["key"]][name] for name in row} == row
        for chunk, expression in zip(row["noun_chunks"], row["ref_exps"], strict=True):
            assert [type(value) for value in chunk[:2]] == [int, int]
            assert row["caption"][chunk[0] : chunk[1]] in row["caption"][expression[0] : expression[1]]
    tables = [pq.read_table(path) for path in sorted((tmp_path / "grit-20m").glob("coyo_*_snappy.parquet"))]
    assert [table.num_rows for table in tables] == [10, 10, 10]
    assert (
        pq.ParquetFile(tmp_path / "grit-20m/coyo_0_snappy.parquet").metadata.row_group(0).column(0).compression
        == "SNAPPY"
    )
    assert tables[0].column_names == [
        *("key", "clip_similarity_vitb32", "clip_similarity_vitl14", "id", "url", "caption", "width", "height"),
        *("noun_chunks", "ref_exps", "uid", "source_key", "meta"),
    ]
    rows = [row for table in tables for row in table.drop_columns(tables[0].column_names[1:3]).to_pylist()]
    assert rows == found  # doubles equal integers here
    assert isinstance(rows[0]["noun_chunks"][0][0], float)
    scores = [row[6] for record in records.values() for row in record["ref_exps"]]
    assert figures["rows"] == len(scores)
    assert figures["rows below 0.65"] == sum(score < 0.65 for score in scores)
    assert "--box-score-threshold" in (tmp_path / "README.md").read_text()


def kosmos_loader(folder):
    """Rows as Kosmos-2 reads them (microsoft/unilm, commit af1d39f, below kosmos-2/unilm).

    tasks/gpt_interleaved_laion_obj.py:99: `json/train.json` of the data folder. data/vl/laion2b_obj_loader.py,
    `_read_from_files`: paths with one of two names, which are then replaced; lines, tabs, a Python literal last.
    """
    (source,) = json.loads((folder / "json/train.json").read_text())
    for name in source["source"]:
        path = str(folder / name)
        assert "laion2b_filtered_tsvs_v1" not in path
        assert "coyo_filtered_tsvs_v1" in path
        with open(path.replace("coyo_filtered_tsvs_v1", "coyo_filtered_tsvs_v1_obj"), encoding="utf8") as file:
            rows = file.read().strip().split("\n")
        for line in rows:
            cells = line.strip().split("\t")
            assert len(cells) == 6
            picture = Image.open(io.BytesIO(base64.b64decode(cells[2])))
            assert hashlib.md5(base64.b64decode(cells[2])).hexdigest() == cells[0]
            assert picture.size == (int(cells[3]), int(cells[4]))
            yield cells[1], ast.literal_eval(cells[5])


def test_tsv_is_what_kosmos_2s_loader_reads(finished, records, tmp_path):
    figures = export(finished, "tsv", tmp_path)["figures"]
    found = list(kosmos_loader(tmp_path))
    wanted = [record for record in records.values() if "\t" not in record["caption"]]
    assert [caption for caption, _ in found] == [record["caption"] for record in wanted]
    for (_, rows), record in zip(found, wanted, strict=True):
        assert rows == {"phrase": record["noun_chunks"], "expression_v1": record["ref_exps"]}
    assert figures["samples"] == 29
    assert figures["captions with a tab or a line's end, left out"] == 1


@pytest.mark.parametrize("level", Level)
def test_odvg_as_mmdetection_and_open_grounding_dino_read_it(finished, records, tmp_path, level):
    export(finished, "odvg", tmp_path, ExportOptions(level=level))
    for row, record in zip(lines(tmp_path / "odvg.jsonl"), records.values(), strict=True):
        width, height = row["width"], row["height"]
        with Image.open(tmp_path / row["filename"]) as picture:
            assert picture.size == (width, height)
        # mmdetection: file name from the key's first five digits, spans by tokens_positive.
        assert row["filename"] == f"images/{record['key'][:5]}/{record['key']}.jpg"
        rows = record["ref_exps" if level is Level.EXPRESSIONS else "noun_chunks"]
        regions = row["grounding"]["regions"]
        kept = [r for r in rows if (r[4] - r[2]) * width >= 1 and (r[5] - r[3]) * height >= 1]
        assert len(regions) == len(kept)
        for region, (start, end, x1, y1, x2, y2, _) in zip(regions, kept, strict=True):
            assert region["tokens_positive"] == [[start, end]]
            assert region["phrase"] == row["grounding"]["caption"][start:end]
            # Open-GroundingDino: a flat box, absolute, inside the picture.
            assert region["bbox"] == pytest.approx([x1 * width, y1 * height, x2 * width, y2 * height], abs=5e-4)
            assert 0 <= region["bbox"][0] < region["bbox"][2] <= width
            assert 0 <= region["bbox"][1] < region["bbox"][3] <= height


def test_coco_as_pycocotools_reads_it(finished, records, tmp_path):
    export(finished, "coco", tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        boxes, captions = COCO(tmp_path / "instances.json"), COCO(tmp_path / "captions.json")
    assert sorted(boxes.imgs) == sorted(captions.imgs) == [int(key) for key in records]
    for key, record in records.items():
        (caption,) = captions.imgToAnns[int(key)]
        assert caption["caption"] == record["caption"]
        image = boxes.imgs[int(key)]
        assert (image["uid"], image["source_key"], image["coco_url"]) == (
            *(record["uid"], record["source_key"], record["url"]),
        )
        assert (tmp_path / image["file_name"]).exists()
        annotations = boxes.loadAnns(boxes.getAnnIds(imgIds=[int(key)]))
        assert len(annotations) == len(record["ref_exps"])
        for annotation, row, name in zip(annotations, record["ref_exps"], classes_of(record), strict=True):
            assert annotation["phrase"] == record["caption"][row[0] : row[1]]
            assert boxes.loadCats([annotation["category_id"]])[0]["name"] == name
            assert annotation["caption_id"] == caption["id"]
            x, y, wide, high = annotation["bbox"]
            corners = [
                x / image["width"],
                y / image["height"],
                (x + wide) / image["width"],
                (y + high) / image["height"],
            ]
            assert corners == pytest.approx(row[2:6], abs=1e-3 / 60)
            assert annotation["score"] == row[6]
            assert annotation["tokens_positive"] == [[row[0], row[1]]]
    assert len({annotation["id"] for annotation in boxes.anns.values()}) == len(boxes.anns)
    drawn = list(boxes.anns.values())[:3]
    with contextlib.redirect_stdout(io.StringIO()):
        boxes.showAnns(drawn, draw_bbox=True)
    for annotation in drawn:
        x, y, wide, high = annotation["bbox"]
        assert annotation["segmentation"] == [pytest.approx([x, y, x + wide, y, x + wide, y + high, x, y + high])]
        assert annotation["area"] == pytest.approx(wide * high, abs=1e-3)
        assert annotation["iscrowd"] == 0
        mask = boxes.annToMask(annotation)
        assert mask.sum() == pytest.approx(annotation["area"], abs=wide + high + 1)
        rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
        assert (columns[0], rows[0]) == pytest.approx((x, y), abs=1)


def classes_of(record):
    """The classes of a record's rows. The captions of the run have colours, and no compounds."""
    return [record["caption"][start:end].lower() for start, end in record["heads"]]


def mixed_loader(folder):
    """Each caption with its image entry and annotations, as the loaders of MDETR and GLIP for mixed data read them.

    datasets/mixed.py:63-75 of ashkamath/mdetr (commit ea09acc), maskrcnn_benchmark/data/datasets/mixed.py:68-78 of
    microsoft/GLIP (commit 9dda955): pycocotools, and one of two folders for images, by `data_source`.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(folder / "mdetr_train.json")
    for number in sorted(coco.imgs):
        (image,) = coco.loadImgs(number)
        root = None if image["data_source"] == "coco" else folder
        with Image.open(root / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])
        yield image, coco.loadAnns(coco.getAnnIds(imgIds=number))


@pytest.mark.parametrize(("level", "field"), [(None, "noun_chunks"), (Level.EXPRESSIONS, "ref_exps")])
def test_mdetr_has_spans_for_each_box(finished, records, tmp_path, level, field):
    export(finished, "mdetr", tmp_path, ExportOptions(level=level))
    assert [image["id"] for image, _ in mixed_loader(tmp_path)] == [int(key) for key in records]
    value = json.loads((tmp_path / "mdetr_train.json").read_text())
    assert set(value) == {"info", "licenses", "images", "annotations", "categories"}
    boxes = {}
    for annotation in value["annotations"]:
        boxes.setdefault(annotation["image_id"], []).append(annotation)
    assert len({annotation["id"] for annotation in value["annotations"]}) == len(value["annotations"])
    for image, record in zip(value["images"], records.values(), strict=True):
        caption = record["caption"]
        assert (image["caption"], image["id"]) == (caption, int(record["key"]))
        assert image["tokens_negative"] == [[0, len(caption)]]
        spans = sorted({(row[0], row[1]) for row in record[field]})
        assert image["tokens_positive_eval"] == [[list(span)] for span in spans]
        named = sorted({tuple(span) for box in boxes[image["id"]] for span in box["tokens_positive"]})
        assert named == spans
        # Every row has its own or nearly its own box, and its span.
        for start, end, x1, y1, x2, y2, _ in record[field]:
            wide, high = image["width"], image["height"]
            own = (x1 * wide, y1 * high, x2 * wide, y2 * high)
            near = [box for box in boxes[image["id"]] if overlap(own, box["bbox"]) >= 0.85]
            assert any([start, end] in box["tokens_positive"] for box in near)
        assert all(
            box["area"] == pytest.approx(box["bbox"][2] * box["bbox"][3], abs=0.01) for box in boxes[image["id"]]
        )


def overlap(corners, xywh):
    """IoU of a box by corners and one by width and height."""
    x, y, wide, high = xywh
    across = min(corners[2], x + wide) - max(corners[0], x)
    down = min(corners[3], y + high) - max(corners[1], y)
    both = max(across, 0) * max(down, 0)
    return both / ((corners[2] - corners[0]) * (corners[3] - corners[1]) + wide * high - both)


def test_refcoco_as_the_refer_toolkit_reads_it(finished, tmp_path):
    best = {"selection": {"score": 0.0, "boxes_per_phrase": 1}}
    gritmill.pack(best, output=tmp_path / "run", detections=finished)
    records = {sample.key: sample.record for sample in gritmill.read(tmp_path / "run")}
    figures = export(tmp_path / "run", "refcoco", tmp_path / "out")["figures"]
    tmp_path = tmp_path / "out"
    assert figures["refs"] > 10
    with contextlib.redirect_stdout(io.StringIO()):
        instances = COCO(tmp_path / "refcoco" / "instances.json")
    data = (tmp_path / "refcoco" / "refs(gritmill).p").read_bytes()
    refs = plain_pickle.load(data)
    assert refs == pickle.loads(data)
    assert figures["refs"] == len(refs) == len(instances.anns)
    found = {}
    # Written from refer.py of lichengunc/refer, commit e3bbaa3: __init__ (lines 53 to 73), createIndex (line 117).
    for ref in refs:
        annotation = instances.anns[ref["ann_id"]]
        image = instances.imgs[ref["image_id"]]
        assert (annotation["image_id"], annotation["category_id"]) == (ref["image_id"], ref["category_id"])
        assert ref["file_name"].rpartition("_")[0] + ".jpg" == image["file_name"]
        # From its __init__: data_root/dataset/…, and one folder of images for all of its RefCOCO sets.
        assert (tmp_path / "images/mscoco/images/train2014" / image["file_name"]).exists()
        (sentence,) = ref["sentences"]
        assert sentence["tokens"] == sentence["sent"].split()
        assert ref["sent_ids"] == [sentence["sent_id"]]
        found.setdefault(f"{ref['image_id']:09}", []).append((sentence["raw"], annotation["bbox"]))
    for key, record in records.items():
        spans = [tuple(row[:2]) for row in record["ref_exps"]]
        single = [row for row in record["ref_exps"] if spans.count(tuple(row[:2])) == 1]
        assert len(found.get(key, [])) == len(single)
        for (raw, bbox), row in zip(found.get(key, []), single, strict=True):
            assert raw == record["caption"][row[0] : row[1]]
            assert bbox[0] == pytest.approx(row[2] * record["width"], abs=1e-3)


def entities(sentence):
    """Words and phrases of a line: split at blanks, a bracket ends a phrase.

    From flickr30k_entities_utils.py of BryanPlummer/flickr30k_entities, commit 68b3d6f: `get_sentence_data`, lines 38
    to 58. The boxes are read as in its `get_annotations`, lines 95 to 106.
    """
    words, phrases, current = [], [], None
    for token in sentence.split():
        if token.startswith("[/EN#"):
            current = (token.split("/")[1].removeprefix("EN#"), token.split("/")[2], [])
        elif current is None:
            words.append(token)
        else:
            ended = token.endswith("]")
            current[2].append(token.removesuffix("]"))
            words.append(token.removesuffix("]"))
            if ended:
                phrases.append(current)
                current = None
    assert current is None
    return words, phrases


def test_flickr30k_entities_as_its_own_scripts_read_it(finished, records, tmp_path):
    export(finished, "flickr30k-entities", tmp_path)
    names = (tmp_path / "train.txt").read_text().split()
    assert names == list(records)
    for name, record in records.items():
        words, phrases = entities((tmp_path / "Sentences" / f"{name}.txt").read_text())
        assert "".join(words) == "".join(record["caption"].split())
        root = ElementTree.parse(tmp_path / "Annotations" / f"{name}.xml").getroot()
        wide, high = (int(root.findtext(f"size/{side}")) for side in ("width", "height"))
        assert (wide, high) == (record["width"], record["height"])
        assert (tmp_path / "flickr30k-images" / root.findtext("filename")).exists()
        assert [root.findtext(f"source/{field}") for field in ORIGIN] == [record[field] for field in ORIGIN]
        expressions = {"".join(record["caption"][r[0] : r[1]].split()): [] for r in record["ref_exps"]}
        for row in record["ref_exps"]:
            expressions["".join(record["caption"][row[0] : row[1]].split())].append(row[2:6])
        assert phrases
        for number, kind, tokens in phrases:
            assert kind == "other"
            boxes = [
                [int(thing.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
                for thing in root.iter("object")
                if thing.findtext("name") == number
            ]
            wanted = expressions["".join(tokens)]
            assert len(boxes) == len(wanted)
            for box in boxes:
                assert 1 <= box[0] < box[2] <= wide
                assert 1 <= box[1] < box[3] <= high
                exact = [[c * s for c, s in zip(one, (wide, high, wide, high), strict=True)] for one in wanted]
                assert any(max(abs(a - 1 - b) for a, b in zip(box, one, strict=True)) <= 2.01 for one in exact)


def ultralytics(path):
    """Each image with its classes and boxes (centre and size, normalised), as Ultralytics 8.4.190 reads them.

    ultralytics/data/utils.py: 756-803 (keys and paths of `data.yaml`), 145-146 (the path of a label: the last "images"
    of the path), 270-275 (images), 460-499 (labels). ultralytics/data/base.py:209-219: images in all folders below.
    """
    about = yaml.safe_load(path.read_text("utf-8"))
    assert {"train", "val"} <= set(about)
    assert [(int(number), type(name)) for number, name in about["names"].items()] == [
        (number, str) for number in range(len(about["names"]))
    ]
    root = path.parent / about.get("path", "") / about["train"]
    for image in sorted(map(str, root.glob("**/*.*"))):
        if image.rpartition(".")[2].lower() not in ("jpg", "jpeg", "png", "webp", "bmp", "tiff"):
            continue
        with Image.open(image) as picture:
            picture.verify()
            assert min(picture.size) > 9
        label = "/labels/".join(image.rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt"
        with open(label, encoding="utf-8-sig") as file:
            rows = [line.split() for line in file.read().strip().splitlines() if line.strip()]
        values = np.array(rows, dtype=np.float32).reshape(len(rows), -1)
        assert values.shape == (len(rows), 5)
        assert values[:, 1:].max() <= 1.01
        assert values.min() >= 0
        assert (values[:, 0] % 1 == 0).all()
        assert values[:, 0].max() < len(about["names"])
        assert len(np.unique(values, axis=0)) == len(values)  # it drops rows that are equal
        yield image, [(about["names"][int(number)], box) for number, *box in values.tolist()]


def test_yolo_is_what_ultralytics_reads(finished, records, tmp_path):
    folder = tmp_path / "images" / "out"  # a folder of that name above it makes no difference
    export(finished, "yolo", folder)
    found = {image.rpartition("/")[2].removesuffix(".jpg"): rows for image, rows in ultralytics(folder / "data.yaml")}
    assert list(found) == list(records)
    for key, record in records.items():
        assert [name for name, _ in found[key]] == classes_of(record)
        for (_, (x, y, wide, high)), row in zip(found[key], record["ref_exps"], strict=True):
            corners = [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]
            assert corners == pytest.approx(row[2:6], abs=2e-6)
    assert "path" not in yaml.safe_load((folder / "data.yaml").read_text())  # then it takes the folder of data.yaml


def mmdetection_converters(run):
    """Image, caption and boxes by words of each line that mmdetection's converters for GRIT make of a run's shards.

    tools/dataset_converters/grit_processing.py:41-68, 92-101 (commit 2e54a10): the JSON members of a tar become a list,
    its images move to a folder of its name. grit2odvg.py:31-32, 52-56, 78, 91-103 (commit 62aad08). Its filters of
    captions, which drop any with a full stop inside, are left out here.
    """
    for path in sorted((run / "shards").glob("*.tar")):
        with tarfile.open(path) as tar:
            images = {f"images/{path.stem}/{name}" for name in tar.getnames() if not name.endswith((".txt", ".json"))}
            metas = [json.load(tar.extractfile(name)) for name in tar.getnames() if name.endswith(".json")]
        for meta in metas:
            image = f"images/{meta['key'][0:5]}/{meta['key']}.jpg"
            images.remove(image)
            regions = {}
            for row in meta["ref_exps"]:
                words = meta["caption"][int(row[0]) : int(row[1])]
                sides = zip(row[2:6], (meta["width"], meta["height"]) * 2, strict=True)
                regions.setdefault(words, []).append([round(corner * side, 3) for corner, side in sides])
            yield image, meta["caption"], regions
        assert not images


def test_mmdetections_converters_for_grit_read_the_shards(finished, records, tmp_path):
    found = list(mmdetection_converters(finished))
    assert [(image, caption) for image, caption, _ in found] == [
        (f"images/{key[:5]}/{key}.jpg", record["caption"]) for key, record in records.items()
    ]
    export(finished, "odvg", tmp_path)  # which makes them unnecessary
    for (image, _, regions), row in zip(found, lines(tmp_path / "odvg.jsonl"), strict=True):
        assert image == row["filename"]
        wanted = {}
        for region in row["grounding"]["regions"]:
            wanted.setdefault(region["phrase"], []).append(pytest.approx(region["bbox"], abs=1e-3))
        assert regions == wanted


def detections_of(record):
    """Boxes in pixels of a record's expressions."""
    size = (record["width"], record["height"]) * 2
    return [[corner * side for corner, side in zip(row[2:6], size, strict=True)] for row in record["ref_exps"]]


@pytest.mark.filterwarnings("ignore:OpenCV")
def test_supervision_reads_coco_and_yolo(finished, records, tmp_path):
    import supervision

    for name in ("coco", "yolo"):
        export(finished, name, tmp_path / name)
    coco = supervision.DetectionDataset.from_coco(str(tmp_path / "coco"), str(tmp_path / "coco" / "instances.json"))
    assert len(coco) == 30
    for path, picture, found in coco:
        record = records[path.rpartition("/")[2].removesuffix(".jpg")]
        assert picture.shape == (record["height"], record["width"], 3)
        assert found.xyxy.tolist() == [pytest.approx(box, abs=1e-2) for box in detections_of(record)]
    classes = 0
    for shard in sorted((tmp_path / "yolo" / "images").iterdir()):
        labels = str(tmp_path / "yolo" / "labels" / shard.name)
        yolo = supervision.DetectionDataset.from_yolo(str(shard), labels, str(tmp_path / "yolo" / "data.yaml"))
        for path, _, found in yolo:
            record = records[path.rpartition("/")[2].removesuffix(".jpg")]
            assert found.xyxy.tolist() == [pytest.approx(box, abs=1e-2) for box in detections_of(record)]
            assert [yolo.classes[number] for number in found.class_id] == classes_of(record)
            classes += len(found)
    assert classes == sum(len(record["heads"]) for record in records.values())


ORIGIN = ("uid", "source_key", "url", "meta")


@pytest.mark.parametrize(
    ("name", "file", "rows"),
    [
        ("grit", "grit_coyo.jsonl", None),
        ("odvg", "odvg.jsonl", None),
        ("instructions", "instructions.jsonl", None),
        ("coco", "instances.json", "images"),
        ("mdetr", "mdetr_train.json", "images"),
        ("refcoco", "refcoco/instances.json", "images"),
        ("yolo", "parts/00000.jsonl", None),
        ("tsv", "origins/00000.jsonl", None),
    ],
)
def test_where_a_pair_comes_from_goes_along(finished, single, records, tmp_path, name, file, rows):
    export(single if name == "refcoco" else finished, name, tmp_path, ExportOptions(images=False))
    found = json.loads((tmp_path / file).read_text())[rows] if rows else lines(tmp_path / file)
    wanted = {tuple(record[field] for field in ORIGIN) for record in records.values()}
    told = {tuple(row[field] for field in ORIGIN) for row in found}
    assert told <= wanted
    assert len(told) == {"yolo": 10, "tsv": 9}.get(name, 30)


def test_hf_is_opened_by_datasets_with_typed_features(finished, records, tmp_path):
    from datasets import Image as ImageFeature
    from datasets import List, load_dataset

    export(finished, "hf", tmp_path / "out")
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == 30
    assert isinstance(loaded.features["image"], ImageFeature)
    assert isinstance(loaded.features["groundings"], List)
    assert loaded.features["width"].dtype == "int32"
    for row, sample in zip(loaded, gritmill.read(finished), strict=True):
        record = records[row["key"]]
        assert row["image"].size == (record["width"], record["height"])
        assert (row["caption"], row["grounded"], row["meta"]) == (sample.caption, sample.grounded, record["meta"])
        for one, chunk, expression in zip(row["groundings"], record["noun_chunks"], record["ref_exps"], strict=True):
            assert one["box"] == pytest.approx(chunk[2:6], abs=1e-6)
            assert one["phrase"] == row["caption"][chunk[0] : chunk[1]]
            assert one["expression"] == row["caption"][expression[0] : expression[1]]
            assert one["head"] in one["phrase"]
    streamed = load_dataset(str(tmp_path / "out"), split="train", streaming=True)
    assert [row["uid"] for row in streamed] == [record["uid"] for record in records.values()]


def test_datasets_reads_claims(tmp_path):
    from datasets import load_dataset

    claims = (
        Claim(ClaimKind.RELATION, 6, 10, 0, 5, "near", objects=(11, 22)),
        Claim(ClaimKind.RELATION, 6, 10, 0, 5, "picture_left", negated=True),
        Claim(ClaimKind.COUNT, 0, 1, 0, 5, "at_least", 1),
    )
    verdicts = [Checked(Verdict.SUPPORTED, {"gap": 0.25}), Checked(Verdict.UNDECIDED), Checked(Verdict.CONTRADICTED)]
    grounding = Grounding(Phrase(0, 5, 2, 5, 0, 5), Box(0, 0.1, 0.2, 0.5, 0.75, 0.5))
    pair = Pair("k", "s", 0, "a dog near the red car", claims=claims, width=64, height=48)
    records = [compose("000000000", pair, [grounding], verdicts)]
    records += [compose("000000001", replace(pair, claims=()), [grounding])]
    picture = sample_pairs.drawn(1)[0].data
    samples = (Sample(record["key"], picture, record, pair.caption, "", {}) for record in records)
    made = find_format("hf", ExportOptions())
    made.shard(0, samples, ExportFolder(f"{tmp_path}/out"))
    for streaming in (False, True):
        cache = str(tmp_path / "cache")
        rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=cache, streaming=streaming)
        assert [row["claims"] for row in rows] == [record["claims"] for record in records]


@pytest.mark.parametrize("to", ["grit", "odvg", "instructions"])
def test_the_data_card_says_what_datasets_is_to_load(finished, tmp_path, to):
    from datasets import load_dataset

    figures = export(finished, to, tmp_path / "out")["figures"]
    loaded = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    rows = sum(figures.get(kind, 0) for kind in ("comprehension", "generation", "captioning", "pointing"))
    assert len(loaded) == (rows or figures["samples"])
    assert {"uid", "source_key", "meta"} <= set(loaded.column_names)


@pytest.mark.parametrize("dialect", ["kosmos2", "shikra", "qwen2-vl", "qwen2.5-vl", "florence2", "paligemma"])
@pytest.mark.parametrize("boxes", ["finished", "single"])
def test_instructions_say_what_the_records_say(request, tmp_path, dialect, boxes):
    run = request.getfixturevalue(boxes)
    figures = export(run, "instructions", tmp_path, ExportOptions(dialect=dialect))["figures"]
    found = lines(tmp_path / "instructions.jsonl")
    by_uid = {sample.record["uid"]: sample.record for sample in gritmill.read(run)}
    whole = dialects.find(dialect).carries in (Carries.SPANS, Carries.ENDS)
    kinds = {row["kind"] for row in found}
    assert kinds >= {"comprehension", *({"captioning"} if whole else ())}
    assert ("generation" in kinds) == (whole and boxes == "single")
    assert ("generation, left out: every expression names several things" in figures) == (whole and boxes == "finished")
    for row in found:
        record = by_uid[row["uid"]]
        human, model = (turn["value"] for turn in row["conversations"])
        assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"]
        assert human.startswith("<image>\n")
        assert (tmp_path / row["image"]).exists()
        words, boxes_of = {}, {}
        for r in record["ref_exps"]:
            text = record["caption"][r[0] : r[1]]
            words.setdefault(text, boxes_of.setdefault(text.casefold(), [])).append(r[2:6])
        size = record["width"], record["height"]
        if row["kind"] == "comprehension":
            (asked, *_) = [text for text in words if human.removeprefix("<image>\n") in {c.format(text) for c in ASKED}]
            boxes = [
                box
                for span in gritmill.decode(model, dialect=dialect, width=size[0], height=size[1]).spans
                for box in span.boxes
            ]
            assert near(boxes, words[asked], dialect, size)
        elif row["kind"] == "generation":
            asked = gritmill.decode(human.removeprefix("<image>\n"), dialect=dialect, width=size[0], height=size[1])
            assert asked.caption in {
                "What is it?",
                "What is this?",
                "Describe this object.",
                "It is",
                "This is",
                "The object is",
            }
            (span,) = asked.spans
            (answer,) = [
                text
                for text in words
                if model in {t.format(text) for t in ("It is {}.", "This is {}.", "This object is {}.", "{}.")}
            ]
            assert near(span.boxes, words[answer], dialect, size)
            assert len(words[answer]) == 1  # "It is {}" is for one thing
        elif row["kind"] == "captioning":
            assert gritmill.decode(model, dialect=dialect, width=size[0], height=size[1]).caption == record["caption"]
        else:
            x, y = (float(number) for number in re.findall(r"\d\.\d{3}", human)[:2])
            under = {t.casefold() for t, own in words.items() if any(a <= x <= c and b <= y <= d for a, b, c, d in own)}
            assert under == {model.casefold()}
    assert sum(
        figures[kind] for kind in ("comprehension", "generation", "captioning", "pointing") if kind in figures
    ) == len(found)


ASKED = ("Find {}.", "Locate {} in the picture.", "Give the box of {}.", "Please point out {}.")


def near(boxes, wanted, dialect, size):
    error = max(dialects.find(dialect).error(*size)) + 1e-6
    return len(boxes) == len(wanted) and all(
        any(max(abs(a - b) for a, b in zip(box, one, strict=True)) <= error for box in boxes) for one in wanted
    )


def test_a_caption_that_reads_like_a_models_sign_gives_no_instruction(tmp_path, grounding_dino):
    one = sample_pairs.drawn(1)[0]
    pictures = [
        sample_pairs.Picture(one.name, one.data, (text,), "", 1) for text in ("an <image> and a dog", "a dog and a cat")
    ]
    config = sample_pairs.settings("caption-parser", grounding_dino, text={"dialect": ["loc1000"]})
    gritmill.run(config, inputs=sample_pairs.as_jsonl(pictures, tmp_path / "in"), output=tmp_path / "run")
    figures = export(tmp_path / "run", "instructions", tmp_path / "out", ExportOptions(dialect="loc1000"))["figures"]
    assert (figures["samples"], figures["captions with <, left out"]) == (1, 1)
    text = (tmp_path / "out" / "instructions.jsonl").read_text()
    assert text.count("<image>") == len(text.splitlines())


def test_instructions_follow_from_the_seed(finished, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        export(finished, "instructions", tmp_path / name, ExportOptions(images=False, seed=seed))
    a, b, c = ((tmp_path / name / "instructions.jsonl").read_bytes() for name in "abc")
    assert a == b != c


def test_instructions_need_words(finished, tmp_path):
    with pytest.raises(gritmill.CallError, match="--dialect: pix2seq carries no words"):
        export(finished, "instructions", tmp_path, ExportOptions(dialect="pix2seq"))
    with pytest.raises(gritmill.CallError, match="--dialect: klingon: no such dialect"):
        export(finished, "instructions", tmp_path, ExportOptions(dialect="klingon"))
