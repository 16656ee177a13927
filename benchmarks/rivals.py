"""gritmill against the alternatives that users would pick or write by hand: pairs per second on the same pairs.

The pipeline of transformers runs one forward per phrase. "The script" is what a good engineer would write: webdataset,
`nlp.pipe`, the processor, and the stock model with one joint prompt per pair, batch size 1, and scores pooled over
spans. Both load their model before the measurement. For `ground` the first chunk does not count. All run on the same
cores.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import webdataset as wds
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor, pipeline

from benchmarks import inputs, tiny
from benchmarks.figures import Figure
from benchmarks.grounding import ground, make_config, on_cores
from pipeline.stages.phrases import Phrases
from transforms import bundled
from transforms.phrases.noun_phrases import find_phrases
from transforms.phrases.phrase_extractor import PhraseExtractor
from transforms.settings import PhraseSettings

PART = "Against what users would pick"
_FLOOR = 0.05
_MAX_BOXES = 30


@dataclass(frozen=True)
class Case:
    """One comparison: a model on pictures with `captions` captions each, and `chunk_pairs` pairs per chunk of `ground`.

    pipeline: whether to run the pipeline of transformers too.
    """

    name: str
    model: str
    pictures: Sequence[inputs.Photo]
    chunk_pairs: int
    captions: int = 1
    rounds: int = 1
    pipeline: bool = True


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Measures tiny on photos of any shape and the embedded detector on scenes, on one core and on two."""
    pictures = inputs.photos(photos, 40)
    large = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    small = Case("small", "scene-grounder", inputs.scenes(256), 64, rounds=2)
    figures = []
    for cores in (1, 2):
        with on_cores(cores):
            # The pipeline of transformers takes a minute per picture and has the same ratio on two cores.
            case = Case("tiny", large, pictures[:6], 2, rounds=2 if cores == 2 else 1, pipeline=cores == 1)
            figures += _compare(case, cores, work) + _compare(small, cores, work)
    with on_cores(1):
        case = Case("tiny, five captions", large, pictures[:2], 5, captions=5, pipeline=False)
        return figures + _compare(case, 1, work)


def _compare(case: Case, cores: int, work: Path) -> list[Figure]:
    folder = work / "rivals" / f"{case.name}-{cores}".replace(" ", "-").replace(",", "")
    tars = inputs.write_tars(case.pictures, folder / "in", case.captions)
    config = make_config(
        {"model": case.model, "threads": cores, "batch": 5 if case.captions == 5 else 4}, case.chunk_pairs
    )
    script, stock = Script(case.model), Pipeline(case.model) if case.pipeline else None
    pairs = [*Path(tars).parent.glob("*.tar")], case.chunk_pairs  # the first chunk of ground does not count
    script(pairs[0], len(case.pictures) * case.captions - 1)
    rates: dict[str, list[float]] = {"ground": [], "script": [], "pipeline": []}
    for number in range(case.rounds):
        rates["ground"].append(ground(config, tars, folder / f"out-{number}"))
        rates["script"].append(script(*pairs))
        if stock:
            rates["pipeline"].append(stock(*pairs))
    setup = f"{case.name}, {cores} core{'s' * (cores > 1)}"
    figures = [_figure(f"the script, {setup}", "1.5", rates["ground"], rates["script"])]
    if stock:
        goal = f"{1.5 * stock.phrases:.1f} (1.5 x {stock.phrases:.1f} phrases)"
        figures.append(_figure(f"the pipeline of transformers, {setup}", goal, rates["ground"], rates["pipeline"]))
    return figures


def _figure(what: str, goal: str, ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
    detail = f"{statistics.median(ours):.3g} and {statistics.median(theirs):.3g} pairs/s"
    return Figure(PART, f"ground over {what}", f"{statistics.median(ratios):.2f}{spread} times", goal, detail)


def _pairs(tars: Sequence[Path], skip: int) -> Iterator[tuple[Any, str]]:
    samples = wds.WebDataset([str(path) for path in sorted(tars)], shardshuffle=False).slice(skip, None)
    yield from samples.decode("pilrgb").to_tuple("jpg", "txt")


def _parser() -> PhraseExtractor:
    return Phrases(PhraseSettings()).load()


def _phrases(doc: Any, parser: PhraseExtractor) -> list[str]:
    """Returns the phrases of a parsed caption, in lower case and without duplicates."""
    found = find_phrases(doc, parser.rules).kept
    return list(dict.fromkeys(doc.text[phrase.start : phrase.end].lower() for phrase in found))


def _above(best: Any) -> list[tuple[float, int]]:
    both = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [(score, query) for score, query in both if score > _FLOOR]


class Script:
    """A script that users would write by hand. A call returns pairs per second on the pairs of tars after `skip`."""

    def __init__(self, model: str, device: str = "cpu") -> None:
        path = bundled.model_path(model)
        self.processor = AutoProcessor.from_pretrained(path)
        self.model = AutoModelForZeroShotObjectDetection.from_pretrained(path).to(device).eval()
        self.parser = _parser()

    def __call__(self, tars: Sequence[Path], skip: int) -> float:
        started, done = time.perf_counter(), 0
        pairs = list(_pairs(tars, skip))
        for (image, _), doc in zip(pairs, self.parser.docs(caption for _, caption in pairs), strict=True):
            phrases = _phrases(doc, self.parser)
            if phrases:
                self.boxes(image, phrases)
            done += 1
        return done / (time.perf_counter() - started)

    def phrases(self, caption: str) -> list[str]:
        """Returns the phrases of a caption, in lower case and without duplicates."""
        (doc,) = self.parser.docs([caption])
        return _phrases(doc, self.parser)

    def boxes(self, image: Any, phrases: Sequence[str]) -> list[tuple[int, float, float, float, float, float]]:
        """Returns number of the phrase, normalised centre and size, and score of each box."""
        inputs = self.processor(images=image, text=" . ".join(phrases) + " .", return_tensors="pt").to(
            self.model.device
        )
        with torch.inference_mode():
            output = self.model(**inputs)
        scores = output.logits[0].sigmoid()
        boxes, offset = [], 1
        for number, phrase in enumerate(phrases):
            length = len(self.processor.tokenizer(phrase, add_special_tokens=False)["input_ids"])
            pooled = scores[:, offset : offset + length].mean(-1)
            best = pooled.topk(min(_MAX_BOXES, len(pooled)))
            boxes += [(number, *output.pred_boxes[0, query].tolist(), score) for score, query in _above(best)]
            offset += length + 1
        return boxes


class Pipeline:
    """The `zero-shot-object-detection` pipeline on the same phrases. A call returns pairs per second."""

    def __init__(self, model: str) -> None:
        self.detect = pipeline("zero-shot-object-detection", model=bundled.model_path(model), device="cpu")
        self.parser = _parser()
        self.phrases = 0.0

    def __call__(self, tars: Sequence[Path], skip: int) -> float:
        started, queried, done = time.perf_counter(), 0, 0
        pairs = list(_pairs(tars, skip))
        for (image, _), doc in zip(pairs, self.parser.docs(caption for _, caption in pairs), strict=True):
            phrases = _phrases(doc, self.parser)
            if phrases:
                self.detect(image, candidate_labels=[f"{phrase}." for phrase in phrases], threshold=_FLOOR)
            queried += len(phrases)
            done += 1
        self.phrases = queried / done
        return done / (time.perf_counter() - started)
