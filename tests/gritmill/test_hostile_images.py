"""Pictures of every kind in one run: each is grounded as a person sees it, or is a failed row with the reason."""

import csv
import io
import json
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import gritmill
from pipeline.tables.detections import read_all
from tests import sample_pairs
from tests.shared import DATA, needs_shared

NASTY = DATA / "nasty_images"
OUTSIDE = ("EPS", "ICNS", "JPEG2000", "ICO")
CAPTION = "a red dog near a green cat"


def encoded(image, form, **options):
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def picture(mode="RGB"):
    ramp = np.add.outer(np.arange(40), np.arange(60)) * 2
    return Image.fromarray(np.stack([ramp, 255 - ramp, ramp // 2], axis=-1).astype(np.uint8)).convert(mode)


def turned(by):
    exif = Image.Exif()
    exif[0x0112] = by
    return exif


SIZE = (60, 40)


@cache
def made_here():
    """Every file with its visible size or None, and the allowed reasons of its row."""
    good = {
        "plain.jpg": (encoded(picture(), "JPEG"), SIZE),
        "grey.jpg": (encoded(picture("L"), "JPEG"), SIZE),
        "cmyk.jpg": (encoded(picture("CMYK"), "JPEG"), SIZE),
        "turned.jpg": (encoded(picture(), "JPEG", exif=turned(6)), SIZE[::-1]),
        "mirrored.jpg": (encoded(picture(), "JPEG", exif=turned(2)), SIZE),
        "impossible.jpg": (encoded(picture(), "JPEG", exif=turned(99)), SIZE),
        "alpha.png": (encoded(picture("RGBA"), "PNG"), SIZE),
        "palette.png": (encoded(picture("P"), "PNG"), SIZE),
        "deep.png": (encoded(Image.fromarray(np.full((40, 60), 40_000, np.uint16)), "PNG"), SIZE),
        "one_bit.png": (encoded(picture("1"), "PNG"), SIZE),
        "turned.webp": (encoded(picture(), "WEBP", exif=turned(8)), SIZE[::-1]),
        "moving.gif": (encoded(picture(), "GIF", save_all=True, append_images=[Image.new("RGB", SIZE)] * 3), SIZE),
        "windows.bmp": (encoded(picture(), "BMP"), SIZE),
        "scan.tif": (encoded(picture(), "TIFF"), SIZE),
        "new.avif": (encoded(picture(), "AVIF"), SIZE),
        "old.ppm": (encoded(picture(), "PPM"), SIZE),
        "jpeg_in_disguise.png": (encoded(picture(), "JPEG"), SIZE),
    }
    bad = {
        "page.jpg": (b"<!DOCTYPE html><title>404</title>", "not_an_image"),
        "answer.png": (b'{"error": "not found"}', "not_an_image"),
        "drawing.jpg": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not_an_image"),
        "print.jpg": (encoded(picture(), "EPS"), "unsupported_format"),
        "icon.jpg": (encoded(picture(), "ICO"), "unsupported_format"),
        "prose.jpg": (b"once upon a time", "unsupported_format"),
        "cut.jpg": (encoded(picture(), "JPEG")[:-60], "truncated"),
        "cut.png": (encoded(Image.effect_noise(SIZE, 90), "PNG")[:900], "truncated"),
        "header.jpg": (encoded(picture(), "JPEG")[:30], "undecodable"),
        "bomb.png": (encoded(Image.new("1", (20_000, 20_000)), "PNG"), "too_many_pixels"),
    }
    good = {name: (data, size, None) for name, (data, size) in good.items()}
    bad = {name: (data, None, (reason,)) for name, (data, reason) in bad.items()}
    return {**good, **bad, "nothing.jpg": (b"", None, ("not_an_image", "no_image"))}  # a cell may be empty, too


def nasty():
    """The same of files of the shared data."""
    with (NASTY / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["file"]: ((NASTY / row["file"]).read_bytes(), *_expected(row)) for row in rows}


def _expected(row):
    if row["format"] in OUTSIDE:
        return None, ("unsupported_format",)
    # If Pillow fails to read the EXIF block, a second attempt returns half of the picture. gritmill makes only one.
    if "no" in (row["opens"], row["decodes_to_rgb"]) or row["exif_orientation"].startswith("error"):
        return None, ("not_an_image", "undecodable", "truncated", "too_many_pixels", "unsupported_format")
    size = int(row["width"]), int(row["height"])
    # Pillow returns the rotated size for a TIFF; for other formats the test applies the EXIF tag.
    sideways = row["exif_orientation"] in ("5", "6", "7", "8") and row["format"] != "TIFF"
    return (size[::-1] if sideways else size), None


def as_jsonl(images, folder):
    lines = []
    for name, data in images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        lines.append(json.dumps({"image": name, "caption": CAPTION, "key": name}))
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    return str(folder / "pairs.jsonl")


def as_parquet(images, folder):
    folder.mkdir()
    rows = [{"image": data, "caption": CAPTION, "key": name} for name, data in images.items()]
    pq.write_table(pa.Table.from_pylist(rows), folder / "pairs.parquet")
    return str(folder / "pairs.parquet")


def check(expected, out):
    """The ledger, the rows and the shards agree with the known properties of the files."""
    manifest = json.loads((out / "manifest.json").read_text())
    bad = {name for name, (_, size, _) in expected.items() if size is None}
    failed = manifest["ledger"]["failed"]
    assert manifest["ledger"]["read"] == len(expected)
    assert sum(sum(reasons.values()) for reasons in failed.values()) == len(bad)
    assert manifest["ledger"]["written"] == len(expected) - len(bad)
    rows = {pair.key: pair for pair in read_all(str(out / "detections"))}
    for name, (_, size, reasons) in expected.items():
        pair = rows[name]
        if reasons:
            assert pair.error.reason in reasons, name
            assert pair.error.stage == ("read" if pair.error.reason == "no_image" else "image"), name
            assert not pair.boxes
        else:
            assert pair.error is None, name
            assert (pair.width, pair.height) == size, name
    samples = {sample.record["source_key"]: sample for sample in gritmill.read(out)}
    assert set(samples) == set(expected) - bad
    for name, sample in samples.items():
        assert sample.image.size == expected[name][1], name
    assert not [finding for finding in gritmill.validate(out) if finding.text]


@pytest.mark.parametrize("kind", [as_jsonl, pytest.param(as_parquet, marks=pytest.mark.slow)])
def test_pictures_of_every_make_in_one_run(tmp_path, parser, grounding_dino, kind):
    expected = made_here()
    given = kind({name: data for name, (data, _, _) in expected.items()}, tmp_path / "in")
    gritmill.run(sample_pairs.settings(parser, grounding_dino), inputs=given, output=tmp_path / "out")
    check(expected, tmp_path / "out")


def test_a_detector_that_looks_at_no_picture_lets_none_through_that_is_cut(tmp_path, parser):
    expected = made_here()
    given = as_jsonl({name: data for name, (data, _, _) in expected.items()}, tmp_path / "in")
    gritmill.run(sample_pairs.settings(parser, "tests.plugin_detectors:factory"), inputs=given, output=tmp_path / "out")
    check(expected, tmp_path / "out")


def test_a_pixel_limit_of_ones_own(tmp_path, parser):
    given = as_jsonl({"plain.jpg": made_here()["plain.jpg"][0]}, tmp_path / "in")
    for limit, reason in ((60 * 40, None), (60 * 40 - 1, "too_many_pixels")):
        config = sample_pairs.settings(parser, "tests.plugin_detectors:factory", source={"max_pixels": limit})
        gritmill.ground(config, inputs=given, output=tmp_path / f"out{limit}")
        (pair,) = read_all(str(tmp_path / f"out{limit}/detections"))
        assert (pair.error and pair.error.reason) == reason


@pytest.mark.slow
@needs_shared
def test_all_101_awkward_files_in_one_run(tmp_path, parser, grounding_dino):
    expected = nasty()
    assert len(expected) == 101
    given = as_jsonl({name: data for name, (data, _, _) in expected.items()}, tmp_path / "in")
    gritmill.run(sample_pairs.settings(parser, grounding_dino), inputs=given, output=tmp_path / "out")
    check(expected, tmp_path / "out")
