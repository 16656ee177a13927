import bz2
import gzip
import io
import lzma
import random
from collections.abc import Iterator

import pytest
from apache_beam.io.filesystem import BeamIOError
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressionParameters, ZstdCompressor

from pipeline.faults import SourceFault
from pipeline.files.unpack import DAMAGED, ForwardFile, unpacked

NOISE = random.Random(1)
DATA = b"".join(NOISE.randbytes(700) + b"x" * NOISE.randrange(3000) for _ in range(400))
PACKED = {"gzip": gzip.compress(DATA, mtime=0), "zstd": ZstdCompressor(write_checksum=True).compress(DATA)}
KINDS = pytest.mark.parametrize("kind", PACKED)


def opened(packed: bytes) -> ForwardFile:
    stream = unpacked(io.BytesIO(packed))
    assert isinstance(stream, ForwardFile)
    return stream


def everything(stream: ForwardFile, steps: list[int]) -> tuple[bytes, str]:
    """Reads in repeated steps. Returns the data and the text of the error, if any."""
    pieces = []
    try:
        while True:
            for step in steps:
                piece = stream.read(step)
                pieces.append(piece)
                if not piece:
                    return b"".join(pieces), ""
    except EOFError as error:
        return b"".join(pieces), str(error)


@KINDS
@given(steps=st.lists(st.integers(1, 90_000), min_size=1, max_size=5).filter(lambda steps: sum(steps) > 1000))
def test_any_steps_give_the_same_bytes(kind: str, steps: list[int]) -> None:
    assert everything(opened(PACKED[kind]), steps) == (DATA, "")


@KINDS
@given(places=st.lists(st.integers(0, len(DATA) + 10), min_size=1, max_size=6))
def test_any_place_can_be_gone_to(kind: str, places: list[int]) -> None:
    stream = opened(PACKED[kind])
    for place in places:
        assert stream.seek(place) == min(place, len(DATA))
        assert stream.read(10) == DATA[place : place + 10]
        assert stream.tell() == min(place + 10, len(DATA))


@pytest.mark.parametrize("damage", ["cut", "garbage in it", "garbage behind it"])
@pytest.mark.parametrize("start", [0, 1, 40_000, 65_536])
@pytest.mark.parametrize("steps", [[*[1] * 99, 10_000], [511], [100_000], pytest.param([1], marks=pytest.mark.slow)])
@KINDS
def test_a_damaged_stream_breaks_at_the_same_byte_wherever_reading_began(
    kind: str, damage: str, start: int, steps: list[int]
) -> None:
    whole_file = PACKED[kind]
    half = len(whole_file) // 2
    packed = {
        "cut": whole_file[:half],
        "garbage in it": whole_file[:half] + b"garbage" * 9 + whole_file[half + 63 :],
        "garbage behind it": whole_file + b"garbage",
    }[damage]
    whole, ending = everything(opened(packed), [4096])
    assert ending == DAMAGED.format(kind)
    assert len(whole) > start
    stream = opened(packed)
    stream.seek(start)
    assert everything(stream, steps) == (whole[start:], DAMAGED.format(kind))


@pytest.mark.parametrize(("kind", "padding"), [("gzip", 100), ("zstd", 0)])
def test_several_streams_in_one_file_are_one(kind: str, padding: int) -> None:
    assert everything(opened(PACKED[kind] * 2 + bytes(padding)), [5000]) == (DATA + DATA, "")


@pytest.mark.parametrize(("name", "packed"), [("xz", lzma.compress(DATA)), ("bzip2", bz2.compress(DATA))])
def test_other_compressions_are_refused_by_their_name(name: str, packed: bytes) -> None:
    with pytest.raises(
        SourceFault, match=f"^compressed with {name}, which is not read; unpack it, or compress it with"
    ):
        unpacked(io.BytesIO(packed))


class Breaking(io.BytesIO):
    """A file whose connection fails after some bytes."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(data)
        self.error = error

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 100_000:
            raise self.error
        return super().read(size)


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("timed out"),
        ConnectionResetError(104, "reset"),
        BeamIOError("503"),
        OSError("no errno"),
        EOFError("cut connection"),
        ValueError("not of any file system"),
    ],
    ids=lambda error: type(error).__name__,
)
@KINDS
def test_a_fault_of_the_network_is_no_damage_and_no_end(kind: str, error: Exception) -> None:
    stream = unpacked(Breaking(PACKED[kind], error))
    for _ in range(3):
        with pytest.raises(type(error)) as raised:
            list(iter(lambda: stream.read(4096), b""))
        assert raised.value is error


@pytest.mark.parametrize("log", [28, 31])
def test_a_window_of_zstd_that_is_too_large_is_told_with_the_cure(log: int) -> None:
    parameters = ZstdCompressionParameters(window_log=log, enable_ldm=True)
    compressor = ZstdCompressor(compression_params=parameters).compressobj()
    packed = compressor.compress(DATA) + compressor.flush()
    cure = "unpack it with zstd -d --long=31, and compress it without --long"
    assert everything(opened(packed), [5000]) == (
        b"",
        f"compressed by zstd with a window of more than 128 MiB; {cure}",
    )


@pytest.mark.parametrize("nibble", [0x0, 0xE, 0xF])
def test_zstd_may_begin_with_frames_to_be_skipped(nibble: int) -> None:
    skipped = (0x184D2A50 + nibble).to_bytes(4, "little") + (9).to_bytes(4, "little") + b"anything."
    assert everything(opened(skipped * 2 + PACKED["zstd"] + skipped), [5000]) == (DATA, "")


@given(places=st.lists(st.integers(0, 30 << 20), min_size=1, max_size=8))
def test_going_back_8_mib_reads_nothing_again(places: list[int]) -> None:
    content = b"".join(bytes([n % 251]) * 65_536 for n in range(480))
    starts = 0

    def blocks() -> Iterator[bytes]:
        nonlocal starts
        starts += 1
        return (content[at : at + 50_000] for at in range(0, len(content), 50_000))

    stream = ForwardFile(blocks)
    for place in places:
        stream.seek(place)
        before, far = starts, min(place, len(content)) - (7 << 20)
        for nearby in (place, max(far, 0), place - 1 if place else 0, place):
            stream.seek(nearby)
            assert stream.read(70_000) == content[nearby : nearby + 70_000]
        assert starts == before
