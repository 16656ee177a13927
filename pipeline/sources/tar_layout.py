"""How a tar names and orders its members, if not as webdataset does: found before it is read, and part of positions.

A tar as img2dataset and webdataset write it is recognised by its first members, and nothing more is read.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice, permutations
from typing import Any

from pipeline.configuration import MemberSettings, SourceSettings
from pipeline.sources import json_text
from pipeline.sources.member_names import MemberName, MemberNames, digest, shown, starts_sample
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

_MAX_NOTICED, _MAX_NOTICED_BYTES, _MAX_NOTICED_JSON = 64, 8 << 20, 1 << 18
"""Members, bytes of the unpacked tar, and bytes of a JSON that are read for that, at each start of a run."""

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


def two_images(tar: TarReader, names: MemberNames, captions: Collection[str]) -> str:
    """A line about two images of one key, of which only one gets a caption, if one of the first keys has them; else "".

    Each image is a sample. captions: fields of the JSON that are captions.
    """
    for members in islice(_first_keys(tar, names), _FIRST_KEYS):
        images = _image_samples(members, names, captions)
        for one, other in permutations(images, 2):
            extension = names.split(one).extension
            if images[one] and not images[other] and extension != names.split(other).extension:
                first, second = (shown(name) for name in images if name in (one, other))
                what = f"two images with one key, of which only {shown(one)} gets the caption"
                cure = f"set source.members.image={extension}, or to the other extension if the caption is about that"
                return f"{first} and {second}: {what}; {cure}"
    return ""


def _first_keys(tar: TarReader, names: MemberNames) -> Iterator[list[Member]]:
    """The members with a role of each of the first keys, with the bytes of small JSON. Ends within a limited number of
    members and bytes: a gzipped tar must be unpacked up to there."""
    key = ""
    members: list[Member] = []
    start = tar.start(_MAX_NOTICED_BYTES)
    found = start.members(0, lambda name: _MAX_NOTICED_JSON if names.split(name).role == "json" else 0)
    for number, member in enumerate(found):
        if isinstance(member, Gap) or number == _MAX_NOTICED:
            return  # the last key may have more members
        split = names.split(member.name)
        if split.role and not member.name.rpartition("/")[2].startswith("._"):
            if members and split.key != key:
                yield members
                members = []
            key = split.key
            members.append(member)
    if members:
        yield members


def _image_samples(members: Iterable[Member], names: MemberNames, captions: Collection[str]) -> dict[str, bool]:
    """The images that samples have, by name, with whether the sample has a caption. members: of one key."""
    samples: list[dict[str, Member]] = []  # by role
    ranks: dict[str, int] = {}
    last: MemberName | None = None
    for member in members:
        name = names.split(member.name)
        if last is None or starts_sample(name, ranks, last):
            samples.append({})
            ranks = {}
        if name.rank <= ranks.get(name.role, name.rank):
            samples[-1][name.role], ranks[name.role] = member, name.rank
        last = name

    def has_caption(sample: dict[str, Member]) -> bool:
        json = sample.get("json")
        return "txt" in sample or (json is not None and (bool(json.fault) or _has_caption(json.data, captions)))

    return {sample["image"].name: has_caption(sample) for sample in samples if "image" in sample}


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
