import csv
import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngInfo

from tests.shared import DATA, needs_shared
from transforms import images
from transforms.images import ImageFault, bytes_digest, decode, measure, to_jpeg
from transforms.records import Reason

NASTY = DATA / "nasty_images"
WHITE, BLACK, RED, GREEN, BLUE = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)

# EXIF orientation -> the transformation from the upright picture to the stored one.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image, format, **options):
    target = io.BytesIO()
    image.save(target, format, **options)
    return target.getvalue()


def blocks(width=48, height=32):
    """Returns four blocks of different colours, so that all rotations and mirror images differ."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(WHITE, (width // 2, height // 2, width, height))
    return image


def turned(orientation):
    transpose = STORED[orientation]
    return blocks() if transpose is None else blocks().transpose(transpose)


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def far(a, b):
    """Returns the mean absolute difference of two pictures of one size, 0..255."""
    return np.abs(np.asarray(a.convert("RGB"), float) - np.asarray(b.convert("RGB"), float)).mean()


def reason_of(function, data, **options):
    with pytest.raises(ImageFault) as caught:
        function(data, **options)
    return caught.value.reason


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"])
def test_every_format_of_the_allow_list_is_measured_and_decoded(format):
    data = encoded(blocks(), format)
    assert measure(data) == (48, 32)
    picture = decode(data)
    assert (picture.mode, picture.size) == ("RGB", (48, 32))
    assert far(picture, blocks()) < 12


def smooth(width, height, mode="RGB"):
    """Returns a picture without fine detail, so that it survives a smaller size."""
    tiles = np.random.default_rng(width).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(tiles).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
    st.tuples(st.integers(1, 100), st.integers(1, 100)),
    st.sampled_from(["RGB", "L", "CMYK"]),
    st.integers(1, 8),
    st.booleans(),
)
def test_a_large_jpeg_is_decoded_at_reduced_scale(size, least, mode, orientation, progressive):
    data = encoded(smooth(*size, mode), "JPEG", exif=exif(orientation), progressive=progressive)
    exact, fast = decode(data), decode(data, least=least)
    scale = next(s for s in (8, 4, 2, 1) if s == 1 or all(a >= s * b for a, b in zip(exact.size, least, strict=True)))
    assert fast.size == tuple(-(-side // scale) for side in exact.size)
    if scale == 1:
        assert fast.tobytes() == exact.tobytes()
    elif min(fast.size) >= 16:  # below, blocks of the JPEG reach over its edge
        assert far(fast, exact.resize(fast.size, Image.Resampling.BOX)) < 12


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"])
def test_other_formats_keep_their_size(format):
    data = encoded(smooth(64, 48), format)
    assert decode(data, least=(8, 8)).tobytes() == decode(data).tobytes()


def test_a_stereo_jpeg_at_reduced_scale():
    data = encoded(smooth(64, 48), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48), BLACK)])
    assert far(decode(data, least=(32, 24)), smooth(64, 48).resize((32, 24))) < 8


@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_jpeg_is_found_at_reduced_scale(progressive):
    data = encoded(Image.effect_noise((160, 128), 50).convert("RGB"), "JPEG", progressive=progressive)
    for end in (len(data) // 9, len(data) // 2, len(data) - 400, len(data) - 40):
        assert reason_of(decode, data[:end], least=(20, 16)) == reason_of(decode, data[:end])


def test_limits_are_those_of_the_whole_picture_at_reduced_scale():
    data = encoded(smooth(64, 48), "JPEG")
    assert reason_of(decode, data, max_pixels=64 * 48 - 1, least=(8, 6)) == Reason.TOO_MANY_PIXELS
    assert reason_of(decode, many_scans(491), least=(6, 4)) == Reason.TOO_MANY_SCANS


def test_a_stereo_jpeg_counts_as_its_first_picture():
    data = encoded(blocks(), "MPO", save_all=True, append_images=[Image.new("RGB", (48, 32), BLACK)])
    assert measure(data) == (48, 32)
    assert far(decode(data), blocks()) < 8


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_gives_the_same_upright_picture(format, orientation):
    options = {"quality": 95} if format in ("JPEG", "WEBP") else {}
    data = encoded(turned(orientation), format, exif=exif(orientation), **options)
    assert measure(data) == (48, 32)
    picture = decode(data)
    assert picture.size == (48, 32)
    assert far(picture, blocks()) < 12


@pytest.mark.parametrize("orientation", STORED)
def test_png_turned_by_its_xmp_packet_is_measured_as_it_is_decoded(orientation):
    packet = PngInfo()
    packet.add_itxt("XML:com.adobe.xmp", f'<rdf:Description tiff:Orientation="{orientation}"/>')
    data = encoded(turned(orientation), "PNG", pnginfo=packet)
    assert measure(data) == decode(data).size


@pytest.mark.parametrize("orientation", [0, 9, 99, 65535])
def test_an_impossible_orientation_is_ignored(orientation):
    data = encoded(blocks(), "JPEG", quality=95, exif=exif(orientation))
    assert measure(data) == (48, 32)
    assert far(decode(data), blocks()) < 8
    assert to_jpeg(data) == data


@pytest.mark.parametrize(
    "block", [b"Exif\0\0garbage", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0"]
)
def test_a_broken_exif_block_does_not_spoil_a_sound_picture(block):
    data = encoded(blocks(), "JPEG", quality=95, exif=block)
    assert measure(data) == (48, 32)
    assert far(decode(data), blocks()) < 8


def test_alpha_lies_on_white():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    grey = Image.new("LA", (4, 4), (0, 0))
    assert decode(encoded(clear, "PNG")).getpixel((0, 0)) == WHITE
    assert decode(encoded(half, "PNG")).getpixel((0, 0)) == pytest.approx((127, 127, 127), abs=1)
    assert decode(encoded(grey, "PNG")).getpixel((0, 0)) == WHITE


def test_a_transparent_palette_colour_becomes_white():
    image = Image.new("P", (4, 1), 0)
    image.putpalette([*RED, *GREEN, *BLUE])
    image.putpixel((1, 0), 1)
    for format in ("PNG", "GIF"):
        picture = decode(encoded(image, format, transparency=0))
        assert picture.getpixel((0, 0)) == WHITE
        assert picture.getpixel((1, 0)) == GREEN


def test_a_transparent_rgb_colour_becomes_white():
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), BLUE)
    picture = decode(encoded(image, "PNG", transparency=RED))
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [WHITE, BLUE]


def test_palette_colours_survive():
    image = blocks().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    assert far(decode(encoded(image, "PNG")), blocks()) < 2


def test_cmyk_becomes_rgb():
    picture = decode(encoded(blocks().convert("CMYK"), "JPEG", quality=95))
    assert picture.mode == "RGB"
    assert far(picture, blocks()) < 12


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_shades(format):
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 257, (2, 1))
    picture = decode(encoded(Image.fromarray(ramp), format))
    shades = np.asarray(picture)[0, :, 0].astype(int)
    assert np.abs(shades - np.arange(256)).max() <= 1


def test_sixteen_bit_pgm_keeps_its_shades():
    values = np.array([0, 16384, 32768, 65535], dtype=">u2")
    picture = decode(b"P5 4 1 65535\n" + values.tobytes())
    assert [picture.getpixel((x, 0))[0] for x in range(4)] == pytest.approx([0, 64, 128, 255], abs=1)


def test_float_tiff_in_zero_to_one_keeps_its_shades():
    values = np.array([[0.0, 0.25, 0.5, 1.0]], dtype=np.float32)
    picture = decode(encoded(Image.fromarray(values), "TIFF"))
    assert [picture.getpixel((x, 0))[0] for x in range(4)] == pytest.approx([0, 64, 128, 255], abs=1)


def test_one_bit_picture_is_black_and_white():
    image = Image.new("1", (2, 1), 0)
    image.putpixel((1, 0), 1)
    picture = decode(encoded(image, "PNG"))
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [BLACK, WHITE]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_an_animation_counts_as_its_first_frame(format):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    assert measure(data) == (16, 16)
    assert far(decode(data), frames[0]) < 8


def test_a_plain_jpeg_is_stored_byte_for_byte():
    for image in (blocks(), blocks().convert("L")):
        data = encoded(image, "JPEG", quality=40)
        assert to_jpeg(data) is data
    progressive = encoded(blocks(), "JPEG", progressive=True, exif=exif(1))
    assert to_jpeg(progressive) == progressive


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_a_turned_jpeg_is_stored_so_that_every_reader_sees_it_upright(orientation):
    stored = to_jpeg(encoded(turned(orientation), "JPEG", quality=95, exif=exif(orientation)))
    ignoring = Image.open(io.BytesIO(stored))
    assert ignoring.format == "JPEG"
    assert ignoring.getexif().get(0x0112, 1) == 1
    assert ignoring.size == (48, 32)
    assert far(ignoring, blocks()) < 12
    assert far(decode(stored), ignoring) == 0


@pytest.mark.parametrize(
    ("image", "format"),
    [
        (blocks().convert("CMYK"), "JPEG"),
        (blocks(), "PNG"),
        (blocks(), "GIF"),
        (blocks(), "WEBP"),
        (blocks().convert("RGBA"), "PNG"),
        (blocks().convert("P"), "PNG"),
    ],
)
def test_everything_else_is_stored_as_a_plain_rgb_jpeg(image, format):
    stored = to_jpeg(encoded(image, format))
    again = Image.open(io.BytesIO(stored))
    assert (again.format, again.mode, again.size) == ("JPEG", "RGB", (48, 32))
    assert far(again, blocks()) < 14
    assert to_jpeg(stored) == stored


def test_storing_is_deterministic():
    data = encoded(blocks(), "PNG")
    assert to_jpeg(data) == to_jpeg(data)


def test_re_encoding_a_picture_with_a_colour_profile_loses_no_profile_of_another_colour_space():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    stored = Image.open(io.BytesIO(to_jpeg(encoded(blocks().convert("CMYK"), "JPEG", icc_profile=profile))))
    assert stored.mode == "RGB"
    assert "icc_profile" not in stored.info


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.NOT_AN_IMAGE),
        (b"<html><body>404</body></html>", Reason.NOT_AN_IMAGE),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE html>", Reason.NOT_AN_IMAGE),
        (b'{"error": "not found"}', Reason.NOT_AN_IMAGE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Reason.NOT_AN_IMAGE),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", Reason.UNSUPPORTED_FORMAT),
        (b"hello, this is text", Reason.UNSUPPORTED_FORMAT),
    ],
)
def test_what_is_no_image_says_so(data, reason):
    assert reason_of(measure, data) == reason
    assert reason_of(decode, data) == reason
    assert reason_of(to_jpeg, data) == reason


@pytest.mark.parametrize("format", ["ICO", "ICNS", "TGA", "PCX", "JPEG2000"])
def test_a_format_outside_the_allow_list_is_refused(format):
    data = encoded(Image.new("RGB", (64, 64), RED), format)
    assert reason_of(measure, data) == Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "GIF"])
def test_a_truncated_picture_measures_but_does_not_decode(format):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, format)
    cut = data[: len(data) // 2]
    assert measure(cut) == (64, 64)
    assert reason_of(decode, cut) in (Reason.TRUNCATED, Reason.UNDECODABLE)


def test_a_jpeg_cut_short_is_called_truncated():
    data = encoded(Image.effect_noise((64, 64), 50), "JPEG")
    assert reason_of(decode, data[:-40]) == Reason.TRUNCATED


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_plugin_that_lets_pillow_load_truncated_images_changes_nothing(format, monkeypatch):
    data = encoded(Image.effect_noise((64, 64), 50).convert("RGB"), format)
    expected = reason_of(decode, data[:-400])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert reason_of(decode, data[:-400]) == expected


def test_pixels_are_counted_before_anything_is_decoded():
    data = encoded(blocks(), "PNG")
    assert measure(data, max_pixels=48 * 32) == (48, 32)
    for function in (measure, decode, to_jpeg):
        assert reason_of(function, data, max_pixels=48 * 32 - 1) == Reason.TOO_MANY_PIXELS


def test_a_decompression_bomb_is_refused():
    bomb = encoded(Image.new("1", (20000, 20000)), "PNG")
    assert len(bomb) < 100_000
    assert reason_of(measure, bomb) == Reason.TOO_MANY_PIXELS


def test_a_limit_above_pillows_own_is_obeyed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = encoded(blocks(), "PNG")
    assert measure(data, max_pixels=48 * 32) == (48, 32)
    assert reason_of(measure, data, max_pixels=1000) == Reason.TOO_MANY_PIXELS


def test_digest_is_blake2b_of_sixteen_bytes():
    assert bytes_digest(b"abc") == hashlib.blake2b(b"abc", digest_size=16).hexdigest()
    assert len(bytes_digest(b"")) == 32


SMALL = [encoded(blocks(12, 8), format) for format in images.FORMATS if format != "MPO"]


@given(st.data())
def test_bit_rot_gives_a_picture_or_an_image_fault_and_nothing_else(data):
    rotten = bytearray(data.draw(st.sampled_from(SMALL)))
    for _ in range(data.draw(st.integers(1, 6))):
        rotten[data.draw(st.integers(0, min(len(rotten) - 1, 200)))] = data.draw(st.integers(0, 255))
    try:
        size = measure(bytes(rotten), max_pixels=100_000)
        picture = decode(bytes(rotten), max_pixels=100_000)
    except ImageFault:
        return
    assert picture.mode == "RGB"
    assert picture.size == size


def manifest():
    if not NASTY.exists():
        return []
    with (NASTY / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


OUTSIDE = ("EPS", "ICNS", "JPEG2000", "ICO")


@needs_shared
def test_the_manifest_is_there_in_full():
    assert len(manifest()) == 101


@needs_shared
@pytest.mark.parametrize("row", manifest(), ids=lambda row: row["file"])
def test_awkward_file_opens_measures_and_decodes_as_its_manifest_says(row):
    data = (NASTY / row["file"]).read_bytes()
    if row["opens"] == "no" or row["format"] in OUTSIDE:
        reason = reason_of(measure, data)
        assert reason == Reason.UNSUPPORTED_FORMAT or row["format"] not in OUTSIDE
        assert reason_of(decode, data) == reason
        return
    stored = int(row["width"]), int(row["height"])
    # Pillow returns the rotated size for a TIFF; for other formats the test applies the EXIF tag.
    sideways = row["exif_orientation"] in ("5", "6", "7", "8") and row["format"] != "TIFF"
    upright = stored[::-1] if sideways else stored
    assert measure(data) == upright
    # If Pillow cannot read the EXIF block, its first attempt to load the picture fails; a second returns half of it.
    if row["decodes_to_rgb"] == "no" or row["exif_orientation"].startswith("error"):
        assert reason_of(decode, data) in (Reason.TRUNCATED, Reason.UNDECODABLE, Reason.TOO_MANY_PIXELS)
        return
    picture = decode(data)
    assert (picture.mode, picture.size) == ("RGB", upright)
    kept = Image.open(io.BytesIO(to_jpeg(data)))
    assert kept.size == upright
    assert kept.getexif().get(0x0112) not in range(2, 9)


@needs_shared
@pytest.mark.parametrize("name", ["Landscape", "Portrait"])
def test_photos_of_every_orientation_show_the_same_picture(name):
    files = sorted((NASTY / "exif_orientation").glob(f"{name}_*.jpg"))
    pictures = [decode(file.read_bytes()).resize((30, 30)) for file in files]
    assert len(pictures) >= 4
    assert all(far(picture, pictures[0]) < 12 for picture in pictures)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_digest_of_either_kind_tells_a_changed_image(data, other):
    for known in (images.image_digest(data), images.bytes_digest(data)):
        assert images.matches_digest(data, known)
        assert images.matches_digest(other, known) == (data == other)
    assert not images.matches_digest(data, "")


def many_scans(more, size=(48, 32), before=b""):
    """Returns a progressive JPEG with 10 scans of its own and `more` repeated ones. before: segments at its start."""
    data = encoded(Image.effect_noise(size, 50).convert("RGB"), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:2] + before + data[2:-2] + last * more + data[-2:]


def test_scans_are_counted_before_anything_is_decoded():
    data = many_scans(490)
    assert measure(data) == (48, 32)
    assert decode(data).size == (48, 32)
    for function in (measure, decode, to_jpeg):
        assert reason_of(function, many_scans(491)) == Reason.TOO_MANY_SCANS
        assert reason_of(function, data, max_scans=499) == Reason.TOO_MANY_SCANS
        assert function(many_scans(491), max_scans=None)


def test_only_scans_that_a_decoder_reads_count():
    start = b"\xff\xda\x00\x0c\x03"
    metadata = b"\xff\xe2" + (2 + 600 * len(start)).to_bytes(2) + 600 * start
    usual = encoded(blocks(), "JPEG")
    for data in (
        many_scans(0, before=metadata),
        many_scans(0) + 600 * start,  # behind the end, as a film behind a photo
        usual[:2] + metadata + usual[2:],
    ):
        assert measure(data, max_scans=10) == (48, 32)
        assert decode(data, max_scans=10).size == (48, 32)
    assert reason_of(measure, many_scans(1, before=metadata), max_scans=10) == Reason.TOO_MANY_SCANS
    # A decoder refuses a second scan after the one of all components, so nothing takes long.
    assert reason_of(decode, usual[:-2] + 600 * start + usual[-2:], max_scans=10) == Reason.UNDECODABLE


def test_scans_of_single_components_count_without_a_progressive_header():
    baseline = bytearray(encoded(Image.effect_noise((48, 32), 50).convert("RGB"), "JPEG"))
    at = baseline.index(b"\xff\xda")
    one_component = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    data = bytes(baseline[:at]) + 30 * (one_component + b"\x00") + b"\xff\xd9"
    assert reason_of(measure, data, max_scans=29) == Reason.TOO_MANY_SCANS
    assert measure(data, max_scans=30) == (48, 32)
