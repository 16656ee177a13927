"""WebDataset tars, as img2dataset writes them: image, `.txt` and `.json` of a sample next to each other, in any order.

Plain or gzipped, told by the first bytes. Headers are read one by one: tarfile's own iteration ends without a word at a
header that is broken or cut.
"""

import gzip
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

from pipeline import files
from pipeline.configuration import SourceSettings
from pipeline.faults import SourceFault
from pipeline.files import FileInfo
from pipeline.sources.base import Position, RangeSpec, captions_of, clean, meta
from transforms.records import Fault, ImageRef, Pair, Reason, Stage

IMAGES = frozenset(["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "ppm", "pgm", "pbm", "pnm"])

_WHOLE = {"image", "txt", "json"}
_BUFFER = 1 << 20


@dataclass
class _Sample:
    """The members of one sample read so far."""

    key: str
    offset: int
    image: ImageRef | None = None
    data: bytes = b""
    text: bytes | None = None
    json: bytes | None = None
    names: set[str] = field(default_factory=set)

    def add(self, role: str, data: bytes, place: ImageRef) -> None:
        """Takes a member in: an "image", a "txt" or a "json"."""
        self.names.add(role)
        if role == "image":
            self.image, self.data = place, data
        elif role == "txt":
            self.text = data
        else:
            self.json = data


class WebDatasetSource:
    """A position holds `offset` (the first member's header, in the unpacked tar) and `index`."""

    def __init__(self, info: FileInfo, settings: SourceSettings) -> None:
        self.uri = info.uri
        self.settings = settings

    def ranges(self, rows: int) -> list[RangeSpec]:
        """The whole tar. Its first header is read, so that a file that is no tar is found before anything starts."""
        for _ in self._members(0, load=False):
            break
        return [RangeSpec({"offset": 0, "index": 0}, None)]

    def starts(self, start: Position) -> Iterator[Position]:
        """By going from header to header."""
        for index, sample in enumerate(self._samples(start["offset"], load=False), start["index"]):
            yield {"offset": sample.offset, "index": index}

    def read(self, start: Position) -> Iterator[tuple[Position, Pair]]:
        """Streams the tar from `start` on."""
        for index, sample in enumerate(self._samples(start["offset"], load=True), start["index"]):
            yield {"offset": sample.offset, "index": index}, self._pair(sample, index)

    def _samples(self, offset: int, load: bool) -> Iterator[_Sample]:
        """Members of one key that lie next to each other. A sample that a fault has cut is not given out."""
        current: _Sample | None = None
        usual, strays = _WHOLE, _Strays()
        try:
            for member, data, at in self._members(offset, load):
                key, role = split_name(member.name)[0], role_of(member.name)
                strays.meet(key, role, member.name, current.key if current else "")
                if not role:
                    continue
                # A second image or text under one key is another sample: duplicate keys never overwrite one another.
                if current is None or key != current.key or role in current.names:
                    if current:
                        usual = current.names
                        yield current
                    current = _Sample(key, at)
                current.add(role, data, ImageRef(self.uri, -1, at + member.offset_data - member.offset, member.size))
        except _Cut as cut:
            # Where the next member's name is not known, a sample counts as whole if it has what others of its tar have.
            whole = usual if cut.key is None else set()
            if current and cut.key != current.key and current.names >= whole:
                yield current
            raise SourceFault(str(cut)) from cut
        if current:
            yield current
        if strays.count:
            raise SourceFault(f"{strays.count} images have a second dot in their name and no sample of their key")

    def _pair(self, sample: _Sample, index: int) -> Pair:
        pair = Pair(key=sample.key, source=self.uri, index=index, caption="")
        try:
            row = json.loads(sample.json) if sample.json is not None else {}
            if not isinstance(row, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            return clean(pair.failed(Fault.of(Stage.READ, Reason.BROKEN_ROW, f"{sample.key}.json: {error}")))
        wanted = self.settings.columns
        told = next((row[name] for name in wanted.caption if name in row), None)
        caption = sample.text.decode("utf-8", "surrogateescape") if sample.text is not None else captions_of(told)[0]
        pair = replace(
            pair,
            caption=caption or "",
            url=_first(row, wanted.url),
            id=_first(row, wanted.id),
            meta=meta(row, [name for name in wanted.caption if row.get(name) == caption]),
        )
        if sample.image is None:
            return clean(pair.failed(Fault(Stage.READ, Reason.NO_IMAGE, "no image of that key beside it")))
        return clean(replace(pair, image=sample.image, data=sample.data))

    def _members(self, offset: int, load: bool) -> Iterator[tuple[tarfile.TarInfo, bytes, int]]:
        """Regular members from `offset` on, with their bytes and the place of their header; `load=False`: no bytes."""
        at, started = offset, False
        key: str | None = None
        try:
            with files.open_read(self.uri) as raw, files.unpacked(raw) as stream:
                stream.seek(offset)
                mode = "r|" if load or stream is not raw else "r:"
                with tarfile.open(fileobj=_From(stream), mode=mode, bufsize=_BUFFER) as tar:  # type: ignore[call-overload]
                    member = _sound(tar.firstmember) if tar.firstmember else None
                    while member is not None:
                        at, started, key = offset + member.offset, True, split_name(member.name)[0]
                        if member.isreg():
                            wanted = load and role_of(member.name)
                            yield member, _content(tar, member) if wanted else b"", at
                        key = None
                        tar.members.clear()  # type: ignore[attr-defined]
                        at = offset + tar.offset
                        member = _next(tar)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            what = f"cut or broken at byte {at}" if started or offset else "not a tar"
            raise _Cut(f"{what}: {error}", key) from error


class _Strays:
    """Counts images that WebDataset takes for no sample: `photo.v1.jpg`, without a sample `photo` beside it."""

    def __init__(self) -> None:
        self._before = 0
        self._last = ""

    def meet(self, key: str, role: str, name: str, current: str) -> None:
        """Takes note of a member; `current`: the key of the sample before it."""
        if key != self._last:
            self._before += bool(self._last)
            self._last = ""
        image = name.rpartition(".")[2].lower() in IMAGES
        self._last = key if image and not role and key != current else "" if role else self._last

    @property
    def count(self) -> int:
        """Keys of such images so far."""
        return self._before + bool(self._last)


class _Cut(SourceFault):
    """Reading ends here: inside a member of sample `key`, or where no name can be read (None)."""

    def __init__(self, text: str, key: str | None) -> None:
        super().__init__(text)
        self.key = key


def split_name(name: str) -> tuple[str, str]:
    """A member's key and lower-case extension, as webdataset splits them: at the first dot of the base name."""
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def role_of(name: str) -> str:
    """What a member is to its sample: "image", "txt", "json", or "" for nothing of ours."""
    extension = split_name(name)[1]
    return "image" if extension in IMAGES else extension if extension in ("txt", "json") else ""


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if len(data) != member.size:
        raise tarfile.ReadError(f"{member.name}: {len(data)} of {member.size} bytes")
    return data


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next header; None at the end mark. A tar that just stops raises, as one that is cut does."""
    stream = cast(BinaryIO, tar.fileobj)
    stream.seek(tar.offset)
    if stream.tell() != tar.offset:
        raise tarfile.ReadError("it ends inside a member's last block")
    try:
        return _sound(tarfile.TarInfo.fromtarfile(tar))
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
        raise tarfile.ReadError("it ends without an end mark") from None


def _sound(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A member of negative size would lead back to itself (CVE-2025-8194)."""
    if member.size < 0:
        raise tarfile.ReadError(f"{member.name}: {member.size} bytes")
    return member


class _From:
    """The rest of a stream as a file of its own: tarfile wants to start at 0."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._base = stream.tell()

    def read(self, size: int = -1) -> bytes:
        # Of a gzip stream that is cut, read() raises and keeps what it had unpacked; read1() hands that out first.
        return cast(gzip.GzipFile, self._stream).read1(size) if size > 0 else self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset + self._base if whence == 0 else offset, whence) - self._base

    def tell(self) -> int:
        return self._stream.tell() - self._base


def _first(row: dict[str, Any], names: Iterable[str]) -> str:
    """The first of the fields that is there, as text."""
    value = next((row[name] for name in names if name in row), None)
    return "" if value is None else str(value)
