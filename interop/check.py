"""Reads a data set that another library wrote, as `ground` and `pack` read it, and compares it with the pairs."""

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from gritmill.looking import look
from interop.written import Given, Written
from pipeline.configuration import validate
from pipeline.faults import CallError, SourceFault, first_line
from pipeline.ground.load_images import ImageLoader, PositionedPair
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan import PlannedSource
from pipeline.plan.plan_sources import plan_sources
from transforms.records import Pair

_MAX_DIFFERENCE = 12.0
"""Of the thumbnails of a picture and of the same one in another size or encoding, in levels of 0..255. Scenes
differ by 33 or more."""

_THUMBNAIL = (16, 16)


@dataclass(frozen=True)
class Outcome:
    """What gritmill read. pairs: the good ones. problems: what is wrong, a line each."""

    pairs: int
    problems: list[str]


def check(folder: Path, written: Written, truth: Path, pairs: list[Given]) -> Outcome:
    """Compares what `written` says to be in a folder with the pairs, whose pictures are in the folder `truth`."""
    configuration = validate({"source": written.settings})
    problems: list[str] = []
    read: list[Pair] = []
    try:
        planned = plan_sources(find_sources([str(folder / written.path)], tell=problems.append), configuration)
        for source in planned:
            of_source = list(_read(source, written, problems))
            problems += _check_ranges(source, of_source) + _check_fetch(source, written, of_source)
            read += of_source
    except CallError as error:
        return Outcome(0, [f"refused: {error}"])
    good = [pair for pair in read if not pair.error]
    problems += _check_failed(read, written) + _check_pairs(good, written, truth, pairs)
    looked = look([str(folder / written.path)], config={"source": written.settings})
    if (number := sum(source["pairs"] or 0 for source in looked["sources"])) != len(read):
        problems.append(f"gritmill look counts {number} pairs")
    return Outcome(len(good), problems)


def _read(planned: PlannedSource, written: Written, problems: list[str]) -> Iterator[Pair]:
    """The pairs of a source with their images. A fault is a problem."""
    if planned.fault:
        problems.append(f"{planned.uri}: {planned.fault}")
    configuration = validate({"source": written.settings})

    def until_fault() -> Iterator[PositionedPair]:
        try:
            yield from planned.open(configuration.source).read(planned.ranges[0].start)
        except SourceFault as fault:
            problems.append(f"{planned.uri}: {first_line(fault)}")

    if planned.ranges:
        yield from (pair for _, pair in ImageLoader(configuration.source.image_limits).load(until_fault()))


def _check_ranges(planned: PlannedSource, pairs: list[Pair]) -> list[str]:
    counts = [spec.pairs for spec in planned.ranges]
    if None in counts or sum(count or 0 for count in counts) == len(pairs):
        return []
    return [f"{planned.uri}: {counts} pairs planned, {len(pairs)} read"]


def _check_fetch(planned: PlannedSource, written: Written, pairs: list[Pair]) -> list[str]:
    """`pack` must get the images that `ground` has read."""
    good = [pair for pair in pairs if not pair.error]
    source = planned.open(validate({"source": written.settings}).source)
    fetched = list(source.fetch(pair.image for pair in good))
    return [f"{planned.uri}: fetched other images"] if fetched != [pair.data for pair in good] else []


def _check_failed(pairs: Iterable[Pair], written: Written) -> list[str]:
    errors = [pair.error for pair in pairs if pair.error]
    if (found := Counter(str(error.reason) for error in errors)) == written.problems:
        return []
    first = f", first: {errors[0].detail}" if errors else ""
    return [f"pairs without a picture: {dict(found)}, not {written.problems}{first}"]


def _check_pairs(good: list[Pair], written: Written, truth: Path, pairs: list[Given]) -> list[str]:
    """Each caption is there once, with its picture and its fields."""
    expected = {
        caption: pair
        for pair in pairs
        if pair.id not in written.without
        for caption in (pair.caption, pair.second)[: written.captions]
    }
    found = Counter(pair.caption for pair in good)
    problems = [f"no pair with the caption {caption!r}" for caption in expected if caption not in found]
    problems += [f"a pair with the caption {caption!r}" for caption in found if caption not in expected]
    problems += [f"{number} pairs with the caption {caption!r}" for caption, number in found.items() if number > 1]
    pictures = {pair.picture: (truth / pair.picture).read_bytes() for pair in pairs}
    for pair in good:
        if given := expected.get(pair.caption):
            problems += [f"{pair.caption!r}: {wrong}" for wrong in _differences(pair, given, written, pictures)]
    return problems


def _differences(pair: Pair, given: Given, written: Written, pictures: dict[str, bytes]) -> Iterator[str]:
    if written.images == "bytes" and pair.data != pictures[given.picture]:
        yield "other bytes of the picture"
    elif written.images == "pixels" and not np.array_equal(_pixels(pair.data), _pixels(pictures[given.picture])):
        yield "other pixels of the picture"
    elif written.images == "looks":
        difference = {name: _difference(pair.data, data) for name, data in pictures.items()}
        nearest = min(difference, key=lambda name: difference[name])
        if nearest != given.picture:
            yield f"the picture {nearest}, not {given.picture}"
        elif difference[nearest] > _MAX_DIFFERENCE:
            yield f"a picture that differs from {given.picture} by {difference[nearest]:.0f} levels"
    if "id" in written.fields and pair.id != given.id:
        yield f"the id {pair.id!r}, not {given.id!r}"
    if "score" in written.fields and float(json.loads(pair.meta).get("score", "nan")) != given.score:
        yield f"the score {json.loads(pair.meta).get('score')!r}, not {given.score!r}"


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _difference(data: bytes, truth: bytes) -> float:
    """The mean difference of the thumbnails of a picture and of one of `truth`, which gets the white borders that
    img2dataset adds to make pictures square."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    original = Image.open(io.BytesIO(truth)).convert("RGB")
    if abs(original.width / original.height - picture.width / picture.height) > 0.05:
        original = ImageOps.pad(original, picture.size, color="white")
    thumbnails = [np.asarray(image.resize(_THUMBNAIL), dtype=float) for image in (picture, original)]
    return float(np.abs(thumbnails[0] - thumbnails[1]).mean())
