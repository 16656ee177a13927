import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from transforms.jpeg_header import is_plain_jpeg

PICTURE = Image.fromarray(np.arange(24 * 16 * 3, dtype=np.uint8).reshape(16, 24, 3))
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TURNED = Image.Exif()
TURNED[0x0112] = 6
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>6</tiff:Orientation></x:xmpmeta>'


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    target = io.BytesIO()
    PICTURE.convert(mode).save(target, "JPEG", **options)
    return target.getvalue()


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("L", {}),
        ("RGB", {"icc_profile": PROFILE, "comment": b"a camera", "dpi": (72, 72)}),
        ("RGB", {"subsampling": 0, "optimize": True, "restart_marker_blocks": 1}),
    ],
)
def test_the_usual_photos_are_plain(mode: str, options: dict[str, Any]) -> None:
    data = jpeg(mode, **options)
    assert is_plain_jpeg(data, 24 * 16)
    assert not is_plain_jpeg(data, 24 * 16 - 1)


def hidden_turn() -> bytes:
    """A JPEG that Pillow turns. If its fill byte is taken for a marker, and what follows for a profile, the Exif block
    is skipped."""
    turned = jpeg(exif=TURNED)
    exif = turned[turned.index(b"\xff\xe1") :]
    exif = exif[: 2 + int.from_bytes(exif[2:4])]
    start = b"\xff\xd8" + b"\xff" + (b"\xff\xe1\0ICC_PROFILE\0").ljust(2 + ord("I"), b"\0") + exif
    rest = 2 + 2 + 0xE100 - len(start)  # to where the wrong length leads
    return start + b"\xff\xfe" + (rest - 2).to_bytes(2) + bytes(rest - 4) + jpeg()[2:]


@pytest.mark.parametrize(
    "data",
    [
        hidden_turn(),
        jpeg("CMYK"),
        jpeg(progressive=True),
        jpeg(exif=TURNED),
        jpeg(xmp=XMP),
        b"",
        b"\xff\xd8",
        b"\xff" * 100,
        b"GIF89a" + bytes(20),
    ],
)
def test_pillow_looks_at_the_others(data: bytes) -> None:
    assert not is_plain_jpeg(data, 1 << 30)


@given(st.data())
def test_what_is_plain_is_so_for_pillow(given_data: st.DataObject) -> None:
    """Also of a damaged header that Pillow opens at all."""
    damaged = bytearray(jpeg(given_data.draw(st.sampled_from(["RGB", "L", "CMYK"]))))
    start = damaged.index(b"\xff\xda") + 12
    for _ in range(given_data.draw(st.integers(0, 3))):
        damaged[given_data.draw(st.integers(0, start))] = given_data.draw(st.integers(0, 255))
    data = bytes(damaged[: given_data.draw(st.integers(0, len(damaged)))])
    if not is_plain_jpeg(data, 1000):
        return
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG",))
    except (OSError, SyntaxError):
        return
    assert image.mode in ("RGB", "L")
    assert image.width * image.height <= 1000
    assert image.getexif().get(0x0112, 1) == 1
