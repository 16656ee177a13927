"""bfloat16 on a CPU. Processors without instructions for it emulate it, so only its speed depends on them."""

import copy
import json
import statistics
import tarfile

import pytest
import torch
from transformers import AutoModelForZeroShotObjectDetection
from transformers.models.swin.modeling_swin import SwinAttention

from pipeline import configuration
from pipeline.engines import placement
from pipeline.engines.beam_options import parse_beam_options
from pipeline.faults import CallError
from tests.tiny_models import make_grounding_dino
from tests.transforms.detectors.grounding_dino.test_model import loaded, mixed_requests
from transforms import bundled, devices
from transforms.detectors.base import Request
from transforms.detectors.grounding_dino import precision
from transforms.detectors.grounding_dino.optimized import bfloat16, encoder_layer, optimize
from transforms.images import measure
from transforms.selection.select_boxes import ious


@pytest.fixture
def supported(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)


@pytest.fixture
def unsupported(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)


def scenes_with_phrases(count):
    with tarfile.open(bundled.folder("examples") / "scenes" / "00000.tar") as tar:
        for name in [name for name in tar.getnames() if name.endswith(".jpg")][:count]:
            data, caption, truth = (tar.extractfile(name[:-3] + ending).read() for ending in ("jpg", "txt", "json"))
            spans = [(row["start"], row["end"]) for row in json.loads(truth)["truth"]]
            yield data, tuple(dict.fromkeys(caption.decode()[start:end].lower() for start, end in spans))


def best(found, phrase):
    return max((box for box in found.boxes if box.phrase == phrase), key=lambda box: box.score)


def test_the_embedded_detector_finds_the_same(supported):
    requests = [Request(data, *measure(data), phrases) for data, phrases in scenes_with_phrases(12)]
    exact, rounded = (loaded("scene-grounder", precision=name).detect(requests) for name in ("float32", "bfloat16"))
    pairs = [
        (best(one, phrase), best(other, phrase))
        for request, one, other in zip(requests, exact, rounded, strict=True)
        for phrase in range(len(request.phrases))
        if phrase not in one.dropped and best(one, phrase).score > 0.184  # the detector's threshold
    ]
    assert len(pairs) >= 20
    difference = statistics.median(abs(one.score - other.score) for one, other in pairs)
    assert 0 < difference < 0.01  # 0: it ran in float32
    matched = [ious([one.corners], [other.corners])[0, 0] > 0.9 for one, other in pairs]
    assert sum(matched) >= 0.8 * len(matched)  # two things of a phrase can change places; in 60 scenes, 4 % did


@pytest.mark.parametrize("family_name", ["grounding-dino", "mm-grounding-dino"])
def test_a_batch_of_each_family_gives_finite_boxes(supported, family_name, request, tmp_path):
    found = loaded(make_grounding_dino(tmp_path, family_name, levels=4), precision="bfloat16").detect(mixed_requests())
    assert all(one.boxes and not one.error for one in found if not one.dropped)


def test_boxes_do_not_depend_on_where_windows_and_blocks_end(supported, grounding_dino, monkeypatch):
    expected = loaded(grounding_dino, precision="bfloat16").detect(mixed_requests())
    monkeypatch.setattr(bfloat16, "BLOCK", 60)  # one window, or less than a map
    found = loaded(grounding_dino, precision="bfloat16").detect(mixed_requests())
    for one, other in zip(found, expected, strict=True):
        assert [box.phrase for box in one.boxes] == [box.phrase for box in other.boxes]
        scores = zip(one.boxes, other.boxes, strict=True)
        assert all(a.score == pytest.approx(b.score, abs=0.02) for a, b in scores)


def differs(actual, expected):
    return float((actual - expected).abs().max() / expected.abs().max())


def test_each_replacement_computes_what_it_replaces(grounding_dino):
    torch.manual_seed(0)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino).eval()
    size = model.config.d_model
    windows = next(module for module in model.modules() if isinstance(module, SwinAttention))
    cells = windows.relative_position_bias().shape[-1]
    attention = model.model.decoder.layers[0].self_attn
    fusion = encoder_layer.Fusion(model.model.encoder.layers[0].fusion_layer)
    queries, keys, text = torch.randn(2, 9, size), torch.randn(2, 600, size), torch.randn(2, 6, size)
    padding = torch.zeros(2, 6, dtype=torch.bool)
    padding[1, 4:] = True
    for original, replacement, inputs in (
        (windows, bfloat16.WindowAttention, (torch.randn(26, cells, windows.q_proj.in_features),)),
        (
            windows,
            bfloat16.WindowAttention,
            (torch.randn(26, cells, windows.q_proj.in_features), torch.randn(13, cells, cells)),
        ),
        (attention, bfloat16.Attention, (queries, keys, keys, torch.randn(2, 1, 9, 600))),
        (model.model.decoder.layers[0].fc1, bfloat16.Linear, (keys,)),
        (fusion, lambda one: bfloat16.Fusion(one.layer), (keys, text, padding)),
    ):
        with torch.inference_mode():
            expected, actual = original(*inputs), replacement(copy.deepcopy(original))(*inputs)
        first, second = ((one[0] if isinstance(one, tuple) else one) for one in (expected, actual))
        assert first.dtype == second.dtype == torch.float32
        assert 0 < differs(second, first) < 0.03, replacement
    assert differs(actual[1], expected[1]) < 0.03  # the text


LEFT_ALONE = "bbox_embed", "reference_points", "norm", "text_backbone", "text_enhancer", "text_projection", "fusion"


def test_float32_is_left_alone_and_coordinates_stay_float32(supported, grounding_dino):
    assert {one.dtype for one in loaded(grounding_dino).model.parameters()} == {torch.float32}
    model = loaded(grounding_dino, precision="bfloat16").model
    rounded = {name for name, one in model.named_parameters() if one.dtype == torch.bfloat16}
    assert any("fc1" in name for name in rounded)
    assert not any(part in name for name in rounded for part in LEFT_ALONE)


def test_a_module_that_computes_something_else_is_refused(grounding_dino, monkeypatch):
    class Wrong(bfloat16.Attention):
        def forward(self, *inputs, **options):
            attended, weights = super().forward(*inputs, **options)
            return attended + torch.arange(attended.shape[-1]), weights

    monkeypatch.setattr(bfloat16, "Attention", Wrong)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)
    with pytest.raises(ValueError, match=r"detector\.precision: bfloat16 does .*returns other.*; set it to float32"):
        optimize(model, "cpu", "bfloat16")


# What is refused.

LACKS = "detector.precision: bfloat16: this processor lacks AVX512_BF16 and AMX_BF16; set it to float32"


def settings(**keys):
    sections = {"detector": {"model": "scene-grounder", "precision": "bfloat16", "device": "cpu", **keys}}
    return configuration.validate(sections).detector


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_processor_without_it_is_refused_before_the_start(unsupported, monkeypatch, device):
    monkeypatch.setattr("transforms.detectors.load.picks_cpu", lambda device: True)
    with pytest.raises(CallError, match=f"^{LACKS}$"):
        placement.check_device(settings(device=device), parse_beam_options(()))
    with pytest.raises(ValueError, match=f"^{LACKS}$"):
        loaded("scene-grounder", precision="bfloat16")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (
            {"forward": "stock", "device": "auto"},
            r"^detector\.precision: bfloat16 on a CPU needs detector\.forward: fast$",
        ),
        ({"precision": "float16", "device": "auto"}, r"^detector\.precision: float16 needs a GPU; set it to float32"),
    ],
)
def test_what_a_cpu_does_not_support(supported, monkeypatch, keys, line):
    monkeypatch.setattr("transforms.detectors.load.picks_cpu", lambda device: True)
    with pytest.raises(CallError, match=line):
        placement.check_device(settings(**keys), parse_beam_options(()))


def test_stock_in_bfloat16_on_the_cpu_is_refused_for_any_engine():
    with pytest.raises(CallError, match="precision bfloat16 on a CPU needs forward fast"):
        settings(forward="stock")


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16\n", True),
        ("flags : fpu amx_bf16 amx_tile\n", True),
        ("flags : fpu avx512f avx512_bf16x\nbugs : avx512_bf16\n", False),
        ("Features : fp asimd bf16\n", False),
        ("", False),
    ],
)
def test_the_kernel_names_what_the_processor_has(monkeypatch, text, there):
    monkeypatch.setattr(devices, "_read", lambda path: text)
    assert devices.has_bfloat16() is there


def test_a_system_without_the_list_has_none(monkeypatch):
    def missing(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(devices, "_read", missing)
    assert not devices.has_bfloat16()
