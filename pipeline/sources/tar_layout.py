"""How a tar names and orders its members, if not as webdataset does: found before it is read, and part of positions.

A tar as img2dataset and webdataset write it is recognised by its first members, and nothing more is read.
"""

from collections import Counter
from collections.abc import Collection
from itertools import groupby, islice
from typing import Any

from pipeline.configuration import MemberSettings, SourceSettings
from pipeline.sources import json_text
from pipeline.sources.member_names import MemberNames, digest, shown
from pipeline.sources.tar_index import MAX_MEMBERS, TarIndex
from pipeline.sources.tar_members import Gap, Member, TarReader

NAMES, JOINED = "members", "joined"
"""Keys of positions: values of `source.members` that were found, and whether members are joined (see `TarIndex`)."""

_MAX_GZIPPED = 1000
"""Members of a gzipped tar that are looked at: without unpacking, no header can be reached."""

_FIRST_COMPLETE = 2
"""Samples at the start that can be adjacent by chance, though those after them are not."""

_FIRST_KEYS = 4
"""Samples at the start in which two images of one key are looked for. A tar that has such keys has them throughout."""

_MAX_JSON = 1 << 24
_MAX_EXTENSION = 60


def find_layout(tar: TarReader, settings: SourceSettings) -> dict[str, Any]:
    """The part of a position that says how to read the tar. Empty if its samples are adjacent and named as usual.

    Raises:
      NotATar: as `TarReader.members`.
    """
    layout: dict[str, Any] = {}
    names = MemberNames(settings.members)
    if settings.members == MemberSettings():
        most = MAX_MEMBERS if tar.plain else _MAX_GZIPPED
        if found := _find_names(tar, settings.columns.caption, most):
            layout[NAMES] = found
            names = names_of(layout, settings)
    if tar.plain and _is_to_join(tar, names):
        layout[JOINED] = True
    return layout


def names_of(layout: dict[str, Any], settings: SourceSettings) -> MemberNames:
    """The names of the tar's members. layout: what `find_layout` returned, or a position that contains it."""
    if NAMES in layout:
        return MemberNames(MemberSettings.model_validate(layout[NAMES]), keep_usual=True)
    return MemberNames(settings.members)


def two_images(tar: TarReader, names: MemberNames) -> str:
    """A line about two images of one key and fewer texts, if one of the first samples has them; else "".

    Each image is a sample, so one of them has no caption.
    """
    members = (member.name for member in tar.members(0, lambda _: 0) if isinstance(member, Member))
    used = (name for name in members if names.split(name).role and not name.rpartition("/")[2].startswith("._"))
    for _, same_key in islice(groupby(used, lambda name: names.split(name).key), _FIRST_KEYS):
        images: dict[str, str] = {}  # by extension
        texts: Counter[str] = Counter()
        for name in same_key:
            _, role, extension, rank = names.split(name)
            if role != "image":
                texts[role] += 1
            elif not rank:
                images.setdefault(extension, shown(name))
        if texts and len(images) > max(texts.values()):
            (first, one), (_, other) = islice(images.items(), 2)
            cure = f"name the extension of the image, for example source.members.image={first}"
            return f"{one} and {other}: two images with one key, of which only one gets the caption; {cure}"
    return ""


def _is_to_join(tar: TarReader, names: MemberNames) -> bool:
    """Whether joining completes samples, and no key has several images or texts, as in two tars made one whose keys
    both begin at 0: a key that each has once could join the image of one with the text of the other.

    Ends as soon as most of the samples so far are complete without joining, or a key has several images or texts.
    """
    index = TarIndex(names)
    for member in tar.members(0, lambda _: 0):
        index.add(member)
        is_ordered = index.complete > index.incomplete + _FIRST_COMPLETE
        if is_ordered or index.repeat or index.members > MAX_MEMBERS:  # a repeat stays one, whatever follows
            return False
    index.finish()
    return index.joined > 0 and not index.repeated


def _find_names(tar: TarReader, captions: Collection[str], most: int) -> dict[str, Any]:
    """Values of `source.members` for a tar none of whose images has a role with the usual names. Empty if they are not
    unique, if files of another kind have the keys of the images (which could be the mask of a HEIC image), or if there
    are texts and JSON that could both have the captions.

    captions: fields of the JSON that are captions. most: number of members to look at.
    """
    usual, last_dot = MemberNames(MemberSettings()), MemberNames(MemberSettings(key_end="last_dot"))
    roles: set[str] = set()
    extensions: dict[str, set[str]] = {"image": set(), "txt": set(), "json": set()}
    keys: dict[bool, set[bytes]] = {True: set(), False: set()}  # with the last dot: of images, of texts
    of_images: set[bytes] = set()
    of_others: set[bytes] = set()
    json_caption: bool | None = None  # of the first JSON with a usual name

    def max_bytes(name: str) -> int:
        return _MAX_JSON if json_caption is None and usual.split(name).role == "json" else 0

    for member in islice(tar.members(0, max_bytes), most):
        if isinstance(member, Gap) or member.name.rpartition("/")[2].startswith("."):
            continue
        key, role, extension, _ = usual.split(member.name)
        if role == "image":
            return {}
        if role:
            roles.add(role)
            if role == "json" and json_caption is None:
                json_caption = _has_caption(member.data, captions)
        elif (split := last_dot.split(member.name)).role:
            keys[split.role == "image"].add(digest(split.key))
            if split.role == "image":
                of_images.add(digest(key))
            if len(extensions[split.role]) < 2:
                extensions[split.role].add(_position_text(extension))
        else:
            of_others.add(digest(key))
    image, text, json = (_only(extensions[role]) for role in ("image", "txt", "json"))
    if not (image and text and _stem(image) != _stem(text)) and keys[True] & keys[False]:
        return {"key_end": "last_dot"}
    if not image or of_images & of_others:
        return {}
    found = {"image": [image]}
    if "txt" in roles or json_caption:
        return found
    if extensions["txt"] and extensions["json"]:
        return {}
    if text:
        found["caption"] = [text]
    elif json and not roles:
        found["metadata"] = [json]
    return found


def _has_caption(data: bytes, captions: Collection[str]) -> bool:
    try:
        value = json_text.parse(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and any(name in value for name in captions)


def _position_text(extension: str) -> str:
    return extension if len(extension) <= _MAX_EXTENSION and extension.isprintable() else ""


def _only(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""


def _stem(extension: str) -> str:
    return extension.rpartition(".")[0]
