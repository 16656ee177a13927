"""Files that match `--input` and have no pairs, because another one of them has these: what img2dataset writes beside
its shards, and COCO's annotations beside its captions.

A shell expands `out/*` to all files of a folder. `find_in_folder` leaves out the same ones, and more.
"""

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial

from pipeline import files
from pipeline.configuration import ColumnSettings
from pipeline.files import FileInfo
from pipeline.plan.find_in_folder import NAME_IMAGES, at_once, without_images
from pipeline.plan.metadata import is_metadata, lacks_captions
from pipeline.source_kinds import METADATA, unpacked_name
from transforms.wording import counted

_CAPTIONS = re.compile(r"/captions_[^/]*\.json\Z")
_OTHER_ANNOTATIONS = re.compile(
    r"/(instances|person_keypoints|stuff|panoptic|image_info)_(train|val|test|unlabeled)[^/]*\.json\Z"
)
"""Names that COCO gives its annotations."""


def without_companions(
    infos: Sequence[FileInfo],
    kind: str,
    columns: ColumnSettings,
    tell: Callable[[str], None],
    planned: Collection[str] = (),
) -> list[FileInfo]:
    """The files that are sources.

    kind: `source.kind`. If it is not "auto", all are. tell: receives a line for each group that is left out.
    planned: URIs that are sources in any case.
    """
    if kind != "auto":
        return list(infos)
    uris = {unpacked_name(info.uri) for info in infos}
    others = [info for info in infos if info.uri not in planned]
    tables = {info: info.uri.removesuffix(".parquet") for info in others if info.uri.endswith(".parquet")}
    beside_tars = [info for info, shard in tables.items() if f"{shard}.tar" in uris]
    beside_folders = [info for info, shard in tables.items() if f"{shard}/" in uris and f"{shard}.tar" not in uris]
    shards = without_images(beside_tars, columns, alike=True) | without_images(beside_folders, columns)
    captions = {files.parent(info.uri) for info in infos if _CAPTIONS.search(info.uri)}
    annotations = [
        info for info in others if _OTHER_ANNOTATIONS.search(info.uri) and files.parent(info.uri) in captions
    ]
    named = [info for info in others if METADATA.search(info.uri)]
    metadata = _those(partial(is_metadata, uris=uris, columns=columns), named)
    annotations = _those(lacks_captions, annotations)
    groups = [
        ("without pairs beside data", "to read one, give it alone", metadata),
        ("without images beside a tar or folder of the same name", NAME_IMAGES, list(shards)),
        ("of COCO without captions beside one with captions", "source.kind=coco reads them, too", annotations),
    ]
    left_out = {info for *_, group in groups for info in group}
    if len(left_out) == len(infos):
        return list(infos)
    for what, cure, group in groups:
        if group:
            tell(f"left out: {counted(len(group), 'file')} {what}, first {min(info.uri for info in group)}; {cure}")
    return [info for info in infos if info not in left_out]


def _those(test: Callable[[FileInfo], bool], infos: Sequence[FileInfo]) -> list[FileInfo]:
    by_uri = {info.uri: info for info in infos}
    found = at_once(lambda uri: test(by_uri[uri]), list(by_uri))
    return [info for info, is_one in zip(by_uri.values(), found, strict=True) if is_one]
