"""A disk that is full or read-only: one line, status 3, and a restart that resumes and writes the same bytes."""

import subprocess
from contextlib import suppress

import pytest
import yaml

import gritmill
from pipeline.ground.attempts import AttemptLog
from pipeline.ids import ChunkId
from tests import sample_pairs


@pytest.fixture
def disk(tmp_path):
    """A separate file system, and a function that remounts it with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.decode().strip()}")
    yield folder, lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def invoke(call, tmp_path, parser):
    """Runs `gritmill` with a new configuration. Returns exit status and the lines on standard error."""
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory", shards={"pairs": 30})
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    return lambda command, *words: call(command, tmp_path / "own.yaml", "--quiet", *words)[::2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, parser):
    """Arguments of `ground`, and the folder of an undisturbed run."""
    folder = tmp_path_factory.mktemp("undisturbed")
    pattern = sample_pairs.as_tars(sample_pairs.drawn(120), folder / "in", tars=1)
    config = sample_pairs.settings(parser, "tests.plugin_detectors:factory", shards={"pairs": 30})
    gritmill.run(config, inputs=pattern, output=folder / "whole")
    return ["--input", pattern], folder / "whole"


def fill(folder, leave):
    """Fills the disk until only this many bytes are free."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - leave)


ALL = ("shards/*", "detections/0*/*", "manifest.json")


@pytest.mark.parametrize(
    "leave", [40_000, *(pytest.param(bytes_, marks=pytest.mark.slow) for bytes_ in (0, 80_000, 200_000))]
)
def test_a_full_disk_stops_ground_and_a_restart_goes_on(invoke, whole, disk, leave):
    words, undisturbed = whole
    folder, _ = disk
    fill(folder, leave)
    status, lines = invoke("ground", *words, "--output", str(folder / "out"))
    assert (status, len(lines)) == (3, 1), lines
    assert "No space left on device" in lines[0]
    assert str(folder / "out") in lines[0]
    (folder / "ballast").unlink()
    assert not AttemptLog(str(folder / "out" / "detections")).find(ChunkId(0, 0, 0)).suspected
    assert invoke("run", *words, "--output", str(folder / "out")) == (0, [])
    assert sample_pairs.files_of(folder / "out", *ALL) == sample_pairs.files_of(undisturbed, *ALL)
    assert not list(folder.rglob(".gritmill-tmp-*"))


@pytest.mark.parametrize("leave", [40_000, *(pytest.param(bytes_, marks=pytest.mark.slow) for bytes_ in (0, 150_000))])
def test_a_full_disk_stops_pack_and_a_restart_goes_on(invoke, whole, disk, leave):
    _, undisturbed = whole
    folder, _ = disk
    fill(folder, leave)
    words = ("--detections", str(undisturbed), "--output", str(folder / "out"))
    status, lines = invoke("pack", *words)
    assert (status, len(lines)) == (3, 1), lines
    assert "No space left on device" in lines[0]
    assert not (folder / "out" / "manifest.json").exists()
    (folder / "ballast").unlink()
    assert invoke("pack", *words) == (0, [])
    assert sample_pairs.files_of(folder / "out", *ALL) == sample_pairs.files_of(undisturbed, *ALL[:1], "manifest.json")
    assert not list(folder.rglob(".gritmill-tmp-*"))


@pytest.mark.parametrize("command", ["ground", "pack"])
def test_an_output_that_is_read_only(invoke, whole, disk, command):
    words, undisturbed = whole
    folder, remount = disk
    words = words if command == "ground" else ["--detections", str(undisturbed)]
    remount("ro")
    status, lines = invoke(command, *words, "--output", str(folder / "out"))
    assert (status, len(lines)) == (3, 1), lines
    assert "Read-only file system" in lines[0]
    remount("rw")
    assert invoke(command, *words, "--output", str(folder / "out"))[0] == 0
