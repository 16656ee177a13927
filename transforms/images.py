"""Encoded images: measure them without decoding, decode them upright, choose the bytes to store.

Pillow opens only the formats in `FORMATS`. Without this list it passes EPS to another program and reads many exotic
containers that web pages do not use.
"""

import hashlib
import io
import re
import warnings
from typing import Any, NamedTuple

import numpy as np
import xxhash
from PIL import Image, ImageFile, UnidentifiedImageError

from transforms.jpeg_header import is_plain_jpeg
from transforms.records import FailureStage, Fault, Reason

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
MAX_PIXELS = 89_478_485
"""Pillow's own limit: 0.25 GiB at three bytes per pixel."""
MAX_SCANS = 500
"""Encoders write a dozen scans. Each scan takes a pass over all pixels, so a small file can take minutes to decode."""

_ORIENTATION = 0x0112
_SWAPS_SIDES = (5, 6, 7, 8)
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_ORIENTATION_CHUNKS = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # may contain a PNG's orientation
_JPEG_QUALITY = 95
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", *(b"P%d" % n for n in range(1, 8)))
"""The first bytes of the allowed formats. AVIF and WebP are recognised by later bytes."""

_JPEG_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")  # neither a stuffed byte nor a marker without a length
_SOS, _EOI = 0xDA, 0xD9

# gritmill checks its own limit before it decodes. Pillow warns between its limit and twice its limit: only noise here.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class ImageLimits(NamedTuple):
    """The limits that are checked before an image is decoded: `decode(data, *limits)`.

    max_pixels: width times height. max_scans: of a JPEG; None: no limit.
    """

    max_pixels: int = MAX_PIXELS
    max_scans: int | None = MAX_SCANS


DEFAULT_LIMITS = ImageLimits()


class ImageFault(Exception):
    """An image that cannot be used. `reason` is the code; the message is the detail."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason

    def __reduce__(self) -> Any:
        return ImageFault, (self.reason, str(self))

    def as_fault(self) -> Fault:
        """The fault of the pair that has this image."""
        return Fault.from_error(FailureStage.IMAGE, self.reason, str(self))


def bytes_digest(data: bytes) -> str:
    """BLAKE2b-128 of a file's bytes, hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def image_digest(data: bytes) -> str:
    """XXH3-64 of an encoded image, hexadecimal. It detects changes in a tenth of BLAKE2b's time."""
    return xxhash.xxh3_64_hexdigest(data)


def matches_digest(data: bytes, expected: str) -> bool:
    """Whether an encoded image is still the one that was grounded. Older digests are BLAKE2b-128 (32 digits)."""
    return expected == (image_digest(data) if len(expected) == 16 else bytes_digest(data))


def measure(data: bytes, max_pixels: int = MAX_PIXELS, max_scans: int | None = MAX_SCANS) -> tuple[int, int]:
    """Width and height of the upright image in pixels, read from the header.

    Raises:
      ImageFault: the data is not an image of an allowed format, or exceeds a limit, see `ImageLimits`.
    """
    image = _open(data, max_pixels, max_scans)
    width, height = image.size
    return (height, width) if _orientation(image, data) in _SWAPS_SIDES else (width, height)


def decode(
    data: bytes,
    max_pixels: int = MAX_PIXELS,
    max_scans: int | None = MAX_SCANS,
    least: tuple[int, int] | None = None,
) -> Image.Image:
    """The image in RGB, upright, with alpha on white; the first frame of an animation.

    least: width and height that are needed. A JPEG that is at least twice, four or eight times as large on both sides
    is decoded at a half, a quarter or an eighth of its size, rounded up: libjpeg leaves out the high frequencies. Other
    images keep their size. The limits apply to the size in the header.

    Raises:
      ImageFault: as for `measure`, and if the image is truncated or cannot be decoded in full.
    """
    image = _open(data, max_pixels, max_scans)
    try:
        orientation = _orientation(image, data)
        turn = _TRANSPOSE.get(orientation)
        if least and image.format in ("JPEG", "MPO"):
            image.draft(None, least[::-1] if orientation in _SWAPS_SIDES else least)
        image.load()
        picture = _rgb(image)
        return picture if turn is None else picture.transpose(turn)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, struct.error, ValueError, zlib.error and more
        reason = Reason.TRUNCATED if "truncated" in str(error).lower() else Reason.UNDECODABLE
        raise ImageFault(reason, f"{image.format}: {error}") from error


def to_jpeg(data: bytes, max_pixels: int = MAX_PIXELS, max_scans: int | None = MAX_SCANS) -> bytes:
    """The bytes that a shard stores: the source's bytes if they are an upright RGB or grey JPEG, else a new JPEG."""
    if is_plain_jpeg(data, max_pixels):
        return data
    image = _open(data, max_pixels, max_scans)
    plain = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L") and _orientation(image, data) == 1
    if plain:
        return data
    target = io.BytesIO()
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    decode(data, max_pixels, max_scans).save(target, "JPEG", quality=_JPEG_QUALITY, icc_profile=profile)
    return target.getvalue()


def _open(data: bytes, max_pixels: int, max_scans: int | None) -> Image.Image:
    # A plugin may have set it for the whole process. A truncated image would then decode, and be stored.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise _unidentified(data) from None
    except Image.DecompressionBombError as error:
        raise ImageFault(Reason.TOO_MANY_PIXELS, f"more than twice source.max_pixels, {max_pixels}") from error
    except MemoryError:
        raise
    except Exception as error:
        raise ImageFault(Reason.UNDECODABLE, str(error)) from error
    if image.width * image.height > max_pixels:
        size = f"{image.width} x {image.height}"
        raise ImageFault(Reason.TOO_MANY_PIXELS, f"{size} is more than source.max_pixels, {max_pixels}")
    if max_scans is not None and image.format in ("JPEG", "MPO") and _has_more_scans(image, data, max_scans):
        raise ImageFault(Reason.TOO_MANY_SCANS, f"more than source.max_scans, {max_scans}")
    return image


def _has_more_scans(image: Image.Image, data: bytes, most: int) -> bool:
    """Whether a decoder would read more than `most` scans of a JPEG. They are counted as libjpeg finds them."""
    scans = position = 0
    while marker := _JPEG_MARKER.search(data, position):
        code, end = marker[1][0], marker.end()
        scans += code == _SOS
        if code == _EOI or scans > most:
            break
        if code == _SOS and scans == 1:
            components: int = image.layers  # type: ignore[attr-defined]
            # The usual file ends here, after microseconds: a sequential scan of all components is the only one.
            if "progressive" not in image.info and data[end + 2 : end + 3] >= bytes([components]):
                return False
            if data.count(b"\xff\xda") <= most:  # cheaper than to walk; metadata can contain these bytes, too
                return False
        position = end + int.from_bytes(data[end : end + 2])
    return scans > most


def _unidentified(data: bytes) -> ImageFault:
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n\0")
    if not data:
        return ImageFault(Reason.NOT_AN_IMAGE, "an empty file")
    if not start or start[:1] in (b"<", b"{", b"["):
        return ImageFault(Reason.NOT_AN_IMAGE, repr(start[:40]))
    if data.startswith(_MAGIC) or data[4:12] == b"ftypavif" or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return ImageFault(Reason.UNDECODABLE, "the header is damaged")
    return ImageFault(Reason.UNSUPPORTED_FORMAT, f"starts with {data[:12]!r}")


def _orientation(image: Image.Image, data: bytes) -> int:
    """The EXIF orientation, 1..8. It is 1 for TIFF, because Pillow's plugin turns the image itself."""
    if image.format == "TIFF":
        return 1
    if image.format == "PNG" and not any(name in data for name in _PNG_ORIENTATION_CHUNKS):
        return 1  # Pillow's PNG getexif() decodes the whole image to look for a chunk after it
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # viewers ignore a broken EXIF block, too
        return 1
    return value if value in range(1, 9) else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        return _eight_bits(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey with more than eight bits. Pillow's own conversion clips at 255, which would turn most of it white."""
    values = image.convert("F")
    top = float(np.asarray(values).max())
    if image.mode.startswith("I;16"):
        scale = 255 / 65535
    else:  # modes I and F define no white: take the smallest usual value that is not below the maximum
        scale = 255 / next((white for white in (1, 255, 65535) if top <= white), top)
    return values.point(lambda value: value * scale).convert("L")
