"""Checks the image of a sample."""

import io
import re

from PIL import Image, ImageFile, UnidentifiedImageError

from gritmill.validation.sample import Rules

_ORIENTATION = 0x0112

_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xfe])")
"""Of a JPEG. A stuffed zero, a fill byte, and the marks of a start or a restart have no length."""
_SOS, _EOI = 0xDA, 0xD9
_SOF_SEQUENTIAL = (0xC0, 0xC1, 0xC9)


def image_faults(data: bytes, size: tuple[int, int], rules: Rules, decode: bool = True) -> list[str]:
    """The faults of an image, one line each. Threads can decode at the same time: the decoder releases the
    interpreter's lock.

    size: width and height in the record. decode: False: only the header is read, as it is known that the rest decodes.
    """
    faults: list[str] = []
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # a dialect of a package may have set it for the whole process
    try:
        # JPEG only: Pillow would run Ghostscript for an EPS file under this name.
        image = Image.open(io.BytesIO(data), formats=("JPEG",))
        if image.size != size:
            width, height = size
            faults.append(f"jpg: size {image.width} x {image.height}, but {width} x {height} in the record")
        turned = image.getexif().get(_ORIENTATION, 1) in range(2, 9)
        mode = image.mode
        if image.width * image.height > rules.max_pixels:
            pixels = f"{image.width} x {image.height} pixels"
            return [*faults, f"jpg: {pixels} are more than source.max_pixels, {rules.max_pixels}"]
        if rules.max_scans is not None and _count_scans(data) > rules.max_scans:
            return [*faults, f"jpg: more scans than source.max_scans, {rules.max_scans}"]
        if decode:
            # All scans are decoded, but an eighth of the pixels is enough to see whether they can be.
            image.draft("L", (1, 1))
            image.load()
    except UnidentifiedImageError:  # its own message has an address in memory
        return ["jpg: cannot identify image file"]
    except Exception as error:  # a decoder can raise any exception
        return [*faults, f"jpg: {error}"]
    if mode not in ("RGB", "L"):
        faults.append(f"jpg: mode {mode}, not RGB or L")
    if turned:
        faults.append("jpg: has an EXIF orientation, so some readers rotate it")
    return faults


def _count_scans(data: bytes) -> int:
    """The scans that a decoder reads of a JPEG: up to the first end mark. Of a sequential image, only the first one if
    it has all components."""
    scans = position = 0
    components = b"\xff"
    while (marker := _MARKER.search(data, position)) and (code := marker[1][0]) != _EOI:
        end = marker.end()
        if code in _SOF_SEQUENTIAL:
            components = data[end + 7 : end + 8]
        if code == _SOS:
            scans += 1
            if scans == 1 and data[end + 2 : end + 3] >= components:
                break
        position = end + int.from_bytes(data[end : end + 2])
    return scans
