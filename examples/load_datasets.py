"""Loads the shards of a finished run as a streaming `datasets` dataset in a torch DataLoader.

python examples/load_datasets.py RUN
"""

import argparse
import json
from pathlib import Path
from typing import Any

from datasets import IterableDataset, load_dataset
from torch.utils.data import DataLoader


def dataset(run: Path, seed: int = 0) -> IterableDataset:
    """Returns the samples in random order, with the columns "jpg", "json", "txt" and "grounded.txt"."""
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    tars = [str(run / shard["tar"]) for shard in manifest["shards"] if shard["samples"]]
    found: IterableDataset = load_dataset("webdataset", data_files=tars, split="train", streaming=True)
    return found.shuffle(seed=seed, buffer_size=1000)


def loader(run: Path, batch: int, workers: int) -> DataLoader[Any]:
    """Returns batches of samples. `datasets` assigns each shard to one worker."""
    samples = dataset(run)
    return DataLoader(samples, batch_size=batch, num_workers=min(workers, samples.num_shards), collate_fn=list)


def main() -> None:
    """Prints the first five grounded texts of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    for sample in dataset(given.run).take(5):
        print(sample["grounded.txt"])


if __name__ == "__main__":
    main()
