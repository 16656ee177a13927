"""The choice of a device."""

import torch

from transforms import devices as module
from transforms.devices import pick_device


def test_a_device_that_is_named_is_taken():
    assert pick_device("cuda:3") == "cuda:3"
    assert pick_device("cpu") == "cpu"


def test_auto_without_a_gpu_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto") == "cpu"


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
