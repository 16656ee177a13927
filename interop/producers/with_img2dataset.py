"""img2dataset: its three formats with captions, downloaded from URL lists in `urls/`."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from interop.written import Given, Images, Write, Written


def _run(words: list[str]) -> None:
    subprocess.run([str(Path(sys.executable).parent / words[0]), *words[1:]], check=True, timeout=600)


def _download(output_format: str, urls: str, images: Images = "bytes", **options: Any) -> Write:
    """Calls the program. urls: the suffix of the list, which img2dataset calls its format."""

    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        words = ["img2dataset", "--url_list", str(truth / "urls" / f"urls.{urls}"), "--input_format", urls]
        words += ["--url_col", "url", "--caption_col", "caption", "--save_additional_columns", '["id","score"]']
        words += ["--output_format", output_format, "--output_folder", str(folder / "out"), "--enable_wandb", "False"]
        for name, value in {"processes_count": 1, "thread_count": 4, "number_sample_per_shard": 5, **options}.items():
            words += [f"--{name}", str(value)]
        _run(words)
        by_line = urls.split(".")[0] in ("csv", "tsv")
        without = tuple(pair.id for pair in pairs if by_line and "\n" in pair.caption)
        # Of two URLs, one answers 404, and one sends JSON. Only parquet has rows of what could not be downloaded.
        # Without re-encoding, img2dataset takes the JSON for an image.
        failed = {"not_downloaded": 2} if output_format == "parquet" else {}
        as_it_is = {"not_downloaded": 1, "not_an_image": 1} if failed else {"not_an_image": 1}
        problems = as_it_is if options.get("disable_all_reencoding") else failed
        return Written("out", images=images, problems=problems, without=without)

    return write


def _advised(pairs: list[Given], truth: Path, folder: Path) -> Written:
    """Runs the command with which gritmill refuses a table of URLs."""
    command = (truth / "urls" / "advised.txt").read_text()
    _run([str(folder / "out") if word == "DIR" else word for word in shlex.split(command)])
    return Written("out", images="looks", fields=())


_AS_IT_IS: dict[str, Any] = {"disable_all_reencoding": True}
_SMALL: dict[str, Any] = {"image_size": 128, "resize_mode": "keep_ratio"}

FORMATS: dict[str, Write] = {
    "as gritmill advises": _advised,
    "webdataset": _download("webdataset", "parquet", **_AS_IT_IS),
    "webdataset, keep_ratio": _download("webdataset", "jsonl", "looks", **_SMALL, processes_count=2),
    "webdataset, webp": _download("webdataset", "tsv.gz", "looks", **_SMALL, encode_format="webp"),
    "parquet": _download("parquet", "parquet", **_AS_IT_IS),
    "parquet, border": _download("parquet", "tsv", "looks", image_size=200),
    "parquet, png": _download("parquet", "json", "looks", **_SMALL, encode_format="png", encode_quality=9),
    "files": _download("files", "parquet", **_AS_IT_IS),
    "files, one shard": _download("files", "jsonl", "looks", resize_mode="no", number_sample_per_shard=1000),
    "files, webp": _download("files", "csv", "looks", **_SMALL, encode_format="webp"),
}
