"""Reads the samples of a finished run from the shards that its manifest lists."""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from os import PathLike
from typing import Any

from PIL import Image

from pipeline import files
from pipeline.pack.manifest import need_manifest


@dataclass(frozen=True)
class Sample:
    """One grounded pair.

    key: nine digits, as in the record. record: the GRIT record. grounded: the text in the first dialect of the run.
    texts: the texts in the other dialects, by the ending of their tar member without `.txt`.
    """

    key: str
    jpeg: bytes = field(repr=False)
    record: dict[str, Any]
    caption: str
    grounded: str
    texts: dict[str, str]

    @property
    def image(self) -> Image.Image:
        """The decoded image."""
        return Image.open(io.BytesIO(self.jpeg), formats=("JPEG",))


def read(output: str | PathLike[str]) -> Iterator[Sample]:
    """The samples of a run, in order.

    Raises:
      CallError: the folder has no manifest.
    """
    for shard in need_manifest(output).shards:
        yield from read_shard(files.join(files.canonical(output), shard.tar))


def read_shard(uri: str) -> Iterator[Sample]:
    """The samples of one tar. A field that is newer than the record has its default."""
    from transforms.grit_record import defaults  # imports pyarrow

    with files.open_read(uri) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        for key, members in groupby(tar, lambda member: member.name.partition(".")[0]):
            contents = ((member.name.partition(".")[2], tar.extractfile(member)) for member in members)
            yield _make_sample(key, {ending: data.read() for ending, data in contents if data}, defaults())


def _make_sample(key: str, members: dict[str, bytes], defaults: dict[str, Any]) -> Sample:
    texts = {name.removesuffix(".txt"): data.decode() for name, data in members.items() if name.endswith(".txt")}
    record = defaults | json.loads(members["json"])
    return Sample(key, members["jpg"], record, members["txt"].decode(), texts.pop("grounded"), texts)
