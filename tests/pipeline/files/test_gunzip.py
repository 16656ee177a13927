import gzip
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.files.gunzip import DAMAGED, Gunzip

NOISE = random.Random(1)
DATA = b"".join(NOISE.randbytes(700) + b"x" * NOISE.randrange(3000) for _ in range(120))
PACKED = gzip.compress(DATA, mtime=0)


def everything(stream: Gunzip, steps: list[int]) -> tuple[bytes, str]:
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


@given(st.lists(st.integers(1, 90_000), min_size=1, max_size=5))
def test_any_steps_give_the_same_bytes(steps: list[int]) -> None:
    assert everything(Gunzip(io.BytesIO(PACKED)), steps) == (DATA, "")


@given(st.lists(st.integers(0, len(DATA) + 10), min_size=1, max_size=6))
def test_any_place_can_be_gone_to(places: list[int]) -> None:
    stream = Gunzip(io.BytesIO(PACKED))
    for place in places:
        assert stream.seek(place) == min(place, len(DATA))
        assert stream.read(10) == DATA[place : place + 10]
        assert stream.tell() == min(place + 10, len(DATA))


@pytest.mark.parametrize("damage", ["cut", "garbage in it", "garbage behind it"])
@pytest.mark.parametrize("start", [0, 1, 40_000, 65_536])
@pytest.mark.parametrize("step", [1, 511, 100_000])
def test_a_damaged_stream_breaks_at_the_same_byte_wherever_reading_began(damage: str, start: int, step: int) -> None:
    half = len(PACKED) // 2
    packed = {
        "cut": PACKED[:half],
        "garbage in it": PACKED[:half] + b"garbage" * 9 + PACKED[half + 63 :],
        "garbage behind it": PACKED + b"garbage",
    }[damage]
    whole, ending = everything(Gunzip(io.BytesIO(packed)), [4096])
    assert ending == DAMAGED
    assert len(whole) > start
    stream = Gunzip(io.BytesIO(packed))
    stream.seek(start)
    assert everything(stream, [step]) == (whole[start:], DAMAGED)


def test_several_streams_in_one_file_are_one() -> None:
    assert everything(Gunzip(io.BytesIO(PACKED + PACKED + bytes(100))), [5000]) == (DATA + DATA, "")
