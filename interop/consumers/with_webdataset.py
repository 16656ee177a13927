"""webdataset: the shards of a run, without an export."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import webdataset as wds

from interop.consumers.pixels import thumbnail
from interop.consumers.rows import record_things
from interop.seen import Picture, Read, Reading


def _shards(run: Path) -> list[str]:
    manifest = json.loads((run / "manifest.json").read_text())
    return [str(run / shard["tar"]) for shard in manifest["shards"]]


def _samples(run: Path) -> Any:
    return wds.WebDataset(_shards(run), shardshuffle=False)


def _decoded(run: Path) -> Iterator[Picture]:
    for image, record, caption, key in _samples(run).decode("pil").to_tuple("jpg", "json", "txt", "__key__"):
        assert caption == record["caption"]
        yield Picture(key, record_things(record), image.size, thumbnail(image), [caption])


def _arrays(run: Path) -> Iterator[Picture]:
    """Pixels as arrays, and several samples per batch."""
    for batch in _samples(run).decode("rgb8").batched(5, collation_fn=list):
        for sample in batch:
            pixels = sample["jpg"]
            yield Picture(
                sample["__key__"],
                record_things(sample["json"], "noun_chunks"),
                pixels.shape[1::-1],
                thumbnail(pixels),
                [sample["txt"]],
            )


READINGS: dict[str, tuple[Read, Reading]] = {
    'WebDataset, decode("pil")': (_decoded, Reading("shards")),
    'WebDataset, decode("rgb8"), batched': (_arrays, Reading("shards", level="noun_chunks")),
}
