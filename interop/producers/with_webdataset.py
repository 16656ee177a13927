"""webdataset: tars of TarWriter and ShardWriter."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import webdataset as wds
from PIL import Image

from interop.written import Given, Images, Write, Written

Sample = Callable[[Given, bytes], dict[str, Any]]
"""The members of a pair. Arguments: the pair, its picture."""


def _text(pair: Given, picture: bytes) -> dict[str, Any]:
    return {"jpg": picture, "txt": pair.caption, "json": {"id": pair.id, "score": pair.score}}


def _json(pair: Given, picture: bytes) -> dict[str, Any]:
    return {"jpg": picture, "json": {"id": pair.id, "score": pair.score, "caption": pair.caption}}


def _lists(pair: Given, picture: bytes) -> dict[str, Any]:
    fields = {"id": pair.id, "score": pair.score, "captions": [pair.caption, pair.second]}
    return {"jpg": picture, "json": json.dumps(fields, ensure_ascii=False).encode()}


def _encoded(suffix: str) -> Sample:
    """webdataset encodes the picture itself."""

    def sample(pair: Given, picture: bytes) -> dict[str, Any]:
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        return {suffix: image, "txt": pair.caption, "cls": 1, "json": {"id": pair.id, "score": pair.score}}

    return sample


def _compound(pair: Given, picture: bytes) -> dict[str, Any]:
    fields = {"id": pair.id, "score": pair.score}
    return {"input.jpg": picture, "output.txt": pair.caption, "output.json": fields}


def _key(number: int) -> str:
    return f"{number:06}"


def _nested(number: int) -> str:
    return f"train/{number % 2}/{number:06}"


def _tar(
    name: str, sample: Sample, images: Images = "bytes", key: Callable[[int], str] = _key, **members: list[str]
) -> Write:
    """members: `source.members`."""

    def write(pairs: list[Given], truth: Path, folder: Path) -> Written:
        with wds.TarWriter(str(folder / name)) as tar:
            for number, pair in enumerate(pairs):
                tar.write({"__key__": key(number), **sample(pair, (truth / pair.picture).read_bytes())})
        return Written(name, {"members": members}, images, captions=2 if sample is _lists else 1)

    return write


def _shards(pairs: list[Given], truth: Path, folder: Path) -> Written:
    with wds.ShardWriter(str(folder / "%05d.tar"), maxcount=5, verbose=0) as shards:
        for number, pair in enumerate(pairs):
            shards.write({"__key__": f"{number:06}", **_text(pair, (truth / pair.picture).read_bytes())})
    return Written("{00000..00002}.tar")


FORMATS: dict[str, Write] = {
    "TarWriter, jpg txt json": _tar("pairs.tar", _text),
    "TarWriter, jpg json": _tar("pairs.tar", _json),
    "TarWriter, lists of captions": _tar("pairs.tar", _lists),
    "TarWriter, gz": _tar("pairs.tar.gz", _text),
    "TarWriter, keys with folders": _tar("pairs.tar", _text, key=_nested),
    "TarWriter, png cls txt": _tar("pairs.tar", _encoded("png"), "pixels"),
    "TarWriter, jpg of PIL": _tar("pairs.tar", _encoded("jpg"), "looks"),
    "TarWriter, input.jpg output.txt": _tar(
        "pairs.tar", _compound, image=["input.jpg"], caption=["output.txt"], metadata=["output.json"]
    ),
    "ShardWriter": _shards,
}
