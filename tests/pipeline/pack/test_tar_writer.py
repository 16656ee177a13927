import hashlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pack.tar_writer import TarWriter, header


@given(
    st.one_of(st.text("abc/é.", min_size=1, max_size=130), st.just("a" * 100)),
    st.one_of(st.integers(0, 8**11 - 1), st.sampled_from([0, 511, 512, 8**11 - 1])),
)
def test_a_header_is_tarfile_s_to_the_byte(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uname, info.gname = size, 0o644, "gritmill", "gritmill"
    try:
        wanted = info.tobuf(tarfile.USTAR_FORMAT)
    except ValueError:  # longer than USTAR has room for
        with pytest.raises(ValueError, match="name is too long"):
            header(name, size)
        return
    assert header(name, size) == wanted


@pytest.mark.parametrize("sizes", [[], [0, 1, 512, 513], [3 << 20, 5, 0, 1 << 20, 700_000, 700_000, 700_000]])
def test_what_is_written_is_a_whole_tar_with_its_digest(sizes: list[int]) -> None:
    members = {f"{number:05}.jpg": bytes([number]) * size for number, size in enumerate(sizes)}
    target = io.BytesIO()
    with TarWriter(target) as stream:
        for name, data in members.items():
            stream.add(name, data)
    written = target.getvalue()
    assert (stream.size, stream.sha256) == (len(written), hashlib.sha256(written).hexdigest())
    assert len(written) % 10_240 == 0
    with tarfile.open(fileobj=io.BytesIO(written)) as tar:
        assert {info.name: tar.extractfile(info).read() for info in tar} == members  # type: ignore[union-attr]


class Full(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


def write(target: io.BytesIO, members: int, error: Exception | None = None) -> None:
    with TarWriter(target) as stream:
        for number in range(members):
            stream.add(str(number), bytes(1 << 20))
        if error:
            raise error


@pytest.mark.parametrize("members", [1, 8])
def test_an_error_of_the_file_comes_out(members: int) -> None:
    with pytest.raises(OSError, match="No space left"):
        write(Full(), members)


def test_an_error_in_between_leaves_the_tar_unfinished() -> None:
    target = io.BytesIO()
    with pytest.raises(KeyError):
        write(target, 1, KeyError())
    assert target.getvalue()[-1024:] != bytes(1024) or len(target.getvalue()) % 10_240
