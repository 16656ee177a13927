"""Reading shards, without a run: the tar reader beside `tarfile`."""

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gritmill import reading
from gritmill.reading import _HashedFile, _members
from pipeline.pack.tar_writer import TarWriter


def tar_of(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with TarWriter(target) as tar:
        for name, data in members.items():
            tar.add(name, data)
    return target.getvalue()


def read(data: bytes) -> tuple[list[tuple[str, bytes]], str]:
    with ThreadPoolExecutor(1) as thread:
        file = _HashedFile(io.BytesIO(data), thread)
        found = [(f"{key}.{ending}", content) for key, ending, content in _members(file)]
        while file.read(1000):
            pass
        assert file.size == len(data)
        return found, file.sha256


@given(st.lists(st.integers(0, 3000), max_size=6), st.integers(512, 2048))
def test_members_are_those_of_tarfile_whatever_the_blocks(sizes: list[int], block: int) -> None:
    data = tar_of({f"{number:09}.jpg": bytes([number + 1]) * size for number, size in enumerate(sizes)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_BLOCK", block)
        found, digest = read(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert found == [(one.name, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]
    assert digest == sha256(data).hexdigest()


@given(st.integers(0, 4000))
def test_a_tar_that_is_cut_within_a_member_is_refused(size: int) -> None:
    members = {"000000000.jpg": b"a" * 700, "000000000.json": b"b" * 512}
    complete = [0, *range(1212, 1537), *range(2560, 4001)]  # 1536: the end of the first one
    with nullcontext() if size in complete else pytest.raises(ValueError, match=r"it ends at|no header that pack"):
        found, _ = read(tar_of(members)[:size])
        assert found == [*members.items()][: (size >= 1212) + (size >= 2560)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (slice(124, 136), b"-0000001000\0"),  # a reader that goes back reads the same header for ever
        (slice(124, 136), b" 0000000001\0"),
        (slice(124, 136), b"0000000_001\0"),
        (slice(124, 136), b"\x80" + (1 << 33).to_bytes(11)),  # GNU: 8 GiB
        (slice(156, 157), b"x"),  # PAX
        (slice(156, 157), b"2"),  # a link
    ],
)
def test_a_header_that_pack_does_not_write_is_refused(field: slice, value: bytes) -> None:
    data = bytearray(tar_of({"000000000.jpg": b"a"}))
    data[field] = value
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + 8 * ord(" ") + sum(data[156:512]))
    with pytest.raises(ValueError, match="no header that pack writes at byte 0"):
        read(bytes(data))


@pytest.mark.parametrize("byte", [0, 50, 124, 148, 257, 300])
def test_a_damaged_header_is_refused(byte: int) -> None:
    data = bytearray(tar_of({"000000000.jpg": b"a"}))
    data[byte] ^= 64
    with pytest.raises(ValueError, match="no header that pack writes at byte 0"):
        read(bytes(data))
