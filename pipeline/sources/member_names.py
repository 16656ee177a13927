"""The names of a tar's members: key, role and extension, as webdataset splits them, or as `source.members` says."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.configuration import MemberSettings
from pipeline.faults import escaped

IMAGES = frozenset(["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "ppm", "pgm", "pbm", "pnm"])

ROLES = ("image", "txt", "json")

_MAX_SHOWN = 60


class MemberName(NamedTuple):
    """A member's key, its role in its sample ("" for other files), and its lower-case extension.

    rank: place of the extension in its list of `source.members`, after the usual ones if they are kept; 0 if there is
    no list.
    """

    key: str
    role: str
    extension: str
    rank: int


class MemberNames:
    """Splits the names of members.

    keep_usual: the usual extensions keep their roles, and go before the listed ones. For lists that were found in a
    part of the tar: the rest can have other names.
    """

    def __init__(self, settings: MemberSettings, keep_usual: bool = False) -> None:
        roles: dict[str, tuple[str, int]] = {}
        for role, extensions in zip(ROLES, (settings.image, settings.caption, settings.metadata), strict=True):
            usual = IMAGES if role == "image" else [role]
            ranked = [(extension, 0) for extension in usual] if keep_usual or not extensions else []
            ranked += [(extension, rank) for rank, extension in enumerate(extensions, start=bool(ranked))]
            for extension, rank in ranked:
                roles.setdefault(extension, (role, rank))
        self._roles = roles
        self._last_dot = settings.key_end == "last_dot"
        self._compound = sorted((e for e in roles if "." in e), key=len, reverse=True)
        self._name = ""
        self._parts = MemberName("", "", "", 0)

    def split(self, name: str) -> MemberName:
        """The parts of a name. With a key that ends at the first dot, a base name that begins with one has no key."""
        if name is self._name:  # a reader asks twice for each member: whether to load it, and what it is
            return self._parts
        folder, slash, base = name.rpartition("/")
        stem, dot, extension = self._split_last(base) if self._last_dot else base.partition(".")
        extension = extension.lower()
        role, rank = self._roles.get(extension, ("", 0)) if stem and dot else ("", 0)
        self._name, self._parts = name, MemberName(f"{folder}{slash}{stem}", role, extension, rank)
        return self._parts

    def _split_last(self, base: str) -> tuple[str, str, str]:
        lower = base.lower()
        for extension in self._compound:
            if lower.endswith(f".{extension}"):
                at = len(base) - len(extension)
                return base[: at - 1], ".", base[at:]
        stem, dot, extension = base.rpartition(".")
        return (stem, dot, extension) if dot else (base, "", "")


def starts_sample(member: MemberName, ranks: Mapping[str, int], last: MemberName) -> bool:
    """Whether a member belongs to another sample than the member before it, the last one with a role.

    A second image or text with the same key starts a new sample, so that duplicate keys overwrite nothing. With another
    extension, it does so if its name goes back in the alphabet, over a member of another role: `a.txt a.jpg` are after
    `a.jpg a.txt` of another sample, but in order, `a.alt.txt a.jpg a.txt` are one.

    ranks: of the sample, by role.
    """
    if member.key != last.key or member.role not in ranks:
        return member.key != last.key
    return ranks[member.role] == member.rank or (member.role != last.role and member.extension < last.extension)


def is_image_name(name: str) -> bool:
    """Whether the last extension of a name is that of an image."""
    return name.rpartition("/")[2].rpartition(".")[2].lower() in IMAGES


def shown(name: str) -> str:
    """A name for messages and positions: printable, without its folder, at most 60 characters, its end if longer."""
    text = escaped(name.rpartition("/")[2])
    return text if len(text) <= _MAX_SHOWN else f"…{text[1 - _MAX_SHOWN :]}"


def digest(key: str) -> bytes:
    """Eight bytes for a key, which can have a million characters."""
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest()
