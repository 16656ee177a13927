"""transformers: the processors of models that read their own dialect, with small tokenizers that are made here.

It runs in `.venv`, because gritmill needs transformers itself.
"""

import io
import json
import string
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from tokenizers import Tokenizer
from tokenizers.decoders import Fuse
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import (
    CLIPImageProcessorPil,
    Florence2Processor,
    Kosmos2Processor,
    PaliGemmaProcessor,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessorPil,
    SiglipImageProcessorPil,
    XLMRobertaTokenizer,
)

from interop.consumers.pixels import thumbnail
from interop.seen import Picture, Read, Reading, Thing

_SIDE = {"height": 224, "width": 224}
_GROUNDING = "<CAPTION_TO_PHRASE_GROUNDING>"
_LETTERS = string.ascii_letters + string.digits + string.punctuation

Texts = Callable[[Path], Iterator[tuple[str, Image.Image, str]]]
"""Key, image and text of each text to read."""


def _shards(member: str) -> Texts:
    """The texts of the shards, from the members with an ending."""

    def texts(run: Path) -> Iterator[tuple[str, Image.Image, str]]:
        for path in sorted((run / "shards").glob("*.tar")):
            with tarfile.open(path) as tar:
                for name in tar.getnames():
                    if name.endswith(f".{member}"):
                        key = name.partition(".")[0]
                        image, text = (tar.extractfile(f"{key}.{ending}") for ending in ("jpg", member))
                        assert image
                        assert text
                        yield key, Image.open(io.BytesIO(image.read())), text.read().decode()

    return texts


def _answers(kind: str) -> Texts:
    """The answers of `instructions.json` to questions of a kind."""

    def texts(folder: Path) -> Iterator[tuple[str, Image.Image, str]]:
        for row in json.loads((folder / "instructions.json").read_text()):
            if row["kind"] == kind:
                question, answer = row["conversations"]
                assert question["value"].startswith("<image>\n")
                yield Path(row["image"]).stem, Image.open(folder / row["image"]), answer["value"]

    return texts


def _kosmos2(texts: Texts, whole: bool) -> Read:
    """Also through the token ids and back. whole: the text has the caption."""

    def read(folder: Path) -> Iterator[Picture]:
        found = list(texts(folder))
        processor = _kosmos2_processor({char for *_, text in found for char in text})
        for key, image, text in found:
            batch = processor(text=[text], images=[image], return_tensors="pt")
            assert batch["pixel_values"].shape == (1, 3, 224, 224)
            assert processor.tokenizer.unk_token_id not in batch["input_ids"]
            (written,) = processor.batch_decode(batch["input_ids"], skip_special_tokens=True)
            caption, entities = processor.post_process_generation(text)
            assert all(caption[start:end] == words for words, (start, end), _ in entities)
            _, through = processor.post_process_generation(written)
            assert _without_blanks(through) == _without_blanks(entities)  # the tokenizer makes one of several
            things = [Thing(_in_pixels(box, image), words) for words, _, boxes in entities for box in boxes]
            yield Picture(key, things, image.size, thumbnail(image), [caption] if whole else None)

    return read


def _without_blanks(entities: Any) -> Any:
    return [("".join(words.split()), boxes) for words, _, boxes in entities]


def _kosmos2_processor(chars: set[str]) -> Kosmos2Processor:
    """With a vocabulary of single characters. Its own tokens come from the class."""
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [(char, -4.0) for char in sorted({"▁", *_LETTERS, *chars} - set(string.whitespace))]
    tokenizer = XLMRobertaTokenizer(vocab=[*special, *pieces, ("<mask>", 0.0)])
    return Kosmos2Processor(CLIPImageProcessorPil(size=_SIDE, crop_size=_SIDE), tokenizer)


def _in_pixels(box: tuple[float, float, float, float], image: Image.Image) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return x1 * image.width, y1 * image.height, x2 * image.width, y2 * image.height


def _florence2(texts: Texts) -> Read:
    def read(folder: Path) -> Iterator[Picture]:
        processor = _florence2_processor()
        for key, image, text in texts(folder):
            sequence = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
            assert processor.tokenizer.unk_token_id not in sequence
            answer = processor.post_process_generation(sequence=sequence, task=_GROUNDING, image_size=image.size)
            found = answer[_GROUNDING]
            things = [
                Thing(tuple(map(float, box)), words)
                for box, words in zip(found["bboxes"], found["labels"], strict=True)
            ]
            yield Picture(key, things, image.size, thumbnail(image))

    return read


def _florence2_processor() -> Florence2Processor:
    images = CLIPImageProcessorPil(size=_SIDE, crop_size=_SIDE)
    images.image_seq_length = 4
    tokenizer = _tokenizer([f"<loc_{number}>" for number in range(1000)])
    return Florence2Processor(images, tokenizer, post_processor_config={"phrase_grounding": {}})


def _tokenizer(bins: list[str]) -> PreTrainedTokenizerFast:
    """With one token per ASCII character and per bin."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<image>"]
    vocabulary = {token: number for number, token in enumerate([*special, *bins, *" \n", *_LETTERS])}
    model = Tokenizer(WordLevel(vocabulary, "<unk>"))
    model.pre_tokenizer = Split("", "isolated")
    model.decoder = Fuse()
    model.add_tokens(bins)
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), special, strict=False))
    return PreTrainedTokenizerFast(tokenizer_object=model, **names, extra_special_tokens={"image_token": "<image>"})


def _paligemma(texts: Texts) -> Read:
    """The text as the `suffix` that the processor makes the labels of a training from. It has no reader for them: the
    numbers are y1, x1, y2, x2 of 0..1023, as big_vision reads them."""

    def read(folder: Path) -> Iterator[Picture]:
        images = SiglipImageProcessorPil(size=_SIDE)
        images.image_seq_length = 4
        processor = PaliGemmaProcessor(images, _tokenizer([f"<loc{number:04}>" for number in range(1024)]))
        for key, image, text in texts(folder):
            batch = processor(image.convert("RGB"), "<image>detect", text, return_tensors="np")
            (labels,) = batch["labels"]
            tokens = processor.tokenizer.convert_ids_to_tokens(labels[labels != -100])
            assert tokens.pop() == processor.tokenizer.eos_token
            assert processor.tokenizer.unk_token not in tokens
            things = []
            for one in "".join(tokens).split(" ; "):
                y1, x1, y2, x2 = (int(one[9 * number + 4 : 9 * number + 8]) / 1023 for number in range(4))
                things.append(Thing(_in_pixels((x1, y1, x2, y2), image), one[37:]))
            yield Picture(key, things, image.size, thumbnail(image))

    return read


def _qwen25(texts: Texts) -> Read:
    """The numbers are pixels of the image that the processor hands to the model: its grid of patches of 14 pixels."""

    def read(folder: Path) -> Iterator[Picture]:
        processor = Qwen2VLImageProcessorPil(max_pixels=1280 * 28 * 28)
        for key, image, text in texts(folder):
            ((_, rows, columns),) = processor(images=[image.convert("RGB")], return_tensors="np")["image_grid_thw"]
            x, y = image.width / (columns * 14), image.height / (rows * 14)
            things = []
            for one in json.loads(text.removeprefix("```json\n").removesuffix("\n```")):
                x1, y1, x2, y2 = one["bbox_2d"]
                things.append(Thing((x1 * x, y1 * y, x2 * x, y2 * y), one["label"]))
            yield Picture(key, things, image.size, thumbnail(image))

    return read


_KOSMOS2: dict[str, Any] = {"fraction": 1 / 32, "text": "stripped"}  # a cell of its grid
_FLORENCE2: dict[str, Any] = {"fraction": 0.0005, "pixels": 1.01}  # it gives whole pixels

READINGS: dict[str, tuple[Read, Reading]] = {
    "Kosmos2Processor, grounded.txt": (
        _kosmos2(_shards("grounded.txt"), True),
        Reading("shards", dialect="kosmos2", **_KOSMOS2),
    ),
    "Kosmos2Processor, instructions, comprehension": (
        _kosmos2(_answers("comprehension"), False),
        Reading("instructions-kosmos2", some=True, **_KOSMOS2),
    ),
    "Kosmos2Processor, instructions, captioning": (
        _kosmos2(_answers("captioning"), True),
        Reading("instructions-kosmos2", some=True, **_KOSMOS2),
    ),
    "Florence2Processor, florence2.txt": (
        _florence2(_shards("florence2.txt")),
        Reading("shards", dialect="florence2", **_FLORENCE2),
    ),
    "Florence2Processor, instructions": (
        _florence2(_answers("comprehension")),
        Reading("instructions-florence2", some=True, **_FLORENCE2),
    ),
    "PaliGemmaProcessor, paligemma.txt": (
        _paligemma(_shards("paligemma.txt")),
        Reading("shards", dialect="paligemma", fraction=0.0005),
    ),
    "Qwen2VLImageProcessor, qwen2_5-vl.txt": (
        _qwen25(_shards("qwen2_5-vl.txt")),
        Reading("shards", dialect="qwen2.5-vl", pixels=1.01, fraction=0.001),
    ),
}
