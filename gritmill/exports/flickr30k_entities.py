"""flickr30k-entities: sentences with `[/EN#id/type words]` and boxes in XML (BryanPlummer/flickr30k_entities)."""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any
from xml.etree import ElementTree

from gritmill.exports.format import ROWS, ExportCounts, ExportFolder, disjoint_spans, origin_fields
from gritmill.exports.image_entries import BoxPlace, Entries, ImageEntries, SampleLine
from gritmill.exports.options import Level
from gritmill.reading import Sample
from transforms.text.grounded_caption import Corners

# These characters cannot be written in XML.
_XML_INVALID = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535), "�")


class Flickr30kEntities(ImageEntries):
    """Corners are whole pixels, from 1. All types are "other", because gritmill does not classify phrases.

    A chain is a thing, or several, that phrases name: those with the same boxes have the same id, also in several
    captions of the image. Ids count from 1 in each image. A box of several chains is one object with several names, as
    in the original.

    The readers of the format split sentences at blanks. Therefore blanks are added around each phrase, as in the
    tokenised original. A bracket in a caption would be read as markup: such captions are left out and counted.
    """

    image_path = "flickr30k-images/{0}.jpg"
    description = """\
`Sentences/`, `Annotations/`, `flickr30k-images/` and `train.txt` as in the original, with one sentence per caption of
the image, or with one image per caption if the export was made with `--per-caption`. `source` in the XML is where a
caption comes from, in the order of the sentences.

gritmill's tests read these files with a reader written from `flickr30k_entities_utils.py` of
BryanPlummer/flickr30k_entities, commit 68b3d6f. It was run on them by hand."""

    def left_out(self, caption: str) -> str:
        return "" if set("[]").isdisjoint(caption) else "captions with a bracket"

    def describe(self, sample: Sample) -> Mapping[str, Any]:
        """The size of the image, and where the caption comes from."""
        record = sample.record
        return {"width": record["width"], "height": record["height"], "source": origin_fields(record)}

    def select_rows(self, record: Mapping[str, Any], counts: ExportCounts) -> Mapping[str, Any]:
        """The rows of phrases that do not overlap: a sentence cannot have others, which are counted."""
        spans = {(span.start, span.end) for span in disjoint_spans(record, Level.EXPRESSIONS)}
        chosen = [(row[0], row[1]) in spans for row in record["ref_exps"]]
        if left_out := chosen.count(False):
            counts["boxes of phrases that overlap others, left out"] += left_out
        return {**record, **{name: list(compress(record[name], chosen)) for name in ROWS}}

    def merge(
        self, lines: list[SampleLine], remaining: Mapping[BoxPlace, BoxPlace], counts: ExportCounts
    ) -> list[SampleLine]:
        """See `ImageEntries`. Adds to a line its `phrases` (start, end, chain), and to a box `names`, its chains."""
        phrases: dict[tuple[int, int, int], set[BoxPlace]] = {}  # line, start and end -> boxes
        for (number, index), place in remaining.items():
            start, end = lines[number]["boxes"][index]["span"]
            phrases.setdefault((number, start, end), set()).add(place)
        chains: dict[frozenset[BoxPlace], int] = {}
        for line in lines:
            line["phrases"] = []
        for (number, start, end), places in sorted(phrases.items()):
            chain = chains.setdefault(frozenset(places), len(chains) + 1)
            lines[number]["phrases"].append((start, end, chain))
        for boxes, chain in chains.items():
            for number, index in boxes:
                lines[number]["boxes"][index].setdefault("names", []).append(chain)
        return super().merge(lines, remaining, counts)

    def finish(self, shards: Sequence[int], folder: ExportFolder) -> ExportCounts:
        """Writes the files of each image, then `train.txt`."""
        entries = Entries(self, shards, folder)
        with folder.publish("train.txt") as keys:
            for lines in entries:
                key = lines[0]["key"]
                folder.write_lines(f"Sentences/{key}.txt", map(_sentence, lines))
                folder.write(f"Annotations/{key}.xml", _annotation(lines))
                keys.write(f"{key}\n".encode())
        return entries.counts


def _sentence(line: SampleLine) -> str:
    caption, text, done = line["caption"], "", 0
    for start, end, chain in line["phrases"]:
        text += f"{caption[done:start]} [/EN#{chain}/other {caption[start:end]}] "
        done = end
    return " ".join((text + caption[done:]).split())


def _annotation(lines: Sequence[SampleLine]) -> bytes:
    width, height = lines[0]["width"], lines[0]["height"]
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{lines[0]['key']}.jpg"
    for line in lines:
        source = ElementTree.SubElement(root, "source")
        for name, value in line["source"].items():
            ElementTree.SubElement(source, name).text = value.translate(_XML_INVALID)
    size = ElementTree.SubElement(root, "size")
    for side, pixels in (("width", width), ("height", height), ("depth", 3)):
        ElementTree.SubElement(size, side).text = str(pixels)
    boxes = [box for line in lines for box in line["boxes"]]
    for box in sorted(boxes, key=lambda box: (box["names"], -box["score"], box["corners"])):
        thing = ElementTree.SubElement(root, "object")
        for chain in box["names"]:
            ElementTree.SubElement(thing, "name").text = str(chain)
        corners = ElementTree.SubElement(thing, "bndbox")
        for corner, pixel in _corners(box["corners"], width, height).items():
            ElementTree.SubElement(corners, corner).text = str(pixel)
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f"{text}\n".encode()


def _corners(box: Corners, width: int, height: int) -> dict[str, int]:
    """Corners in whole pixels, from 1. The box stays at least one pixel wide and high for readers that subtract 1."""
    x1, y1, x2, y2 = box
    left, upper = min(round(x1 * width) + 1, width - 1), min(round(y1 * height) + 1, height - 1)
    return {
        "xmin": max(left, 1),
        "ymin": max(upper, 1),
        "xmax": min(max(round(x2 * width) + 1, left + 1), width),
        "ymax": min(max(round(y2 * height) + 1, upper + 1), height),
    }
