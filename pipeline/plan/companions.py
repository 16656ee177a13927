"""Files that match `--input` and have no pairs, because another one of them has these: what img2dataset writes beside
its shards, and COCO's annotations beside its captions.

A shell expands `out/*` to all files of a folder. `find_in_folder` leaves out the same ones, and more.
"""

import re
from collections.abc import Callable, Sequence

from pipeline import files
from pipeline.configuration import ColumnSettings
from pipeline.files import FileInfo
from pipeline.plan.find_in_folder import at_once, columns_of
from pipeline.source_kinds import METADATA, unpacked_name
from pipeline.sources.columns import Columns
from transforms.wording import counted

_CAPTIONS = re.compile(r"/captions_[^/]*\.json\Z")
_OTHER_ANNOTATIONS = re.compile(
    r"/(instances|person_keypoints|stuff|panoptic|image_info)_(train|val|test|unlabeled)[^/]*\.json\Z"
)
"""Names that COCO gives its annotations."""


def without_companions(
    infos: Sequence[FileInfo], kind: str, columns: ColumnSettings, tell: Callable[[str], None]
) -> list[FileInfo]:
    """The files that are sources.

    kind: `source.kind`. If it is not "auto", all are. tell: receives a line for each group that is left out.
    """
    if kind != "auto":
        return list(infos)
    uris = {unpacked_name(info.uri) for info in infos}

    def is_shard(uri: str) -> bool:
        return uri.endswith(".parquet") and not uris.isdisjoint(
            uri.removesuffix(".parquet") + end for end in (".tar", "/")
        )

    shards = [info for info in infos if is_shard(info.uri)]
    names = at_once(columns_of, [info.uri for info in shards])
    captions = {files.parent(info.uri) for info in infos if _CAPTIONS.search(info.uri)}
    groups = {
        "without pairs beside data": [info for info in infos if METADATA.search(info.uri)],
        "without images beside a tar or folder of the same name": [
            info
            for info, found in zip(shards, names, strict=True)
            if found is not None and not Columns.has_image(found, columns)
        ],
        "of COCO without captions beside one with captions": [
            info for info in infos if _OTHER_ANNOTATIONS.search(info.uri) and files.parent(info.uri) in captions
        ],
    }
    left_out = {info for group in groups.values() for info in group}
    if len(left_out) == len(infos):
        return list(infos)
    for what, group in groups.items():
        if group:
            tell(f"left out: {counted(len(group), 'file')} {what}, first {group[0].uri}")
    return [info for info in infos if info not in left_out]
