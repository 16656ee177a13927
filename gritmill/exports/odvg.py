"""odvg: the JSON lines of mmdetection's ODVGDataset, which Open-GroundingDino also reads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from gritmill.exports.bert_tokens import describe_counter, token_counter
from gritmill.exports.format import (
    ExportCounts,
    ExportFolder,
    LeftOut,
    LineFormat,
    Region,
    certain_rows,
    origin_fields,
    read_regions,
)
from gritmill.exports.readers import ran
from gritmill.reading import Sample

_MIN_SIDE = 1.0  # mmdetection drops boxes with a side below one pixel
_MAX_TOKENS = 256  # Grounding DINO's text encoder, with [CLS] and [SEP]; both readers cut the rest off

_DESCRIPTION = """\
```python
# mmdetection 3.3.0
dict(
    type='ODVGDataset', data_root='.', ann_file='odvg.jsonl', label_map_file=None, data_prefix=dict(img=''),
    filter_cfg=dict(filter_empty_gt=False), return_classes=True, pipeline=train_pipeline)
# Open-GroundingDino, in the "train" list of its file of data sets
{{"root": ".", "anno": "odvg.jsonl", "dataset_mode": "odvg"}}
```

mmdetection compares `caption.lower().strip()` with the offsets, so `caption` has no blanks around it, and a character
whose lower case has another length (İ) is written in lower case. Neither program was run on these files: tests read
them as the code of both does (open-mmlab/mmdetection, commit 091ae03; longzw1997/Open-GroundingDino, commit d248268).

{2}

Both cut texts at {1} tokens of bert-base-uncased. Pairs with a longer caption, or with phrases that are longer
together, are left out. {0}"""


@dataclass(frozen=True)
class Odvg(LineFormat):
    """Each region has one flat box in pixels: mmdetection accepts lists of boxes too, Open-GroundingDino does not.

    mmdetection uses only `tokens_positive`, Open-GroundingDino only the phrases. Open-GroundingDino ends with an error
    at a line without a region: such pairs are left out and counted.

    Raises:
      CallError: the tokenizer of the options cannot be read.
    """

    file_name = "odvg.jsonl"

    def __post_init__(self) -> None:
        self._count("")

    @property
    def description(self) -> str:
        return _DESCRIPTION.format(describe_counter(self.options.tokenizer), _MAX_TOKENS, ran("datasets"))

    @cached_property
    def _count(self) -> Callable[[str], int]:
        return token_counter(self.options.tokenizer)

    def rows(self, sample: Sample, folder: ExportFolder, counts: ExportCounts) -> Iterator[dict[str, Any]]:
        record = certain_rows(sample.record, counts)
        certain = read_regions(record, self.options.level)
        found = [region for region in certain if _shorter_side(region) >= _MIN_SIDE]
        counts.update({"boxes": 0, "boxes of less than a pixel, left out": len(certain) - len(found)})
        if not found:
            raise LeftOut("captions without a region")
        caption, offsets = _as_lowered(record["caption"])
        regions = [
            {
                "bbox": [round(corner, 3) for corner in region.pixel_box],
                "phrase": caption[offsets[region.start] : offsets[region.end]],
                "tokens_positive": [[offsets[region.start], offsets[region.end]]],
            }
            for region in found
        ]
        # Open-GroundingDino trains with the phrases instead of the caption.
        phrases = " . ".join(dict.fromkeys(str(region["phrase"]) for region in regions))
        if max(map(self._count, (f"{caption}.", f"{phrases} ."))) > _MAX_TOKENS:
            raise LeftOut(f"captions with more than {_MAX_TOKENS} tokens")
        counts["boxes"] += len(regions)
        yield {
            "filename": self.image_name(sample),
            "height": record["height"],
            "width": record["width"],
            "grounding": {"caption": caption, "regions": regions},
            **origin_fields(record),
        }


def _shorter_side(region: Region) -> float:
    x1, y1, x2, y2 = region.pixel_box
    return min(x2 - x1, y2 - y1)


def _as_lowered(caption: str) -> tuple[str, Sequence[int]]:
    """A form of a caption for which `lower().strip()` moves no character, and the new offset of each old one."""
    text = caption
    offsets: Sequence[int] = range(len(caption) + 1)
    if not caption.isascii():
        written = [char if len(char.lower()) == 1 else char.lower() for char in caption]
        text, offsets = "".join(written), [0, *accumulate(map(len, written))]
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if end - start < len(text):
        offsets = [min(max(offset, start), end) - start for offset in offsets]
    return text.strip(), offsets
