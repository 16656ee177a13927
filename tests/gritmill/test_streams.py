"""The standard streams of the command line: closed, full, read by nobody, or written to by a C library."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from gritmill.streams import _Stream

ROOT = Path(__file__).resolve().parents[2]
FINISHED = str(ROOT / "tests" / "data" / "released" / "finished")
GRITMILL = [sys.executable, "-m", "gritmill"]


def unread_pipe():
    """Returns the writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_what_nobody_reads_is_dropped():
    with _Stream(unread_pipe(), lossy=False) as stream:
        assert [stream.write(b"abc"), stream.write(b"abc")] == [3, 3]


def test_a_full_disk_is_told_once_on_standard_output_and_never_on_standard_error():
    with _Stream(os.open("/dev/full", os.O_WRONLY), lossy=False) as stream:
        with pytest.raises(OSError, match="No space left on device: 'standard output'"):
            stream.write(b"abc")
        assert stream.write(b"abc") == 3
    with _Stream(os.open("/dev/full", os.O_WRONLY), lossy=True) as stream:
        assert stream.write(b"abc") == 3


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_no_file_gets_the_number_of_a_closed_stream_and_children_have_all_three(tmp_path, closed):
    code = (
        "import os, subprocess, sys\n"
        "from gritmill import streams\n"
        "streams.protect(silence_libraries=True)\n"
        "file = open('out', 'w')\n"
        "os.write(1, b'from a library'), os.write(2, b'from a library')\n"
        "print('out'), print('err', file=sys.stderr), sys.stdin.isatty()\n"
        "child = [sys.executable, '-c', 'import sys; assert all((sys.stdin, sys.stdout, sys.stderr))']\n"
        "file.write(str((file.fileno() > 2, subprocess.call(child))))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        preexec_fn=lambda: [os.close(one) for one in closed],
    )
    assert (ended.returncode, (tmp_path / "out").read_text()) == (0, "(True, 0)")
    assert ended.stdout == (b"" if 1 in closed else b"out\n")
    assert ended.stderr == (b"" if 2 in closed else b"err\n")


def test_only_what_python_prints_reaches_the_screen():
    code = (
        "import os, sys\nfrom gritmill import streams\nstreams.protect(silence_libraries={silent})\n"
        "os.write(2, b'TIFFReadDirectory: Warning')\nprint('err', file=sys.stderr)\n"
    )
    said = [
        subprocess.run([sys.executable, "-c", code.format(silent=silent)], cwd=ROOT, capture_output=True).stderr
        for silent in (True, False)
    ]
    assert said == [b"err\n", b"TIFFReadDirectory: Warningerr\n"]


@pytest.mark.parametrize("stderr", [True, False])
def test_the_width_is_that_of_the_terminal(stderr):
    code = (
        "from gritmill import streams\nstreams.protect(silence_libraries=True)\n"
        "streams.protect(silence_libraries=True)\n"  # a second call changes nothing
        f"from rich.console import Console\nprint(Console(stderr={stderr}).width, flush=True)\n"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE if stderr else theirs, "stderr": theirs}
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, **streams)
    assert (ended.stdout if stderr else os.read(ours, 100)).split() == [b"150"]
    os.close(ours), os.close(theirs)


@pytest.mark.parametrize(
    "words", [pytest.param(["--version"], marks=pytest.mark.slow), ["validate", FINISHED, "--limit", "1"]]
)
def test_a_good_call_into_a_closed_pipe_has_status_0(words):
    for closed in ({"stdout": unread_pipe()}, {"stderr": unread_pipe()}):
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **closed}
        ended = subprocess.run([*GRITMILL, *words], **pipes)
        assert ended.returncode == 0
        assert not ended.stderr or ended.stderr == b"2 samples read, 0 faults\n"


def test_a_result_that_the_disk_has_no_room_for_is_a_fault_of_the_environment():
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([*GRITMILL, "--version"], stdout=full, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (3, b"gritmill: standard output: No space left on device\n")
