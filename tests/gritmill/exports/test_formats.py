"""Each format as its own consumer reads it."""

import ast
import base64
import contextlib
import hashlib
import io
import json

import pyarrow.parquet as pq
import pytest
from PIL import Image
from pycocotools.coco import COCO

from gritmill.exports.export import export
from gritmill.exports.format import Level, Options


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_grit_has_the_released_rows(finished, records, tmp_path):
    figures = export(finished, "grit", tmp_path)["figures"]
    found = lines(tmp_path / "grit_coyo.jsonl")
    assert [row["key"] for row in found] == list(records)
    for row in found:
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
    rows = [row for table in tables for row in table.to_pylist()]
    assert rows == found  # doubles equal integers here
    assert isinstance(rows[0]["noun_chunks"][0][0], float)
    scores = [row[6] for record in records.values() for row in record["ref_exps"]]
    assert figures["rows"] == len(scores)
    assert figures["rows below 0.65"] == sum(score < 0.65 for score in scores)
    assert "--box-score-threshold" in (tmp_path / "README.md").read_text()


def kosmos_loader(path):
    """Rows as unilm's laion2b_obj_loader reads them: split at line ends and tabs, a Python literal last."""
    for line in path.read_text("utf-8").split("\n"):
        cells = line.split("\t")
        assert len(cells) == 6
        picture = Image.open(io.BytesIO(base64.b64decode(cells[2])))
        assert hashlib.md5(base64.b64decode(cells[2])).hexdigest() == cells[0]
        assert picture.size == (int(cells[3]), int(cells[4]))
        yield cells[1], ast.literal_eval(cells[5])


def test_tsv_is_what_kosmos_2s_loader_reads(finished, records, tmp_path):
    figures = export(finished, "tsv", tmp_path)["figures"]
    files = sorted((tmp_path / "coyo_filtered_tsvs_v1_obj").glob("*.tsv"))
    found = [row for path in files for row in kosmos_loader(path)]
    wanted = [record for record in records.values() if "\t" not in record["caption"]]
    assert [caption for caption, _ in found] == [record["caption"] for record in wanted]
    for (_, rows), record in zip(found, wanted, strict=True):
        assert rows == {"phrase": record["noun_chunks"], "expression_v1": record["ref_exps"]}
    assert figures["samples"] == 29
    assert figures["captions with a tab or a line's end, left out"] == 1
    (source,) = json.loads((tmp_path / "train.json").read_text())
    assert [name.replace("tsvs_v1/", "tsvs_v1_obj/").rpartition("grit/")[2] for name in source["source"]] == [
        str(path.relative_to(tmp_path)) for path in files
    ]


@pytest.mark.parametrize("level", Level)
def test_odvg_as_mmdetection_and_open_grounding_dino_read_it(finished, records, tmp_path, level):
    export(finished, "odvg", tmp_path, Options(level=level))
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
        for annotation, row in zip(annotations, record["ref_exps"], strict=True):
            words = record["caption"][row[0] : row[1]]
            assert boxes.loadCats([annotation["category_id"]])[0]["name"] == words.lower()
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
