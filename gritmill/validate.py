"""validate: read a finished run back and say what is wrong with it.

Shares no code path with the writer but the dialects' readers: tar, JSON and parquet are read with their own libraries,
and every rule of the contract is checked on what they give.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline import files
from pipeline.faults import CallError
from transforms import dialects

_FIELDS = {
    "key": str,
    "uid": str,
    "source_key": str,
    "id": int,
    "url": str,
    "caption": str,
    "width": int,
    "height": int,
    "noun_chunks": list,
    "ref_exps": list,
    "heads": list,
    "meta": str,
}


@dataclass(frozen=True)
class Finding:
    """A fault (`text`), or with an empty text one sample that was read."""

    shard: str
    key: str
    text: str


def validate(output: str | PathLike[str], limit: int | None = None) -> Iterator[Finding]:
    """Every sample and every fault of a run, in order. limit: only so many samples a shard; checksums are always whole.

    Raises:
      CallError: the folder holds no manifest.
    """
    folder = files.canonical(output)
    uri = files.join(folder, "manifest.json")
    if not files.exists(uri):
        raise CallError(f"{output}: no manifest.json; it is no finished run")
    manifest = files.read_json(uri)
    dialect = manifest["configuration"]["text"]["dialect"]
    for number, shard in enumerate(manifest["shards"]):
        yield from _shard(folder, number, shard, dialect, limit)
    yield from (Finding("manifest.json", "", text) for text in _ledger(manifest))


def _ledger(manifest: dict[str, Any]) -> Iterator[str]:
    ledger = manifest["ledger"]
    rejected = sum(ledger["rejected"].values())
    failed = sum(pairs for reasons in ledger["failed"].values() for pairs in reasons.values())
    if ledger["read"] != ledger["written"] + rejected + failed:
        yield f"ledger: {ledger['read']} read is not {ledger['written']} + {rejected} + {failed}"
    samples = sum(shard["samples"] for shard in manifest["shards"])
    if ledger["written"] != samples:
        yield f"ledger: {ledger['written']} written, but the shards hold {samples}"


def _shard(folder: str, number: int, entry: dict[str, Any], names: list[str], limit: int | None) -> Iterator[Finding]:
    name = entry["tar"]
    for part, checksum in (("tar", "sha256"), ("index", "index_sha256")):
        text = _checksum(files.join(folder, entry[part]), entry[checksum])
        if text:
            yield Finding(entry[part], "", text)
            return
    if not name.endswith(f"{number:05}.tar"):
        yield Finding(name, "", f"is shard {number} of the manifest")
    try:
        rows = pq.read_table(io.BytesIO(files.read_bytes(files.join(folder, entry["index"])))).to_pylist()
    except (pa.ArrowException, OSError) as error:
        yield Finding(entry["index"], "", f"not a parquet file: {error}")
        rows = []
    if len(rows) != entry["samples"]:
        yield Finding(entry["index"], "", f"{len(rows)} rows, but {entry['samples']} samples in the manifest")
    seen = 0
    try:
        for key, members in _samples(files.join(folder, name)):
            if limit is not None and seen >= limit:
                return
            row = rows[seen] if seen < len(rows) else None
            seen += 1
            yield Finding(name, key, "")
            for text in _sample(key, f"{number:05}", members, row, names):
                yield Finding(name, key, text)
    except tarfile.TarError as error:
        yield Finding(name, "", f"not a whole tar: {error}")
    if seen != entry["samples"]:
        yield Finding(name, "", f"{seen} samples, but {entry['samples']} in the manifest")


def _checksum(uri: str, expected: str) -> str:
    if not files.exists(uri):
        return "is missing"
    digest = hashlib.sha256()
    with files.open_read(uri) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return "" if digest.hexdigest() == expected else "its SHA-256 is not that of the manifest"


def _samples(uri: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Members of each key, which must lie next to each other."""
    with files.open_read(uri) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        current = ""
        members: dict[str, bytes] = {}
        for member in tar:
            key, _, ending = member.name.partition(".")
            if key != current and members:
                yield current, members
                members = {}
            content = tar.extractfile(member)
            current, members[ending] = key, content.read() if content else b""
        if members:
            yield current, members


def _sample(
    key: str, prefix: str, members: dict[str, bytes], row: dict[str, Any] | None, names: list[str]
) -> Iterator[str]:
    wanted = {"jpg", "json", "txt", "grounded.txt", *(f"{dialects.suffix(name)}.txt" for name in names[1:])}
    if set(members) != wanted:
        yield f"members {', '.join(sorted(members))}; expected {', '.join(sorted(wanted))}"
        return
    if not (key.startswith(prefix) and len(key) == 9 and key.isdigit()):
        yield f"the key is not {prefix} and four digits"
    try:
        record = json.loads(members["json"])
    except ValueError as error:
        yield f"json: {error}"
        return
    if not isinstance(record, dict):
        yield "json: not an object"
        return
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(record.get(name), kind)]
    if wrong or set(record) != set(_FIELDS):
        yield f"json: missing, unknown or mistyped fields: {', '.join(wrong or set(record) ^ set(_FIELDS))}"
        return
    yield from _record(key, record)
    if row is None or any(_numbers(row.get(name)) != _numbers(record[name]) for name in _FIELDS):
        yield "the index does not agree with the record"
    if members["txt"].decode("utf-8", "replace") != record["caption"]:
        yield "txt is not the record's caption"
    yield from _image(members["jpg"], record)
    yield from _texts(members, record, names)


def _numbers(value: Any) -> Any:
    """Lists of numbers as floats: parquet holds doubles where JSON has integers."""
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, int) else value


def _record(key: str, record: dict[str, Any]) -> Iterator[str]:
    if record["key"] != key:
        yield f"json: its key is {record['key']}"
    chunks, expressions, heads = record["noun_chunks"], record["ref_exps"], record["heads"]
    if not len(chunks) == len(expressions) == len(heads) or not chunks:
        yield f"json: {len(chunks)} noun_chunks, {len(expressions)} ref_exps, {len(heads)} heads"
        return
    if chunks != sorted(chunks, key=lambda r: (r[0], r[1], -r[6])):
        yield "json: noun_chunks are not in order"
    try:
        json.loads(record["meta"])
    except ValueError:
        yield "json: meta is no JSON"
    for number, (chunk, expression, head) in enumerate(zip(chunks, expressions, heads, strict=True)):
        for text in _row(chunk, expression, head, len(record["caption"])):
            yield f"json: row {number}: {text}"


def _row(chunk: list[Any], expression: list[Any], head: list[Any], length: int) -> Iterator[str]:
    if len(chunk) != 7 or len(expression) != 7 or len(head) != 2:
        yield "a row does not have seven values, or a head two"
        return
    if not all(isinstance(offset, int) for offset in (*chunk[:2], *expression[:2], *head)):
        yield "offsets are not integers"
    if chunk[2:] != expression[2:]:
        yield "noun chunk and expression differ in box or score"
    if not 0 <= expression[0] <= chunk[0] <= head[0] < head[1] <= chunk[1] <= expression[1] <= length:
        yield f"spans {expression[:2]}, {chunk[:2]}, {head} do not lie in one another or leave the caption"
    x1, y1, x2, y2, score = chunk[2:]
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        yield f"box {chunk[2:6]} leaves the picture"
    if not 0 <= score <= 1:
        yield f"score {score}"


def _image(data: bytes, record: dict[str, Any]) -> Iterator[str]:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except Exception as error:
        yield f"jpg: {error}"
        return
    if image.format not in ("JPEG", "MPO") or image.mode not in ("RGB", "L"):
        yield f"jpg: a {image.format} of mode {image.mode}"
    if image.size != (record["width"], record["height"]):
        yield f"jpg: {image.width} x {image.height}, the record says {record['width']} x {record['height']}"
    if image.getexif().get(0x0112, 1) in range(2, 9):
        yield "jpg: readers that honour EXIF would turn it"


def _texts(members: dict[str, bytes], record: dict[str, Any], names: list[str]) -> Iterator[str]:
    """Every text parses back to the caption, with spans that the record has and as many boxes."""
    counts: dict[tuple[int, int], int] = {}
    for rows in (record["ref_exps"], record["noun_chunks"]):
        own: dict[tuple[int, int], int] = {}
        for row in rows:
            own[row[0], row[1]] = own.get((row[0], row[1]), 0) + 1
        counts = {span: max(counts.get(span, 0), own.get(span, 0)) for span in {*counts, *own}}
    for number, name in enumerate(names):
        ending = "grounded.txt" if number == 0 else f"{dialects.suffix(name)}.txt"
        try:
            decoded = dialects.find(name).decode(members[ending].decode(), record["width"], record["height"])
        except ValueError as error:
            yield f"{ending}: {error}"
            continue
        if decoded.caption != record["caption"]:
            yield f"{ending}: it does not parse back to the caption"
        for span in decoded.spans:
            if not 0 < len(span.boxes) <= counts.get((span.start, span.end), 0):
                yield f"{ending}: span {span.start}..{span.end} is not in the record, or has more boxes there"
