"""Offsets of the members of each sample of a plain tar, from its headers, even if the members are not adjacent."""

from collections import Counter
from collections.abc import Iterable

from pipeline.sources.member_names import ROLES, MemberName, MemberNames, digest, is_image_name, shown, starts_sample
from pipeline.sources.tar_members import Gap, Member

MAX_MEMBERS = 400_000
"""Members that are joined, some 250 bytes each. COCO's 118,287 images with a text and a JSON file each are fewer."""

Offsets = tuple[int, int, int]
"""The header offsets of the members of a sample, in the order of `ROLES`; -1 for a role that it lacks."""

_NONE = -1


class TarIndex:
    """Add all members of the tar, then call `finish`.

    Adjacent members with the same key are a group, as in a sorted tar. Groups with the same key are joined if together
    they have each role at most once. Otherwise nobody knows which of them belong together, and they stay apart.

    members: number of members with a role. complete, incomplete: groups so far, by whether they have an image and
    another role. joined: keys whose groups were joined; repeated, repeat: number and first of those that stay apart.
    gaps, gap: number and first text of places that could not be read. strays, stray: number and first of images
    without a sample. usual: the roles of most samples.
    """

    def __init__(self, names: MemberNames) -> None:
        self._names = names
        self._groups: dict[bytes, Offsets | list[Offsets]] = {}
        self._strays: dict[bytes, tuple[str, int]] = {}  # by key: the first one, and their number
        self._key: bytes | None = None
        self._last: MemberName | None = None
        self._shown_key = ""
        self._current: list[int] = []
        self._ranks: dict[str, int] = {}
        self._is_complete = False
        self.members = self.complete = self.incomplete = self.joined = self.gaps = self.strays = self.repeated = 0
        self.gap = self.stray = self.repeat = ""
        self.usual: tuple[str, ...] = ()

    @classmethod
    def of(cls, members: Iterable[Member | Gap], names: MemberNames) -> "TarIndex":
        """The finished index of all members."""
        index = cls(names)
        for member in members:
            index.add(member)
        index.finish()
        return index

    def add(self, member: Member | Gap) -> None:
        """Adds the next member of the tar."""
        if isinstance(member, Gap):
            self.gaps += 1
            self.gap = self.gap or member.text
            return
        base = member.name.rpartition("/")[2]
        if base.startswith("._"):
            return
        name = self._names.split(member.name)
        key, role, _, rank = name
        if not role:
            if is_image_name(base) and len(self._strays) < MAX_MEMBERS:
                hashed = digest(member.name if base.startswith(".") else key)
                first, number = self._strays.get(hashed, (shown(member.name), 0))
                self._strays[hashed] = first, number + 1
            return
        self.members += 1
        hashed = digest(key)
        if self._last is None or starts_sample(name, self._ranks, self._last):
            self._end_group()
            self._key, self._current, self._ranks = hashed, [_NONE] * len(ROLES), {}
            self._shown_key, self._is_complete = key, False
        self._last = name
        if rank <= self._ranks.get(role, rank):
            self._current[ROLES.index(role)] = member.header_offset
            self._ranks[role] = rank
        if not self._is_complete and "image" in self._ranks and len(self._ranks) > 1:
            self._is_complete = True
            self.complete += 1

    def finish(self) -> None:
        """Joins the groups, and counts what remains."""
        self._end_group()
        patterns: Counter[tuple[bool, ...]] = Counter()
        for key, groups in self._groups.items():
            if isinstance(groups, list):
                if _overlap(groups):
                    self.repeated += not all(map(_complete, groups))
                    continue
                groups = _union(groups)
                self._groups[key] = groups
                self.joined += 1
            patterns[tuple(offset != _NONE for offset in groups)] += 1
        if patterns:
            most = max(sorted(patterns), key=patterns.__getitem__)
            self.usual = tuple(role for role, present in zip(ROLES, most, strict=True) if present)
        strays = [stray for key, stray in self._strays.items() if key not in self._groups]
        self.strays = sum(number for _, number in strays)
        self.stray = next((name for name, _ in strays), "")

    def samples(self) -> list[tuple[int, Offsets]]:
        """The samples in reading order, each with its place: the offset of its image, else of its first member."""
        listed = (groups if isinstance(groups, list) else [groups] for groups in self._groups.values())
        return sorted((_place(group), group) for groups in listed for group in groups)

    def _end_group(self) -> None:
        if self._key is None:
            return
        self.incomplete += not self._is_complete
        image, text, json = self._current
        group = (image, text, json)
        earlier = self._groups.get(self._key)
        if earlier is None:
            self._groups[self._key] = group
        else:
            groups = earlier if isinstance(earlier, list) else [earlier]
            groups.append(group)
            self._groups[self._key] = groups
            if not (self.repeat or all(map(_complete, [*groups[:4], group]))) and _overlap(groups[:4]):
                self.repeat = shown(self._shown_key)
        self._key = None


def _overlap(groups: list[Offsets]) -> bool:
    """Whether two of the groups have the same role."""
    return any(sum(offset != _NONE for offset in offsets) > 1 for offsets in zip(*groups, strict=True))


def _complete(group: Offsets) -> bool:
    return group[0] != _NONE and max(group[1:]) != _NONE


def _union(groups: list[Offsets]) -> Offsets:
    image, text, json = (max(offsets) for offsets in zip(*groups, strict=True))
    return image, text, json


def _place(group: Offsets) -> int:
    return group[0] if group[0] != _NONE else min(offset for offset in group if offset != _NONE)
