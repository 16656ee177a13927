"""The pairs that every library writes: twelve scenes of `examples/`, with captions that formats often damage."""

import json
import tarfile
from dataclasses import asdict
from pathlib import Path

from interop.written import Given
from transforms import bundled

_CAPTIONS = (
    "A mushroom beside a tomato.",
    "An umbrella, a guitar; my clock | and a donut",
    'The so-called "motorbike" near a camera, 5" wide',
    "A key 🔑 and a café au lait 👩‍👩‍👧 in 東京",
    "A green boot\nnear a red boot,\n\nand a shirt",
    "  two puppies between blanks  ",
    "NA",
    "123",
    "C:\\temp\\new 'book' \\\" \\n",
    '{"caption": ["a cactus"], "x": 1}',
    "#a pair of crocodiles\tbeside an owl",
    "=1+1 <b>&amp; a carrot</b> שלום",
)
"""Emoji, quotes, delimiters, line ends, blanks at the ends, texts that look like null, numbers, JSON or a comment."""


def write(folder: Path) -> list[Given]:
    """Writes the pictures, and `pairs.json`, which tells producers what to write."""
    pairs = []
    with tarfile.open(bundled.folder("examples") / "scenes" / "00000.tar") as tar:
        for number, caption in enumerate(_CAPTIONS):
            picture = tar.extractfile(f"{number:09}.jpg")
            assert picture is not None
            name = f"scene-{number}.jpg"
            (folder / name).write_bytes(picture.read())
            second = f"{caption} Again, in {number + 2} words."
            pairs.append(Given(f"id-{number}", name, caption, second, number / 16))
    (folder / "pairs.json").write_text(json.dumps([asdict(pair) for pair in pairs]))
    return pairs
