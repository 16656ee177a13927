"""Finds the sources in a folder that `--input` names.

If tars or tables are directly in a folder, they are its sources, and no folder below it is looked at: its pictures may
be those that a table names. If one is there both as it is and compressed, it is one source. Otherwise the pictures of
the folder are a source if at least one of them has a caption beside it, and the folders below it are searched in the
same way, except hidden ones and run folders of gritmill.

The exceptions are parquet files that img2dataset writes beside a tar or a folder of pictures, which repeat what is in
there; and files such as `.feather` without a caption and an image column. They are no sources.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pipeline import files, layout
from pipeline.configuration import ColumnSettings, SourceSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.plan.metadata import is_metadata
from pipeline.source_kinds import METADATA, TABLE_OF_ANYTHING, unpacked_name
from pipeline.sources import is_source
from pipeline.sources.columns import OF_IMG2DATASET, Columns
from pipeline.sources.folder import Entry, entries_of, folder_info, uri_of
from pipeline.sources.json_records import has_records
from transforms.read_ahead import map_in_threads
from transforms.wording import counted

Tree = Mapping[str, list[FileInfo]]
"""Files by folder."""

Result = TypeVar("Result")
List = Callable[[str], list[FileInfo]]
"""The files that are directly in a folder. Empty if it does not exist."""

_SHARD = re.compile(r"/[0-9]{5,}\.parquet\Z")
"""The end of the URI of a parquet file of img2dataset, which may have written a folder of its name, too."""

NAME_IMAGES = "if they name images, set source.columns.image"

_MUCH_LARGER = 4


def find_in_folder(
    folder: str,
    kind: str,
    tell: Callable[[str], None],
    columns: ColumnSettings | None = None,
    planned: Collection[str] = (),
) -> list[FileInfo]:
    """The sources in a folder. Empty if it does not exist.

    Args:
      kind: `source.kind`. "auto": as above. "folder": only pictures are sources, also those without captions. Other
        kinds: only tars and tables are.
      tell: receives a line about pictures, tables and compressed copies that are left out.
      columns: `source.columns`. None: its default.
      planned: URIs of sources of a run that is resumed. Those in the folder that exist are sources, whatever the rules
        are now.

    Raises:
      CallError: there is no permission to read a folder.
    """
    folder = folder.rstrip("/") or "/"
    look = partial(_Place.look, kind=kind, columns=columns or ColumnSettings(), planned=planned)
    infos = _list(folder)
    top = look(folder, infos, list_folder=_list)
    if top.tables:
        # Pictures with captions beside a table of their name are told.
        shards = [info.uri.removesuffix(".parquet") for info in infos if kind == "auto" and _SHARD.search(info.uri)]
        listed = zip(shards, at_once(_list, shards), strict=True)
        places = [top, *(look(shard, found_in, list_folder=_list) for shard, found_in in listed)]
    else:
        tree = files.list_tree(folder)
        folders = {above for place in tree for above in _and_above(place, folder)}
        runs = {place for place in folders - {folder} if _is_run(place, tree)}
        outside = [place for place in tree if runs.isdisjoint(_and_above(place, folder))]
        outside.sort(key=lambda place: place.split("/"))  # each folder is followed by those below it
        places = [look(place, tree[place], list_folder=lambda name: tree.get(name, [])) for place in outside]
    found: list[FileInfo] = []
    searched: list[_Place] = []
    covering: _Place | None = None  # the last folder with tables; the folders below it follow it
    covered: dict[str, list[_Place]] = {}
    for place in places:
        if covering is None or not place.uri.startswith(f"{covering.uri.rstrip('/')}/"):
            covering = place if place.tables else None
            searched.append(place)
            found += place.tables or place.pictures
        if covering and place.captioned and kind == "auto":
            covered.setdefault(covering.tables[0].uri, []).append(place)
    for table, places in covered.items():
        number = counted(sum(place.captioned for place in places), "picture")
        where = f"{counted(len(places), 'folder')}, first {places[0].uri}"
        remedy = "source.kind=folder reads the pictures instead"
        tell(f"left out: {number} with captions in {where}, because of the table {table}; {remedy}")
    if copies := [copy for place in searched for copy in place.copies]:
        number = counted(len(copies), "file")
        tell(f"left out: {number} of which another form is in the same folder, first {copies[0].uri}")
    if dropped := [table for place in searched for table in place.dropped]:
        number = counted(len(dropped), "table")
        where = f"beside a tar or folder of the same name, first {dropped[0].uri}"
        tell(f"left out: {number} without images {where}; {NAME_IMAGES}")
    if captionless := [place for place in searched if place.captionless]:
        number = counted(sum(place.captionless for place in captionless), "picture")
        where = f"{counted(len(captionless), 'folder')} without captions, first {captionless[0].uri}"
        tell(f"left out: {number} in {where}; a caption is a .txt, .caption or .json beside its picture")
    if late := [table for place in searched for table in place.late]:
        number = counted(len(late), "table")
        cure = "give it as --input with --extend to add it"
        tell(f"left out: {number} that earlier calls of this run did not read, first {late[0].uri}; {cure}")
    found += _planned_in(folder, set(planned) - {info.uri for info in found})
    if useless := _without([table for place in searched for table in place.useless], found):
        number = counted(len(useless), "table")
        cure = "source.columns.caption and source.columns.image name them"
        tell(f"left out: {number} in which no caption and image column is found, first {useless[0].uri}; {cure}")
    return found


@dataclass(frozen=True)
class _Place:
    """A folder. tables: tars and tables in it. pictures: itself as a source, if it is one. captioned: its pictures with
    captions. captionless: its pictures, if they are no part of a source. copies: compressed forms of its tables.
    dropped: tables without images beside a tar or folder of their name, except those of img2dataset. useless: tables of
    suffixes such as `.feather` that have no pairs. late: other such tables, if sources of a run that had none of them
    are here or below."""

    uri: str
    tables: list[FileInfo]
    pictures: list[FileInfo]
    captioned: int
    captionless: int
    copies: Sequence[FileInfo] = ()
    dropped: Sequence[FileInfo] = ()
    useless: Sequence[FileInfo] = ()
    late: Sequence[FileInfo] = ()

    @classmethod
    def look(
        cls,
        uri: str,
        infos: Sequence[FileInfo],
        kind: str,
        columns: ColumnSettings,
        planned: Collection[str],
        list_folder: List,
    ) -> "_Place":
        """What is directly in a folder. infos: its files. list_folder: for the folders below."""
        entries = entries_of(infos)
        captioned = sum(entry.captioned for entry in entries)
        all_tables = _tables(infos, entries, columns) if kind != "folder" else []
        repeating = _repeating(all_tables, kind, columns, list_folder)
        dropped = [info for info, names in repeating.items() if not names >= OF_IMG2DATASET]
        all_tables = [info for info in all_tables if info not in repeating]
        useless = _useless(all_tables, kind, columns, planned)
        all_tables = _without(all_tables, useless)
        late = _late(all_tables, uri, planned)
        all_tables = _without(all_tables, late)
        tables = _without_copies(all_tables)
        new = partial(cls, uri, dropped=dropped, useless=useless, late=late)
        if tables or kind not in ("auto", "folder") or not entries:
            return new(tables, [], captioned, 0, _without(all_tables, tables))
        if captioned or kind == "folder":
            return new([], [folder_info(uri, infos)], captioned, 0)
        return new([], [], 0, sum(bool(entry.image) for entry in entries))


def _tables(infos: Sequence[FileInfo], entries: Sequence[Entry], columns: ColumnSettings) -> list[FileInfo]:
    """The tars and tables in a folder, without the stats that img2dataset writes beside a tar, and without JSON files
    that are captions."""
    uris = {info.uri for info in infos}
    named = [info for info in infos if METADATA.search(info.uri)]
    with_pairs = {info for info in named if not is_metadata(info, uris, columns)}
    found = [info for info in infos if is_source(info.uri) or info in with_pairs]
    if any(entry.captioned for entry in entries):
        beside_pictures = {entry.about for entry in entries if entry.image} - {""}
        captions = {entry.about for entry in entries} if beside_pictures else set()
        found = [
            info
            for info in found
            if not _is_json(info) or (files.name(info.uri) not in captions and has_records(info.uri))
        ]
    stats = {info.uri.removesuffix(".tar") + "_stats.json" for info in found if info.uri.endswith(".tar")}
    return [info for info in found if info.uri not in stats]


def _repeating(
    tables: Sequence[FileInfo], kind: str, columns: ColumnSettings, list_folder: List
) -> dict[FileInfo, frozenset[str]]:
    """Parquet files without images that repeat what is in a tar, or in a folder of pictures with captions, of the same
    name; with their columns. On an object store, shards of img2dataset without any image have no folder.

    A file that cannot be opened is not among them.
    """
    if kind == "parquet":
        return {}
    tars = {info.uri.removesuffix(".tar") for info in tables if info.uri.endswith(".tar")}
    by_shard = {
        shard: info
        for info in tables
        if (shard := info.uri.removesuffix(".parquet")) != info.uri
        and (shard in tars or (kind == "auto" and _SHARD.search(info.uri)))
    }
    beside_tars = {shard: info for shard, info in by_shard.items() if shard in tars}
    others = {shard: info for shard, info in by_shard.items() if shard not in tars}
    found = without_images(list(beside_tars.values()), columns, alike=True)
    found |= without_images(list(others.values()), columns)
    names = {shard: found[info] for shard, info in by_shard.items() if info in found}
    beside_tar = tars & names.keys()
    of_img2dataset = {shard for shard in names.keys() - tars if names[shard] >= OF_IMG2DATASET}

    def has_pictures(shard: str) -> bool:
        return any(entry.captioned for entry in entries_of(list_folder(shard)))

    beside_pictures = {shard for shard in names.keys() - tars - of_img2dataset if has_pictures(shard)}
    if beside_pictures or any(map(has_pictures, sorted(of_img2dataset))):
        beside_pictures |= of_img2dataset
    return {by_shard[shard]: names[shard] for shard in sorted(beside_tar | beside_pictures)}


def _useless(
    tables: Sequence[FileInfo], kind: str, columns: ColumnSettings, planned: Collection[str]
) -> list[FileInfo]:
    """Tables of suffixes such as `.feather` without a caption or an image column, also files that are not Arrow."""
    if kind == "arrow":
        return []
    doubtful = [info for info in tables if TABLE_OF_ANYTHING.search(info.uri) and info.uri not in planned]

    def fits(uri: str) -> bool:
        from pipeline.sources.arrow import ArrowSource  # imports Arrow

        try:
            return Columns.fit(ArrowSource(FileInfo(uri, 0, 0.0), SourceSettings()).column_names(), columns)
        except SourceFault:
            return False
        except Exception:  # of any file system; whoever reads the file says what is wrong
            return True

    found = at_once(fits, [info.uri for info in doubtful])
    return [info for info, is_table in zip(doubtful, found, strict=True) if not is_table]


def _late(tables: Sequence[FileInfo], folder: str, planned: Collection[str]) -> list[FileInfo]:
    """Tables of suffixes such as `.feather` that a run does not have: it has other sources in or below the folder, and
    none with such a suffix."""
    found = [info for info in tables if TABLE_OF_ANYTHING.search(info.uri)]
    here = [uri for uri in planned if uri.startswith(uri_of(folder))] if found else []
    return found if here and not any(map(TABLE_OF_ANYTHING.search, here)) else []


def without_images(
    tables: Sequence[FileInfo], columns: ColumnSettings, alike: bool = False
) -> dict[FileInfo, frozenset[str]]:
    """The parquet files that have no image column, with their columns. A file that cannot be opened is not among them.

    alike: those of one folder with names as img2dataset's are alike if it wrote them: only the first one is opened, and
    those that are much larger, which could have images.
    """
    known: dict[FileInfo, list[str] | None] = {}
    of_shards: dict[str, FileInfo] = {}  # the first one by folder
    if alike:
        for info in tables:
            if _SHARD.search(info.uri):
                of_shards.setdefault(files.parent(info.uri), info)
        _open(of_shards.values(), known)
    for info in tables:
        first = of_shards.get(files.parent(info.uri)) if _SHARD.search(info.uri) else None
        names = known.get(first) if first and info.size <= _MUCH_LARGER * first.size else None
        if names and OF_IMG2DATASET.issubset(names) and not Columns.has_image(names, columns):
            known[info] = names
    _open([info for info in tables if info not in known], known)
    found = ((info, known[info]) for info in tables)
    return {info: frozenset(names) for info, names in found if names and not Columns.has_image(names, columns)}


def _open(tables: Collection[FileInfo], known: dict[FileInfo, list[str] | None]) -> None:
    """Adds the columns of tables to those that are known."""
    known.update(zip(tables, at_once(_columns_of, [info.uri for info in tables]), strict=True))


def _columns_of(uri: str) -> list[str] | None:
    """The columns of a parquet file. None if it cannot be opened."""
    from pipeline.sources.parquet import ParquetSource  # imports Arrow

    try:
        return ParquetSource(FileInfo(uri, 0, 0.0), SourceSettings()).column_names()
    except (SourceFault, OSError, ValueError):
        return None


def _planned_in(folder: str, planned: Collection[str]) -> list[FileInfo]:
    """Those of the planned sources that are in the folder, or below it."""
    found = []
    for uri in sorted(planned):
        if uri.startswith(uri_of(folder)):
            place = uri.rstrip("/") if uri.endswith("/") else files.parent(uri)
            infos = _list(place)
            if infos and uri.endswith("/"):
                found.append(folder_info(place, infos))
            found += [info for info in infos if info.uri == uri]
    return found


def at_once(work: Callable[[str], Result], uris: Sequence[str]) -> list[Result]:
    """The result for each URI of a folder; on an object store several at a time."""
    return map_in_threads(work, uris) if uris and not files.is_local(uris[0]) else list(map(work, uris))


def _list(folder: str) -> list[FileInfo]:
    return files.list_tree(folder, deep=False).get(folder, [])


def _without_copies(tables: Sequence[FileInfo]) -> list[FileInfo]:
    """One file of each table that is there both as it is and compressed, or compressed in two ways: the former, if
    there is one, else the first."""
    forms: dict[str, FileInfo] = {}
    for info in sorted(tables, key=lambda info: unpacked_name(info.uri) != info.uri):
        forms.setdefault(unpacked_name(info.uri), info)
    kept = set(forms.values())
    return [info for info in tables if info in kept]


def _without(infos: Sequence[FileInfo], others: Collection[FileInfo]) -> list[FileInfo]:
    """Those that are not among others. A folder may have a hundred thousand of both."""
    others = set(others)
    return [info for info in infos if info not in others]


def _is_json(info: FileInfo) -> bool:
    return info.uri.lower().endswith(".json")


def _and_above(place: str, top: str) -> Iterator[str]:
    """A folder below `top`, and those above it up to `top`."""
    while place != top:
        yield place
        place = files.parent(place)
    yield top


def _is_run(folder: str, tree: Tree) -> bool:
    """Whether a folder is a run folder, such as the output of this very run."""

    def has(place: str, name: str) -> bool:
        return any(files.name(info.uri) == name for info in tree.get(place, ()))

    is_packed = has(folder, layout.MANIFEST) and f"{folder}/{layout.SHARDS}" in tree
    return is_packed or has(f"{folder}/{layout.DETECTIONS}", layout.PLAN)
