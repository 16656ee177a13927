"""A file -> its rows, as dictionaries or texts, read forward. Only COCO's format and lists in JSON are read as a whole.

Numbers of rows are from 1: the line of a text file, the row of a table, the record of a list or a tar.
"""

import ast
import codecs
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

from gritmill.auditing.formats import CAPTIONS, PICTURES
from pipeline import files
from pipeline.faults import SourceFault, first_line
from pipeline.source_kinds import unpacked_name
from pipeline.sources import json_text
from pipeline.sources.jsonl import parse_line
from pipeline.sources.tar_members import Gap, NotATar, open_tar
from pipeline.sources.text_file import open_text, read_text
from transforms.culprits import message_of
from transforms.wording import counted, type_of

Picked = Callable[[int], bool]
"""Whether a row is read, by its position among the rows of all files, from 0."""

_BATCH = 1024
_HEAD = 1 << 20
_LONGEST_JSON = 64 << 20
_USED = (
    *("noun_chunks", "ref_exps", "grounding", "detection", "groundings", "truth", "annotations"),
    *("grounded", "conversations", "width", "height", "meta", *CAPTIONS, *PICTURES),
)
"""The columns of a table that are read, as far as they have no bytes: images are not needed."""

_STRUCTS = ("grounding", "detection")


class BrokenRow:
    """A row that cannot be read, and why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def kind_of(uri: str) -> str:
    """How a file is read, by its name: "parquet", "lines", "json", "tar", "tsv" or "text". Raises SourceFault if the
    ending is none of those that are known."""
    name = unpacked_name(files.name(uri).lower())
    kinds = {
        "parquet": (".parquet",),
        "lines": (".jsonl", ".ndjson"),
        "json": (".json",),
        "tar": (".tar", ".tgz"),
        "tsv": (".tsv",),
        "text": (".txt",),
    }
    for kind, endings in kinds.items():
        if name.endswith(endings):
            return _kind_of_json(uri) if kind == "json" else kind
    known = ", ".join(ending for endings in kinds.values() for ending in endings)
    raise SourceFault(f"cannot tell from its name what it is; audit reads {known}")


def rows_of(uri: str, kind: str, picked: Picked, column: str = "") -> Iterator[tuple[int, Any]]:
    """The rows that are picked: the number of each, and a dictionary, a text, or a `BrokenRow`. kind: see `kind_of`.
    column: one more column that is read. Raises SourceFault where the file is damaged."""
    try:
        if kind == "parquet":
            yield from _parquet(uri, picked, (*_USED, column))
            return
        for position, (number, read) in enumerate(_READERS[kind](uri)):
            if picked(position):
                yield number, read()
    except (EOFError, UnicodeError) as error:
        raise SourceFault(f"{kind}: {first_line(error)}") from error


def count_rows(uri: str, kind: str) -> int:
    """The number of rows of a file, or of those before its damage."""
    if kind == "parquet":
        with closing(_open_parquet(uri)) as file:
            return int(file.metadata.num_rows)
    number = 0
    with suppress(SourceFault, EOFError, UnicodeError):
        for _ in _READERS[kind](uri):
            number += 1
    return number


_Lazy = Iterator[tuple[int, Callable[[], Any]]]
"""The number of each row, and a function that parses it: most rows may not be picked."""


def _each_line(uri: str) -> Iterator[tuple[int, bytes]]:
    with open_text(uri, "") as text:
        for number, line in enumerate(text.file, 1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if line.strip():
                yield number, line


def _lines(uri: str) -> _Lazy:
    for number, line in _each_line(uri):
        yield number, lambda line=line: _checked(parse_line(line))  # type: ignore[misc]


def _texts(uri: str) -> _Lazy:
    for number, line in _each_line(uri):
        yield number, lambda line=line: _decoded(line.rstrip(b"\r\n"))  # type: ignore[misc]


def _kosmos2_lines(uri: str) -> _Lazy:
    """Kosmos-2's TSV: MD5, caption, image, width, height, and a Python dictionary with the rows."""
    for number, line in _each_line(uri):
        yield number, lambda line=line: _kosmos2_row(line)  # type: ignore[misc]


def _kosmos2_row(line: bytes) -> Any:
    cells = line.rstrip(b"\r\n").split(b"\t")
    if len(cells) != 6:
        return BrokenRow(f"{len(cells)} cells, not the 6 of Kosmos-2's TSV")
    try:
        rows = ast.literal_eval(cells[5].decode())
        lists = {"noun_chunks": rows["phrase"], "ref_exps": rows["expression_v1"]}
        return {"key": cells[0].decode(), "caption": cells[1].decode(), **lists, **_sides(*cells[3:5])}
    except Exception as error:  # of any text: literal_eval raises several types
        return BrokenRow(f"the last cell is no dictionary of rows: {message_of(error)}")


def _sides(width: bytes, height: bytes) -> dict[str, Any]:
    return {"width": width.decode(), "height": height.decode()}


def _records(uri: str) -> _Lazy:
    try:
        value = json_text.parse(read_text(uri, ""))
    except (ValueError, RecursionError) as error:
        raise SourceFault(json_text.explain(error)) from error
    if isinstance(value, dict) and all(isinstance(value.get(name), list) for name in ("images", "annotations")):
        value = _coco_images(value)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise SourceFault(f"{type_of(value)}, not a list of records")
    for number, record in enumerate(value, 1):
        yield number, lambda record=record: _checked(record)  # type: ignore[misc]


def _coco_images(value: dict[str, Any]) -> list[Any]:
    """The images with their annotations, whose categories have names; then a text for each image that is missing."""
    listed = value["categories"] if isinstance(value.get("categories"), list) else ()
    names = {_id_in(one, "id"): one.get("name") for one in listed if isinstance(one, dict)}
    by_image: dict[Any, list[Any]] = {_id_in(one, "id"): [] for one in value["images"]}
    missing: Counter[Any] = Counter()
    for one in value["annotations"]:
        image = _id_in(one, "image_id")
        if image is not None and image in by_image:
            by_image[image].append({**one, "category": names.get(_id_in(one, "category_id"))})
        else:
            missing[image] += 1
    images = [
        {**one, "file_name": one.get("file_name", ""), "annotations": by_image[_id_in(one, "id")]}
        if isinstance(one, dict)
        else one
        for one in value["images"]
    ]
    lost = (
        f"{counted(number, 'annotation')} of image {image}, which is not there" for image, number in missing.items()
    )
    return [*images, *lost]


def _id_in(item: Any, name: str) -> Any:
    """The identifier under a name; None if there is none."""
    value = item.get(name) if isinstance(item, dict) else None
    return value if isinstance(value, int | float | str) else None


def _members(uri: str) -> _Lazy:
    """The JSON members of a tar, such as those of img2dataset and of gritmill's shards. Raises SourceFault after the
    last one if a place before it cannot be read."""
    damage = ""
    number = 0
    try:
        with open_tar(uri, loading=True) as tar:
            for member in tar.members(0, lambda name: _LONGEST_JSON if _is_json(name) else 0):
                if isinstance(member, Gap) or member.fault:
                    damage = damage or (member.text if isinstance(member, Gap) else f"{member.name}: {member.fault}")
                elif _is_json(member.name):
                    number += 1
                    yield number, lambda data=member.data: _checked(parse_line(data))  # type: ignore[misc]
    except NotATar:
        damage = "not a tar"
    if damage:
        raise SourceFault(damage)


def _is_json(name: str) -> bool:
    return name.lower().endswith(".json")


_READERS: dict[str, Callable[[str], _Lazy]] = {
    "lines": _lines,
    "json": _records,
    "tar": _members,
    "tsv": _kosmos2_lines,
    "text": _texts,
}


def _open_parquet(uri: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(files.open_read(uri), buffer_size=1 << 20, pre_buffer=False)
    except pa.ArrowException as error:
        raise SourceFault(f"not a parquet file: {first_line(error)}") from error


def _parquet(uri: str, picked: Picked, used: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa

    from pipeline.sources.parquet_cells import Unreadable, is_damage, values_of

    with closing(_open_parquet(uri)) as file:
        types = {one.name: one.type for one in file.schema_arrow}
        with_bytes = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_struct)
        small = [name for name, kind in types.items() if name in _STRUCTS or not any(has(kind) for has in with_bytes)]
        names = [name for name in small if name in used] or small
        first = 0
        try:
            for batch in file.iter_batches(batch_size=_BATCH, columns=names):
                chosen = [at for at in range(batch.num_rows) if picked(first + at)]
                part = batch if len(chosen) == batch.num_rows else batch.take(pa.array(chosen, pa.int64()))
                cells = [values_of(column) for column in part.columns]
                for at, *row in zip(chosen, *cells, strict=True):
                    bad = next((value for value in row if isinstance(value, Unreadable)), None)
                    found = BrokenRow(str(bad)) if bad else dict(zip(part.schema.names, row, strict=True))
                    yield first + at + 1, found
                first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            if not is_damage(error):
                raise
            raise SourceFault(f"row {first + 1:,} and those after it cannot be read: {first_line(error)}") from error


def _checked(row: Any) -> Any:
    return row if isinstance(row, dict) else BrokenRow(row if isinstance(row, str) else "not a JSON object")


def _decoded(line: bytes) -> Any:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return BrokenRow("not UTF-8")


def _kind_of_json(uri: str) -> str:
    """ "lines" if the first line of the file is an object and more follows, as mmdetection names its ODVG files."""
    with open_text(uri, "") as text:
        head = text.file.read(_HEAD).removeprefix(codecs.BOM_UTF8)
    line, _, rest = head.partition(b"\n")
    try:
        return "lines" if rest.strip() and isinstance(json.loads(line), dict) else "json"
    except (ValueError, RecursionError):
        return "json"
