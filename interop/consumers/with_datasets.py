"""Hugging Face's datasets: exports with the help of their data card, and the shards of a run."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets import load_dataset
from PIL import Image

from interop.consumers.pixels import thumbnail
from interop.consumers.rows import record_things
from interop.seen import Level, Picture, Read, Reading, Thing


def _load(folder: Path, streaming: bool) -> Any:
    return load_dataset(str(folder), split="train", streaming=streaming, cache_dir=str(folder / ".cache"))


def _hf(level: Level, streaming: bool = False) -> Read:
    def read(folder: Path) -> Iterator[Picture]:
        words = "expression" if level == "ref_exps" else "phrase"
        start, end = (f"{words}_start", f"{words}_end") if level == "ref_exps" else ("start", "end")
        for row in _load(folder, streaming):
            width, height = row["width"], row["height"]
            things = []
            for one in row["groundings"]:
                assert row["caption"][one[start] : one[end]] == one[words]
                x1, y1, x2, y2 = one["box"]
                things.append(Thing((x1 * width, y1 * height, x2 * width, y2 * height), one[words]))
            yield Picture(row["key"], things, row["image"].size, thumbnail(row["image"]), [row["caption"]])

    return read


def _grit(level: Level) -> Read:
    def read(folder: Path) -> Iterator[Picture]:
        for row in _load(folder, streaming=False):
            size = row["width"], row["height"]
            yield Picture(row["key"], record_things(row, level), size, captions=[row["caption"]])

    return read


def _odvg(folder: Path) -> Iterator[Picture]:
    for row in _load(folder, streaming=False):
        grounding = row["grounding"]
        things = []
        for region in grounding["regions"]:
            ((start, end),) = region["tokens_positive"]
            assert grounding["caption"][start:end] == region["phrase"]
            things.append(Thing(tuple(region["bbox"]), region["phrase"]))
        with Image.open(folder / row["filename"]) as image:
            assert image.size == (row["width"], row["height"])
            yield Picture(Path(row["filename"]).stem, things, image.size, thumbnail(image), [grounding["caption"]])


def _instructions(folder: Path) -> Iterator[Picture]:
    """Each image once: it has several conversations."""
    names = set()
    for row in _load(folder, streaming=False):
        question, answer = row["conversations"]
        assert (question["from"], answer["from"]) == ("human", "gpt")
        assert question["value"].startswith("<image>\n")
        names.add(row["image"])
    for name in sorted(names):
        with Image.open(folder / name) as image:
            yield Picture(Path(name).stem, None, image.size, thumbnail(image))


def _shards(streaming: bool) -> Read:
    def read(run: Path) -> Iterator[Picture]:
        manifest = json.loads((run / "manifest.json").read_text())
        tars = [str(run / shard["tar"]) for shard in manifest["shards"]]
        cache = str(run.parent / "cache-of-shards")
        for row in load_dataset("webdataset", data_files=tars, split="train", streaming=streaming, cache_dir=cache):
            record: Mapping[str, Any] = row["json"]
            yield Picture(row["__key__"], record_things(record), row["jpg"].size, thumbnail(row["jpg"]), [row["txt"]])

    return read


READINGS: dict[str, tuple[Read, Reading]] = {
    "load_dataset, hf": (_hf("ref_exps"), Reading("hf")),
    "load_dataset, hf, noun chunks, streaming": (
        _hf("noun_chunks", streaming=True),
        Reading("hf", level="noun_chunks"),
    ),
    "load_dataset, grit": (_grit("ref_exps"), Reading("grit")),
    "load_dataset, grit, noun chunks": (_grit("noun_chunks"), Reading("grit", level="noun_chunks")),
    "load_dataset, instructions": (_instructions, Reading("instructions-kosmos2")),
    "load_dataset, odvg": (_odvg, Reading("odvg", text="lowered")),
    'load_dataset("webdataset")': (_shards(streaming=False), Reading("shards")),
    'load_dataset("webdataset"), streaming': (_shards(streaming=True), Reading("shards")),
}
