"""Finds the sources in a folder that `--input` names.

If tars or tables are directly in a folder, they are its sources, and no folder below it is looked at: its pictures may
be those that a table names. If one is there both as it is and compressed, it is one source. Otherwise the pictures of
the folder are a source if at least one of them has a caption beside it, and the folders below it are searched in the
same way, except hidden ones and run folders of gritmill.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline import files, layout
from pipeline.files import FileInfo
from pipeline.source_kinds import unpacked_name
from pipeline.sources import is_source
from pipeline.sources.folder import Entry, entries_of, folder_info
from pipeline.sources.json_records import has_records
from transforms.wording import counted

Tree = Mapping[str, list[FileInfo]]
"""Files by folder."""

_SHARD = re.compile(r"/[0-9]{5,}\.parquet\Z")
"""The end of the URI of a parquet file of img2dataset. Beside a tar or folder of its name, it repeats what is in there.
"""


def find_in_folder(folder: str, kind: str, tell: Callable[[str], None]) -> list[FileInfo]:
    """The sources in a folder. Empty if it does not exist.

    Args:
      kind: `source.kind`. "auto": as above. "folder": only pictures are sources, also those without captions. Other
        kinds: only tars and tables are.
      tell: receives a line about pictures and compressed copies that are left out.

    Raises:
      CallError: there is no permission to read a folder.
    """
    folder = folder.rstrip("/") or "/"
    top = _Place.look(folder, files.list_tree(folder, deep=False).get(folder, []), kind, set())
    if top.tables and not any(_SHARD.search(info.uri) for info in top.tables):
        places = [top]
    else:
        tree = files.list_tree(folder)
        folders = {above for place in tree for above in _and_above(place, folder)}
        runs = {place for place in folders - {folder} if _is_run(place, tree)}
        outside = [place for place in tree if runs.isdisjoint(_and_above(place, folder))]
        outside.sort(key=lambda place: place.split("/"))  # each folder is followed by those below it
        places = [_Place.look(place, tree[place], kind, folders) for place in outside]
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
    if captionless := [place for place in searched if place.captionless]:
        number = counted(sum(place.captionless for place in captionless), "picture")
        where = f"{counted(len(captionless), 'folder')} without captions, first {captionless[0].uri}"
        tell(f"left out: {number} in {where}; a caption is a .txt, .caption or .json beside its picture")
    return found


@dataclass(frozen=True)
class _Place:
    """A folder. tables: tars and tables in it. pictures: itself as a source, if it is one. captioned: its pictures with
    captions. captionless: its pictures, if they are no part of a source. copies: compressed forms of its tables."""

    uri: str
    tables: list[FileInfo]
    pictures: list[FileInfo]
    captioned: int
    captionless: int
    copies: Sequence[FileInfo] = ()

    @classmethod
    def look(cls, uri: str, infos: Sequence[FileInfo], kind: str, folders: set[str]) -> "_Place":
        """What is directly in a folder. infos: its files. folders: all that exist."""
        entries = entries_of(infos)
        captioned = sum(entry.captioned for entry in entries)
        all_tables = _tables(infos, entries, folders) if kind != "folder" else []
        tables = _without_copies(all_tables)
        if tables or kind not in ("auto", "folder") or not entries:
            copies = [info for info in all_tables if info not in tables]
            return cls(uri, tables, [], captioned, 0, copies)
        if captioned or kind == "folder":
            return cls(uri, [], [folder_info(uri, infos)], captioned, 0)
        return cls(uri, [], [], 0, sum(bool(entry.image) for entry in entries))


def _tables(infos: Sequence[FileInfo], entries: Sequence[Entry], folders: set[str]) -> list[FileInfo]:
    """The tars and tables in a folder, without what img2dataset writes beside a tar or folder of pictures: a parquet
    and a stats file of the same name. Without JSON files that are captions, too."""
    found = [info for info in infos if is_source(info.uri)]
    if any(entry.captioned for entry in entries):
        beside_pictures = {entry.about for entry in entries if entry.image} - {""}
        captions = {entry.about for entry in entries} if beside_pictures else set()
        found = [
            info
            for info in found
            if not _is_json(info) or (files.name(info.uri) not in captions and has_records(info.uri))
        ]
    shards = {info.uri.removesuffix(".tar") for info in found if info.uri.endswith(".tar")}
    of_shards = {info.uri.removesuffix(".parquet") for info in found if _SHARD.search(info.uri)}
    if not folders.isdisjoint(of_shards):  # on an object store, shards without any image have no folder
        shards |= of_shards
    sidecars = {f"{shard}{ending}" for shard in shards for ending in (".parquet", "_stats.json")}
    return [info for info in found if info.uri not in sidecars]


def _without_copies(tables: Sequence[FileInfo]) -> list[FileInfo]:
    """One file of each table that is there both as it is and compressed, or compressed in two ways: the former, if
    there is one, else the first."""
    forms: dict[str, FileInfo] = {}
    for info in sorted(tables, key=lambda info: unpacked_name(info.uri) != info.uri):
        forms.setdefault(unpacked_name(info.uri), info)
    kept = set(forms.values())
    return [info for info in tables if info in kept]


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
