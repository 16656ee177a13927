"""validate finds every fault of an image, and decodes only what `ground` has not decoded."""

import io
import json
import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import gritmill
from gritmill.validation.image import image_faults
from gritmill.validation.sample import Rules
from tests import sample_pairs
from tests.gritmill.validation.test_validate import faults, rewrite

RULES = Rules(("kosmos2",), False, 100_000, None)
SIZE = (83, 61)
FORMS = {
    "4:2:0": {"quality": 85},
    "4:4:4": {"quality": 92, "subsampling": 0},
    "progressive": {"progressive": True},
    "grey": {"mode": "L"},
    "grey, progressive": {"mode": "L", "progressive": True},
    "CMYK": {"mode": "CMYK"},
    "restart marks": {"restart_marker_blocks": 3},
    "restart marks, progressive": {"restart_marker_rows": 1, "progressive": True},
    "RGB": {"keep_rgb": True},
    "optimized": {"quality": 50, "optimize": True},
}


def encoded(mode="RGB", size=SIZE, seed=0, **options):
    """A JPEG of coarse and fine noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(size)
    fine = rng.normal(0, 12, (size[1], size[0], 3))
    target = io.BytesIO()
    picture = Image.fromarray(np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8)).convert(mode)
    picture.save(target, "JPEG", **options)
    return target.getvalue()


def damaged(data, rng):
    """A JPEG with one of eleven kinds of damage, most of them in its scans."""
    length, scan = len(data), data.index(b"\xff\xda")
    at, size = rng.randrange(scan, length), rng.choice((1, 3, 16, 512))
    marks = [i for i in range(scan, length) if data[i : i + 1] == b"\xff" and 0xD0 <= data[i + 1] <= 0xDA]
    mark = rng.choice(marks)
    anywhere = rng.randrange(2, scan + 14)
    return rng.choice(
        (
            data[: rng.randrange(2, length)],
            data[: length - rng.randrange(1, 40)],
            data[:at],
            data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :],
            data[:anywhere] + rng.randbytes(1) + data[anywhere + 1 :],
            data[:at] + bytes(size) + data[at + size :],
            data[:at] + data[at + size :],
            data[:at] + rng.randbytes(size) + data[at + size :],
            data[:at] + b"\xff\xd9" + data[at:],
            data[:at] + bytes((0xFF, rng.choice((0xC0, 0xC4, 0xD3, 0xDA, 0xDB, 0xDD, 0xFE)))) + data[at + 2 :],
            data[:mark] + data[mark + 2 :] + rng.randbytes(size),
        )
    )


def faults_of_the_whole(data):
    """What Pillow says of an image at its full size, and the size in its header."""
    size = None
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            size = image.size
            if size[0] * size[1] <= RULES.max_pixels:
                image.load()
    except UnidentifiedImageError:
        return ["jpg: cannot identify image file"], size
    except Exception as error:
        return [f"jpg: {error}"], size
    return [], size


@pytest.mark.parametrize("form", FORMS)
def test_an_eighth_of_the_size_shows_all_that_the_whole_image_shows(form):
    """libjpeg reads all of the entropy-coded data at any scale."""
    data, rng = encoded(**FORMS[form]), random.Random(form)
    numbers = []
    for given in [data, *(damaged(data, rng) for _ in range(150))]:
        expected, size = faults_of_the_whole(given)
        found = [text for text in image_faults(given, size, RULES) if "mode" not in text and "max_pixels" not in text]
        assert found == expected
        numbers.append(len(found))
    assert numbers[0] == 0
    assert 30 < sum(numbers) < 140


def test_a_plugin_that_lets_pillow_load_truncated_images_hides_no_fault(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    (text,) = image_faults(encoded()[:-400], SIZE, RULES)
    assert text.startswith("jpg: image file is truncated")


def test_what_only_the_header_shows_is_found_without_decoding(monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)

    def found(size=SIZE, rules=RULES, **options):
        return image_faults(encoded(**options), size, rules, decode=False)

    exif = Image.Exif()
    assert found() == found(mode="L") == found(progressive=True) == found(exif=exif, comment=b"\xff\xda") == []
    assert found(icc_profile=b"profile" * 20_000, restart_marker_blocks=1) == []
    assert found((61, 83)) == ["jpg: size 83 x 61, but 61 x 83 in the record"]
    assert found((0, 1 << 70)) == [f"jpg: size 83 x 61, but 0 x {1 << 70} in the record"]
    assert found(mode="CMYK") == ["jpg: mode CMYK, not RGB or L"]
    exif[0x0112] = 6
    assert found(exif=exif) == ["jpg: has an EXIF orientation, so some readers rotate it"]
    assert found(rules=replace(RULES, max_pixels=83 * 61)) == []
    assert found(rules=replace(RULES, max_pixels=83 * 61 - 1)) == [
        "jpg: 83 x 61 pixels are more than source.max_pixels, 5062"
    ]
    ten = encoded(progressive=True).count(b"\xff\xda")
    assert found(progressive=True, rules=replace(RULES, max_scans=ten)) == []
    assert found(progressive=True, rules=replace(RULES, max_scans=ten - 1)) == [
        f"jpg: more scans than source.max_scans, {ten - 1}"
    ]
    assert found(rules=replace(RULES, max_scans=1), comment=b"\xff\xda" * 9) == []


@pytest.fixture(scope="module")
def photos(tmp_path_factory, parser):
    """A run of three JPEGs, and of a PNG, which `pack` encodes."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "in").mkdir()
    rows = []
    for number, form in enumerate(({}, {"progressive": True}, {"mode": "L"}, None)):
        picture = encoded(seed=number, **(form or {}))
        if form is None:
            Image.open(io.BytesIO(picture)).save(folder / f"in/{number}.png")
        else:
            (folder / f"in/{number}.jpg").write_bytes(picture)
        rows.append({"image": f"{number}.{'png' if form is None else 'jpg'}", "caption": "a dog near a tree"})
    (folder / "in/pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    settings = sample_pairs.settings(parser, "tests.plugin_detectors:factory")
    gritmill.run(settings, inputs=folder / "in/pairs.jsonl", output=folder / "out")
    return folder / "out"


@pytest.fixture
def out(photos, tmp_path):
    shutil.copytree(photos, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def decoded(monkeypatch):
    """The sizes of the images that were decoded."""
    sizes, load = [], ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: sizes.append(image.size) or load(image))
    return sizes


def test_what_ground_decoded_is_not_decoded_again(out, decoded):
    assert faults(out) == []
    assert len(decoded) == 1  # of the PNG
    assert faults(out, decode=True) == []
    assert len(decoded) == 1 + 4
    assert faults(out, limit=2) == []  # without the detections
    assert len(decoded) == 1 + 4 + 2
    shutil.rmtree(out / "detections")
    assert faults(out) == []
    assert len(decoded) == 1 + 4 + 2 + 4


@pytest.mark.parametrize("number", [0, 1, 2, 3])
@pytest.mark.parametrize("decode", [False, True])
def test_an_image_that_was_damaged_after_it_was_grounded_is_decoded(out, number, decode):
    name = f"00000{number:04}.jpg"
    rewrite(out, lambda member, data: data[:-40] if member == name else data)
    ((key, text),) = faults(out, decode=decode)
    assert key == name.removesuffix(".jpg")
    assert text.startswith("jpg: image file is truncated")


def test_an_image_of_another_pair_is_decoded(out, decoded):
    """Its bytes are known, but of another pair."""
    images = {sample.key: sample.jpeg for sample in gritmill.read(out)}
    rewrite(out, lambda name, data: images["000000001"] if name == "000000000.jpg" else data)
    assert faults(out) == []
    assert len(decoded) == 1 + 1
