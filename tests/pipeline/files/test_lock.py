import errno
import fcntl
import io
import json
import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import files
from pipeline.faults import CallError, EnvironmentFault
from pipeline.files import lock as locks
from pipeline.files.holder import this_process
from pipeline.files.lease import LeaseFile, take
from pipeline.files.lock import hold, is_marked, reading, replacing, user_of
from pipeline.files.publish import publish, publish_bytes
from pipeline.layout import HEARTBEAT
from tests import fake_object_store
from tests.pipeline.builders import NOT_OURS

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("short_settling")

HOLDER = """
import sys
from pipeline.files.lock import hold, reading, replacing
with hold(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["local", "shelf"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    fake_object_store.use(tmp_path)
    return str(tmp_path / "out") if request.param == "local" else "shelf://out"


def test_a_second_run_is_refused_and_names_the_folder(folder: str) -> None:
    with hold(folder), pytest.raises(CallError, match=rf"^--output: {folder}: another run (is using|used) this folder"):  # noqa: SIM117
        with hold(folder):
            pass


def test_a_refused_run_does_not_disturb_the_first_one(folder: str) -> None:
    with hold(folder):
        for _ in range(2):
            with pytest.raises(CallError):  # noqa: SIM117
                with hold(folder):
                    pass


def test_the_folder_is_free_after_a_run_and_after_a_failure(folder: str) -> None:
    with hold(folder):
        pass
    with pytest.raises(ValueError, match="stop"), hold(folder):
        raise ValueError("stop")
    with hold(folder):
        pass


def test_two_folders_do_not_block_each_other(folder: str) -> None:
    with hold(folder), hold(folder + "2"):
        pass


def test_a_lock_is_free_once_its_process_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(CallError) as fault:  # noqa: SIM117
                with hold(str(tmp_path)):
                    pass
            who = f": process {holder.pid} on this machine" if Path("/proc/locks").exists() else ""
            cure = "wait until it has finished, or end it (Ctrl-C, kill), then run the same command"
            assert str(fault.value) == f"--output: {tmp_path}: another run is using this folder{who}; {cure}"
        finally:
            holder.kill()
    with hold(str(tmp_path)):
        pass


@pytest.mark.parametrize("place", ["/proc/nowhere", "{0}/file/out"])
def test_a_folder_that_cannot_exist_is_a_wrong_call(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    folder = place.format(tmp_path)
    with pytest.raises(CallError, match=rf"^--output: {folder}: .*; name a folder that") as fault, hold(folder):
        pass
    assert "\n" not in str(fault.value)


def test_a_lease_names_the_command_that_uses_a_folder(tmp_path: Path) -> None:
    assert user_of(str(tmp_path)) == ""
    this = this_process()
    take(str(tmp_path), LeaseFile("a", "run", "FlinkRunner", "job", "", 0.0, this))
    began = f"begun 1970-01-01T00:00:00Z on host {this.host}"
    assert user_of(str(tmp_path)) == f"gritmill run, {began} (process {this.pid})"
    take(str(tmp_path), LeaseFile("b", "run", "FlinkRunner", "job", "", 0.0, replace(this, started="before")))
    assert user_of(str(tmp_path)) == ""


def test_an_old_heartbeat_counts_as_dead_and_a_young_one_does_not(tmp_path: Path) -> None:
    fake_object_store.use(tmp_path)
    fake_object_store.put(f"shelf://out/{HEARTBEAT}", json.dumps({"run": "x", "time": time.time() - 10}).encode())
    with pytest.raises(CallError, match=r"another run used this folder 1\d seconds ago"):  # noqa: SIM117
        with hold("shelf://out"):
            pass
    fake_object_store.put(f"shelf://out/{HEARTBEAT}", json.dumps({"run": "x", "time": time.time() - 1000}).encode())
    with hold("shelf://out"):
        assert fake_object_store.objects() == [f"shelf://out/{HEARTBEAT}"]
        assert json.loads(fake_object_store.path_of(f"shelf://out/{HEARTBEAT}").read_bytes())["run"] != "x"
    assert fake_object_store.objects() == []


@pytest.mark.parametrize(
    ("folder", "local"),
    [
        ("/", True),
        ("/data", True),
        ("/data/new/run", True),
        ("/mnt/my runs/out", False),
        ("/mnt/my", True),
        ("/mnt/scratch/run", True),
        ("/home/me/run", False),
        ("s3://bucket/run", False),
    ],
)
def test_what_other_machines_can_mount_is_no_local_disk(
    monkeypatch: pytest.MonkeyPatch, folder: str, local: bool
) -> None:
    kinds = {"/": "ext4", "/mnt/my runs": "nfs4", "/mnt/scratch": "xfs", "/home": "fuse.sshfs"}
    monkeypatch.setattr(locks, "_mounts", lambda: kinds)
    assert locks.is_on_local_disk(folder) is local


def test_the_mounts_of_this_machine() -> None:
    mounts = locks._mounts()
    assert "/" in mounts or not os.path.exists("/proc/self/mountinfo")


def test_a_mount_may_have_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the bytes of a name, Linux writes four as octal digits; the others need not be UTF-8."""
    lines = [
        b"36 35 0:40 / /m\\040x\xff\r\xc2\xa0\xc2\x85y rw shared:1 - nfs4 host:/a rw\n",
        b"37 35 0:41 / / rw - ext4 d rw\n",
    ]
    monkeypatch.setattr(locks, "open", lambda *_: io.BytesIO(b"".join(lines)), raising=False)
    assert locks._mounts() == {os.fsdecode(b"/m x\xff\r\xc2\xa0\xc2\x85y"): "nfs4", "/": "ext4"}


def test_a_folder_on_a_network_is_locked_by_a_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines with the same folder have no `flock` in common."""
    monkeypatch.setattr(locks, "_mounts", lambda: {"/": "nfs4"})
    monkeypatch.setattr(locks, "_flock", lambda *_: nullcontext())
    folder = str(tmp_path)
    with hold(folder):
        assert os.listdir(folder) == [HEARTBEAT]
        assert "another run used this folder" in refusal(hold(folder))
    assert os.listdir(folder) == []


def test_a_folder_in_memory_is_refused() -> None:
    with pytest.raises(CallError, match="files in memory are gone when the command ends"), hold("memory://runs/x"):
        pass


def test_a_folder_whose_name_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff") / "out"
    with pytest.raises(CallError, match="out: the name is not UTF-8; use another folder"), hold(str(folder)):
        pass
    assert os.listdir(tmp_path) == []


def test_what_ended_a_run_is_worth_more_than_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is gone answers the removal of the heartbeat with another error."""

    def refused(uris: object) -> None:
        raise ConnectionError

    with pytest.raises(EnvironmentFault, match="no chunk"), locks._heartbeat(str(tmp_path), None):  # noqa: PT012
        monkeypatch.setattr(files, "delete", refused)
        raise EnvironmentFault("no chunk")


def test_who_holds_the_folder_sweeps_it(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/.gritmill-tmp-1-00000.tar").write_bytes(b"half")
    with hold(str(tmp_path)):
        assert list((tmp_path / "shards").iterdir()) == []


def test_the_files_of_a_living_run_further_down_are_not_swept(tmp_path: Path) -> None:
    with hold(str(tmp_path / "inner")), publish(str(tmp_path / "inner/shards/00000.tar")) as file:
        file.write(b"half")
        with hold(str(tmp_path)):
            pass
        file.write(b"whole")
    assert (tmp_path / "inner/shards/00000.tar").read_bytes() == b"halfwhole"


def refusal(lock: AbstractContextManager[None]) -> str:
    with pytest.raises(CallError) as refused:
        lock.__enter__()
    return str(refused.value)


def test_readers_share_a_folder_and_keep_out_who_replaces_its_files(tmp_path: Path) -> None:
    folder = str(tmp_path / "out")
    with reading(folder), replacing(folder):  # nothing is there yet: nothing is locked
        pass
    os.mkdir(folder)
    with reading(folder), reading(folder):
        assert refusal(replacing(folder)).startswith(f"{folder}: another command is reading this run; wait")
    with replacing(folder):
        assert "another command is replacing files there" in refusal(reading(folder))


def test_a_plan_that_is_written_anew_meanwhile_lets_nobody_in(tmp_path: Path) -> None:
    """As `ground --extend` writes it. A lock on the file would be one on a file that nobody opens any more."""
    plan = tmp_path / "plan.json"
    plan.write_text("{}")
    with reading(str(tmp_path)):
        publish_bytes(str(plan), b'{"sources": []}')
        assert "another command is reading this run" in refusal(replacing(str(tmp_path)))


def test_a_folder_that_cannot_be_locked_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with reading(str(tmp_path)), reading("gs://bucket/out"):
        pass


@pytest.mark.parametrize("content", NOT_OURS)
def test_a_damaged_heartbeat_is_one_line_with_the_cure(tmp_path: Path, content: bytes) -> None:
    fake_object_store.use(tmp_path)
    with publish(f"shelf://out/{HEARTBEAT}") as file:
        file.write(content)
    with pytest.raises(EnvironmentFault, match=rf"^shelf://out/{HEARTBEAT}: not in the expected format: .*; remove it"):  # noqa: SIM117
        with hold("shelf://out"):
            pass


def test_a_run_whose_folder_was_taken_over_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_BEAT_SECONDS", 0.02)
    fake_object_store.use(tmp_path)
    theirs = json.dumps({"run": "x", "time": time.time()}).encode()

    def write_until_forbidden() -> None:
        with hold("shelf://out"):
            while True:
                fake_object_store.put(f"shelf://out/{HEARTBEAT}", theirs)
                with publish("shelf://out/shards/00000.tar") as file:
                    time.sleep(0.02)
                    file.write(b"ours")

    with pytest.raises(EnvironmentFault, match=r"^shelf://out: another run has taken over this folder"):
        write_until_forbidden()
    assert fake_object_store.path_of(f"shelf://out/{HEARTBEAT}").read_bytes() == theirs


@pytest.mark.parametrize("stale", [0.0, 100.0])
def test_a_lock_that_stands_still_is_waited_for(folder: str, monkeypatch: pytest.MonkeyPatch, stale: float) -> None:
    """A scheduler repeats the command of a killed driver at once, perhaps on a machine whose clock goes wrong."""
    if folder.startswith("shelf"):
        monkeypatch.setattr(locks, "_STALE_SECONDS", 0.6)
        monkeypatch.setattr(locks, "_POLL_SECONDS", 0.05)
        locks.publish_typed(f"{folder}/{HEARTBEAT}", locks.Heartbeat("killed", time.time() + stale))
    with hold(folder, patience=0.0):
        pass


def test_a_lock_that_is_alive_is_waited_for_only_for_a_while(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_BEAT_SECONDS", 0.1)
    monkeypatch.setattr(locks, "_POLL_SECONDS", 0.05)
    with hold(folder), pytest.raises(CallError, match="another run is using this folder"), hold(folder, patience=0.5):
        pass


def test_a_check_of_the_folder_comes_before_anything_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".gritmill-tmp-1-00000.tar").write_bytes(b"half")

    def refuse() -> None:
        raise CallError("a job uses it")

    with pytest.raises(CallError, match="a job uses it"), hold(str(tmp_path), check=refuse):
        pass
    assert (tmp_path / ".gritmill-tmp-1-00000.tar").exists()
    with hold(str(tmp_path)):
        pass


@pytest.mark.parametrize("place", ["file", "file/out"])
def test_a_file_is_no_marked_folder(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CallError, match=rf"^--output: {tmp_path / place}: .*a file.*; name a folder that"):
        is_marked(str(tmp_path / place), "marker.json", "gritmill export")
