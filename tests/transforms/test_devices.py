"""The choice of a device."""

import pytest
import torch

from transforms import devices as module
from transforms.devices import available_cores, cores_of_a_slot, pick_device


def test_a_device_that_is_named_is_taken():
    assert pick_device("cuda:3") == "cuda:3"
    assert pick_device("cpu") == "cpu"


def test_auto_without_a_gpu_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto") == "cpu"


@pytest.mark.parametrize(
    ("platform", "files", "libraries", "lacks"),
    [
        ("linux", (), b"libc.so.6\0", True),
        ("linux", (), b"libc.so.6\0libcuda.so.1\0", False),  # it makes its device files when it starts
        ("linux", ("/own/libcuda.so.1",), b"libc.so.6\0", False),
        ("linux", (), None, False),  # not known
        ("linux", ("/dev/nvidiactl",), b"", False),
        ("linux", ("/dev/kfd",), b"", False),  # ROCm
        ("linux", ("/dev/dxg",), b"", False),  # WSL
        ("darwin", (), b"", False),  # MPS
    ],
)
def test_a_gpu_is_ruled_out_only_if_no_part_of_a_driver_is_there(monkeypatch, platform, files, libraries, lacks):
    def read(path):
        if libraries is None:
            raise FileNotFoundError(path)
        return libraries

    monkeypatch.setenv("LD_LIBRARY_PATH", "/other:/own")
    monkeypatch.setattr(module.sys, "platform", platform)
    monkeypatch.setattr(module.os.path, "exists", lambda path: path in files)
    monkeypatch.setattr(module.Path, "read_bytes", read)
    assert module.lacks_gpu() is lacks


def test_auto_spreads_over_the_gpus(monkeypatch, tmp_path):
    held = []
    monkeypatch.setattr(module, "_held", held)
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [pick_device("auto") for _ in range(7)] == ["cuda:0", "cuda:1", "cuda:2"] * 2 + ["cuda:0"]
    for lock in held:
        module.os.close(lock)
    assert pick_device("auto") == "cuda:0"
    module.os.close(held[-1])


def test_the_cores_of_a_host_are_divided_by_its_workers(monkeypatch, tmp_path):
    held = []
    monkeypatch.setattr(module, "_held", held)
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(module, "available_cores", lambda: 8)
    assert cores_of_a_slot() == 8
    take = module.take_slot.__wrapped__  # once per process
    for left in (8, 4, 2, 2):  # 8 / 3 is 2
        take()
        assert cores_of_a_slot() == left
    for lock in held[1:]:
        module.os.close(lock)
    assert cores_of_a_slot() == 8
    module.os.close(held[0])


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({"/sys/fs/cgroup/cpu.max": "max 100000"}, 8),
        ({"/sys/fs/cgroup/cpu.max": "250000 100000"}, 3),
        ({"/sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
        ({"/sys/fs/cgroup/cpu.max": "1600000 100000"}, 8),
        ({"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000"}, 2),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, 8),
        ({}, 8),
    ],
)
def test_the_cores_of_a_container_are_those_of_its_limit(monkeypatch, limits, cores):
    def read(path):
        for name, text in limits.items():
            if path.endswith(name):
                return text
        raise FileNotFoundError(path)

    monkeypatch.setattr(module, "_read", read)
    monkeypatch.setattr(module, "_container_cores", module._container_cores.__wrapped__)
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert available_cores() == cores
