"""flickr30k-entities: sentences with `[/EN#id/type words]` and boxes in XML (BryanPlummer/flickr30k_entities)."""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from gritmill.exports.format import ExportCounts, ExportFolder, LineFormat, disjoint_spans, origin_fields
from gritmill.exports.options import Level
from gritmill.reading import Sample
from transforms.text.grounded_caption import Corners, Span

# These characters cannot be written in XML.
_XML_INVALID = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535), "�")


class Flickr30kEntities(LineFormat):
    """Corners are whole pixels, from 1. All types are "other", because gritmill does not classify phrases.

    The readers of the format split sentences at blanks. Therefore blanks are added around each phrase, as in the
    tokenised original. A bracket in a caption would be read as markup: such captions are left out and counted.
    """

    file_name = "train.txt"
    image_path = "flickr30k-images/{0}.jpg"
    description = """\
`Sentences/`, `Annotations/`, `flickr30k-images/` and `train.txt` as in the original, with one sentence per
image.

gritmill's tests read these files with a reader written from `flickr30k_entities_utils.py` of
BryanPlummer/flickr30k_entities, commit 68b3d6f."""

    def left_out(self, caption: str) -> str:
        return "" if set("[]").isdisjoint(caption) else "captions with a bracket"

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[str]:
        spans = disjoint_spans(sample.record, Level.EXPRESSIONS)
        counts["boxes"] += sum(len(span.boxes) for span in spans)
        folder.write(f"Sentences/{sample.key}.txt", f"{_sentence(sample.caption, spans)}\n".encode())
        folder.write(f"Annotations/{sample.key}.xml", _annotation(sample, spans))
        yield sample.key


def _sentence(caption: str, spans: Sequence[Span]) -> str:
    text, done = "", 0
    for number, span in enumerate(spans, 1):
        text += f"{caption[done : span.start]} [/EN#{number}/other {caption[span.start : span.end]}] "
        done = span.end
    return " ".join((text + caption[done:]).split())


def _annotation(sample: Sample, spans: Sequence[Span]) -> bytes:
    width, height = sample.record["width"], sample.record["height"]
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = f"{sample.key}.jpg"
    source = ElementTree.SubElement(root, "source")
    for name, value in origin_fields(sample.record).items():
        ElementTree.SubElement(source, name).text = value.translate(_XML_INVALID)
    size = ElementTree.SubElement(root, "size")
    for side, pixels in (("width", width), ("height", height), ("depth", 3)):
        ElementTree.SubElement(size, side).text = str(pixels)
    for number, span in enumerate(spans, 1):
        for x1, y1, x2, y2 in span.boxes:
            thing = ElementTree.SubElement(root, "object")
            ElementTree.SubElement(thing, "name").text = str(number)
            corners = ElementTree.SubElement(thing, "bndbox")
            for corner, pixel in _corners((x1, y1, x2, y2), width, height).items():
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
