"""The backbone's first layer on bytes against the class's own on normalised images."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForZeroShotObjectDetection, SwinConfig
from transformers.models.swin.modeling_swin import SwinPatchEmbeddings

from tests.transforms.detectors.grounding_dino.test_model import assert_same, loaded, mixed_requests
from transforms.detectors.grounding_dino import optimized
from transforms.detectors.grounding_dino.optimized import optimize, pixels
from transforms.detectors.grounding_dino.optimized.pixels import BytePatchEmbeddings

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def embeddings(patch=4, seed=0):
    torch.manual_seed(seed)
    stock = SwinPatchEmbeddings(SwinConfig(patch_size=patch, embed_dim=24))
    return stock, BytePatchEmbeddings(stock, MEAN, STD)


def images(count, height, width):
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8).permute(0, 3, 1, 2)


def normalized(pictures):
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (pictures.float() / 255 - mean) / std


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 40), st.integers(1, 70), st.sampled_from([2, 4, 7]), st.sampled_from([1, 1024])
)
@torch.inference_mode()
def test_bytes_give_what_normalised_images_give(count, height, width, patch, block):
    stock, fast = embeddings(patch)
    pictures = images(count, height, width)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pixels, "_BLOCK", block)
        actual, size = fast(pictures)
    expected, expected_size = stock(normalized(pictures))
    assert size == expected_size
    torch.testing.assert_close(actual, expected, atol=5e-6, rtol=0)
    assert torch.equal(fast(pictures.contiguous())[0], fast(pictures)[0])  # any order in memory
    assert torch.equal(fast(normalized(pictures))[0], expected)


@torch.inference_mode()
def test_autocast_leaves_the_layer_in_float32():
    stock, fast = embeddings()
    pictures = images(2, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        actual = fast(pictures)[0]
        assert stock(normalized(pictures))[0].dtype == torch.bfloat16
    assert torch.equal(actual, fast(pictures)[0])


def test_the_model_gets_bytes_only_with_the_fast_forward(grounding_dino, monkeypatch):
    got = []
    for forward in ("fast", "stock"):
        detector = loaded(grounding_dino, forward=forward)
        model = detector.model.forward
        monkeypatch.setattr(
            detector.model, "forward", lambda model=model, **given: got.append(given["pixel_values"]) or model(**given)
        )
        detector.detect(mixed_requests()[:1])
    assert [values.dtype for values in got] == [torch.uint8, torch.float32]
    assert torch.allclose(normalized(got[0]), got[1], atol=1e-5)
    assert got[1].is_contiguous()  # in another order in memory, the class's own forward gives other bits


def test_a_canvas_that_is_no_multiple_of_a_patch(grounding_dino):
    stock, fast = (loaded(grounding_dino, forward=forward, canvas_step=31) for forward in ("stock", "fast"))
    assert_same(fast.detect(mixed_requests()), stock.detect(mixed_requests()), 1e-5)


def test_another_backbone_gets_normalised_images(grounding_dino, monkeypatch):
    monkeypatch.setattr(optimized, "SwinPatchEmbeddings", type("Other", (), {}))
    other = loaded(grounding_dino)
    assert not other.takes_bytes
    assert_same(other.detect(mixed_requests()), loaded(grounding_dino).detect(mixed_requests()), 1e-5)


def test_a_class_that_embeds_otherwise_is_refused(grounding_dino, monkeypatch):
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)
    forward = SwinPatchEmbeddings.forward
    monkeypatch.setattr(SwinPatchEmbeddings, "forward", lambda self, values: (forward(self, values)[0] * 1.01, None))
    with pytest.raises(ValueError, match=r"fast .*BytePatchEmbeddings returns other values .* to stock"):
        optimize(model, "cpu", "float32", (MEAN, STD))
