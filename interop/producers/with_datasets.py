"""Hugging Face's datasets: Arrow, parquet, CSV, JSON, imagefolder."""

import json
import shutil
from pathlib import Path
from typing import Any

import webdataset as wds
from datasets import Dataset, Features, Image, List, Value, load_dataset
from datasets.table import embed_table_storage

from interop.producers.rows import with_paths
from interop.written import Given, Images, Write, Written


def _dataset(pairs: list[Given], truth: Path, lists: bool = False) -> Dataset:
    """With pictures by path, as users have them."""
    captions = {"captions": List(Value("string"))} if lists else {"caption": Value("string")}
    features = Features({"id": Value("string"), "image": Image(), **captions, "score": Value("float64")})
    rows = [
        {
            "id": pair.id,
            "image": str(truth / pair.picture),
            **({"captions": [pair.caption, pair.second]} if lists else {"caption": pair.caption}),
            "score": pair.score,
        }
        for pair in pairs
    ]
    return Dataset.from_list(rows, features=features)


def _write(method: str, name: str, lists: bool = False, root: bool = False, **options: Any) -> Write:
    """Calls a method of a data set with pictures. root: it writes their absolute paths only."""

    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        getattr(_dataset(pairs, truth, lists), method)(str(folder / name), **options)
        return Written(name, {"image_root": str(truth)} if root else {}, captions=2 if lists else 1)

    return write


def _paths(method: str, name: str, lists: bool = False, root: bool = False, **options: Any) -> Write:
    """Calls a method of a data set with paths as texts. root: they are not relative to the folder that it writes."""

    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        rows = with_paths(pairs, truth, folder, lists)
        getattr(Dataset.from_list(rows), method)(str(folder / name), **options)
        return Written(name, {"image_root": str(folder)} if root else {}, captions=2 if lists else 1)

    return write


def _splits(pairs: list[Given], truth: Path, folder: Path) -> Written:
    _dataset(pairs, truth).train_test_split(test_size=4, seed=0).save_to_disk(str(folder / "pairs"))
    return Written("pairs")


def _parquet_shards(pairs: list[Given], truth: Path, folder: Path) -> Written:
    """As `push_to_hub` writes them, with the pictures in the cells."""
    whole = _dataset(pairs, truth).with_format("arrow").map(embed_table_storage, batched=True)
    (folder / "data").mkdir()
    for number in range(3):
        shard = whole.shard(3, number, contiguous=True)
        shard.to_parquet(str(folder / "data" / f"train-{number:05}-of-00003.parquet"))
    return Written("data")


def _mapped(pairs: list[Given], truth: Path, folder: Path) -> Written:
    """Pictures that a function made: datasets encodes them."""

    def flip_twice(row: dict[str, Any]) -> dict[str, Any]:
        return {"image": row["image"].rotate(180).rotate(180)}

    _dataset(pairs, truth).map(flip_twice).save_to_disk(str(folder / "pairs"))
    return Written("pairs", images="pixels")


def _folder(metadata: str) -> Write:
    """A folder for `load_dataset("imagefolder")`."""

    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        _image_folder(pairs, truth, folder / "train", metadata)
        assert len(load_dataset("imagefolder", data_dir=str(folder), split="train")) == len(pairs)
        return Written("train")

    return write


def _image_folder(pairs: list[Given], truth: Path, folder: Path, metadata: str) -> None:
    folder.mkdir()
    rows = []
    for pair in pairs:
        shutil.copy(truth / pair.picture, folder)
        rows.append({"file_name": pair.picture, "id": pair.id, "text": pair.caption, "score": pair.score})
    if metadata == "metadata.jsonl":
        (folder / metadata).write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        table = Dataset.from_list(rows)
        getattr(table, {"csv": "to_csv", "parquet": "to_parquet"}[metadata.rpartition(".")[2]])(str(folder / metadata))


def _folder_on_disk(pairs: list[Given], truth: Path, folder: Path) -> Written:
    _image_folder(pairs, truth, folder / "train", "metadata.jsonl")
    load_dataset("imagefolder", data_dir=str(folder), split="train").save_to_disk(str(folder / "pairs"))
    return Written("pairs")


def _webdataset(method: str, name: str, images: Images = "bytes") -> Write:
    """A tar that datasets loads, and writes in another format: its columns are the extensions of the members."""

    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        with wds.TarWriter(str(folder / "in.tar")) as tar:
            for number, pair in enumerate(pairs):
                picture, about = (truth / pair.picture).read_bytes(), {"id": pair.id, "score": pair.score}
                tar.write({"__key__": f"{number:06}", "jpg": picture, "txt": pair.caption, "json": about})
        loaded = load_dataset("webdataset", data_files=str(folder / "in.tar"), split="train")
        getattr(loaded, method)(str(folder / name))
        return Written(name, images=images, fields=())

    return write


FORMATS: dict[str, Write] = {
    "save_to_disk": _write("save_to_disk", "pairs"),
    "save_to_disk, 3 shards": _write("save_to_disk", "pairs", num_shards=3),
    "save_to_disk, lists of captions": _write("save_to_disk", "pairs", lists=True),
    "save_to_disk, paths": _paths("save_to_disk", "pairs", lists=True, root=True),
    "save_to_disk, map": _mapped,
    "save_to_disk, imagefolder": _folder_on_disk,
    "save_to_disk, DatasetDict": _splits,
    "save_to_disk, webdataset": _webdataset("save_to_disk", "pairs"),
    "to_parquet, pictures by path": _write("to_parquet", "pairs.parquet", root=True),
    "to_parquet, pictures by path, lists": _write("to_parquet", "pairs.parquet", lists=True, root=True),
    "to_parquet, paths": _paths("to_parquet", "pairs.parquet"),
    "to_parquet, webdataset": _webdataset("to_parquet", "pairs.parquet"),
    "to_parquet, shards": _parquet_shards,
    "to_json, paths": _paths("to_json", "pairs.jsonl"),
    "to_json, paths, lines=False": _paths("to_json", "pairs.json", lists=True, lines=False),
    "to_json, paths, gz": _paths("to_json", "pairs.jsonl.gz", compression="gzip"),
    "to_json, pictures by path": _write("to_json", "pairs.jsonl", root=True),
    "to_csv, paths": _paths("to_csv", "pairs.csv"),
    "imagefolder, metadata.jsonl": _folder("metadata.jsonl"),
    "imagefolder, metadata.csv": _folder("metadata.csv"),
    "imagefolder, metadata.parquet": _folder("metadata.parquet"),
}
