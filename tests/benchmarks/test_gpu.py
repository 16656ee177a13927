"""The program for a GPU, in its small form on a CPU."""

import sys
import time

import pytest
import torch

from benchmarks import gpu, gpu_forward, gpu_ground, tiny
from benchmarks.figures import Figure

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the small form is for machines without a GPU")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def soon():
    return time.monotonic() + 600


def test_each_batch_precision_and_forward_has_a_rate_or_a_fault(monkeypatch):
    load = gpu_forward.load

    def broken(model, forward):
        if forward == "fast":
            raise RuntimeError("no kernel | for this\nline 2")
        return load(model, forward)

    monkeypatch.setattr(gpu_forward, "load", broken)
    rows = {figure.what: figure for figure in gpu_forward.eager("small", soon())}
    fault = rows.pop("fast")
    assert (fault.value, fault.detail) == ("failed", "RuntimeError: no kernel / for this")
    sizes = [f"batch {batch}, {precision}" for batch in (1, 2) for precision in ("float32", "bfloat16")]
    sizes.append("5 captions of an image, float32")
    forwards = ("stock", "fast with the replacements for CPUs")
    assert sorted(rows) == sorted(f"{forward}, {size}" for forward in forwards for size in sizes)
    for what, row in rows.items():
        if what.startswith("stock") or what.endswith("float32"):
            assert 0 < float(row.value.removesuffix(" images/s")) < 1e4, row
        else:  # the replacements for CPUs take no autocast there
            assert (row.value, row.detail) == ("not measured", "without a GPU, autocast is for the other forwards")


def test_what_the_time_is_too_short_for_is_in_the_table():
    for measure in (gpu_forward.eager, gpu_forward.compiled, gpu_forward.graphs):
        rows = [*measure("small", 0.0)]
        assert {(row.value, row.detail) for row in rows} == {("not measured", "the time of this part was over")}


def test_a_compiler_that_fails_costs_its_rows(monkeypatch):
    def compile_part(module, **_):
        if isinstance(module, tiny.GroundingDinoForObjectDetection):
            raise AssertionError("no C compiler")
        return module

    monkeypatch.setattr(torch, "compile", compile_part)
    rows = [*gpu_forward.compiled("small", soon())]
    assert [row.what.split(",")[0] for row in rows] == ["backbone", "whole model"] * 2
    assert [row.value == "failed" for row in rows] == [False, True] * 2
    assert rows[0].detail.startswith("ready after ")
    assert rows[1].detail == "AssertionError: no C compiler"


def test_without_a_gpu_there_are_no_graphs_but_the_same_calls():
    rows = [*gpu_forward.graphs("small", soon())]
    assert [row.value.endswith("images/s") for row in rows] == [True, False] * 6
    assert {row.detail for row in rows[1::2]} == {"CUDA graphs need a GPU"}


def test_the_share_of_busy_time_in_a_ground_lies_between_forwards_and_wall(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_ground, "_CHUNK", 2)
    rows = [*gpu_ground.detect(tmp_path, "small", soon()), *gpu_ground.ground(tmp_path, "small", soon())]
    assert len(rows) == 3
    for row in rows:
        assert 1 < int(row.value.removesuffix("%")) <= 100, row
        total, alone = (float(part.split()[0]) for part in row.detail.split("; ")[0].split(", "))
        assert 0 < total <= alone, row
    assert rows[-1].detail.split("; ")[1].startswith("6 images in ")  # without the first chunk


def test_a_part_that_hangs_or_breaks_keeps_what_it_has_measured():
    row = 'print(\'{"part": "A", "what": "b", "value": "c"}\', flush=True)'
    hangs = f"import time; print('noise'); {row}; time.sleep(60)"
    started = time.monotonic()
    kept, ended = gpu.run_process([sys.executable, "-c", hangs], "A", 2.0)
    assert time.monotonic() - started < 30
    assert kept == Figure("A", "b", "c")
    assert (ended.part, ended.value, ended.detail) == ("A", "not measured", "ended after 2 s")
    kept, broken = gpu.run_process([sys.executable, "-c", f"{row}; raise SystemExit('CUDA | error')"], "A", 60.0)
    assert kept == Figure("A", "b", "c")
    assert (broken.value, broken.detail) == ("failed", "CUDA / error")


def test_a_missing_package_is_a_row(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    monkeypatch.delitem(sys.modules, "benchmarks.rivals", raising=False)
    (row,) = gpu._figures("script", "small", soon(), tmp_path)
    assert (row.value, row.detail.endswith("; pip install gritmill")) == ("not measured", True)
    assert "webdataset" in row.detail


def test_base_has_the_size_of_the_published_model():
    with torch.device("meta"):
        sizes = {name: _parameters(name) for name in ("tiny", "base")}
    assert sizes == {"tiny": 172, "base": 232}


def _parameters(name):
    model = tiny.GroundingDinoForObjectDetection(tiny.configuration(name))
    return round(sum(weights.numel() for weights in model.parameters()) / 1e6)
