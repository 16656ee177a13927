"""Loads the shards of a finished run with webdataset in a torch DataLoader.

    python examples/load_webdataset.py RUN --workers 4

Each epoch yields every sample once, for any number of workers, because each shard belongs to one worker. Only shards
that the manifest names are read.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import webdataset as wds
from torch.utils.data import DataLoader


def shards(run: Path) -> list[str]:
    """Returns the paths of the tars of a finished run, without empty ones."""
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    return [str(run / shard["tar"]) for shard in manifest["shards"] if shard["samples"]]


def loader(run: Path, batch: int, workers: int, shuffle: int = 1000, seed: int = 0) -> DataLoader[Any]:
    """Returns batches of samples: dictionaries with "jpg" (a PIL image), "json" (the record), "txt", "grounded.txt".

    Args:
      shuffle: size of the buffer from which the next sample is drawn; 0 keeps the order of each shard.
    """
    urls = shards(run)
    # More workers than shards would be idle.
    workers = min(workers, len(urls))
    samples = wds.WebDataset(urls, shardshuffle=len(urls) if shuffle else False, seed=seed, empty_check=False)
    samples = samples.shuffle(shuffle, seed=seed) if shuffle else samples
    return DataLoader(samples.decode("pil"), batch_size=batch, num_workers=workers, collate_fn=list)


def sizes(batches: Iterator[list[dict[str, Any]]]) -> dict[str, float]:
    """Returns the number of samples and the means per sample: boxes, words of the caption, megapixels."""
    rows = [
        (len(sample["json"]["ref_exps"]), len(sample["txt"].split()), sample["jpg"].width * sample["jpg"].height / 1e6)
        for batch in batches
        for sample in batch
    ]
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)] if rows else [0.0] * 3
    return {"samples": len(rows), **dict(zip(("boxes", "words", "megapixels"), means, strict=True))}


def main() -> None:
    """Reads all samples of a run once and prints their number and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    for name, value in sizes(iter(loader(given.run, given.batch, given.workers))).items():
        print(f"{value:>12.4g}  {name}{'' if name == 'samples' else ' per sample'}")


if __name__ == "__main__":
    main()
