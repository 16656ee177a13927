"""The fast forward against the stock forward, module by module and as a whole."""

import copy
import tarfile
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import AutoModelForZeroShotObjectDetection

from tests.tiny_models import make_grounding_dino
from tests.transforms.detectors.grounding_dino.test_model import assert_same, loaded, mixed_requests, request
from transforms import bundled
from transforms.detectors.base import Request
from transforms.detectors.grounding_dino import optimized
from transforms.detectors.grounding_dino.optimized import optimize, sampling
from transforms.detectors.grounding_dino.optimized.encoder_layer import EncoderLayer
from transforms.detectors.grounding_dino.optimized.modules import (
    BlockedMlp,
    CachedPositionEmbedding,
    DeduplicatingBackbone,
    Similarity,
)
from transforms.detectors.grounding_dino.optimized.pixels import BytePatchEmbeddings
from transforms.images import measure


@pytest.fixture(scope="module", params=["grounding-dino", "mm-grounding-dino"])
def folder(request, grounding_dino, mm_grounding_dino):
    return grounding_dino if request.param == "grounding-dino" else mm_grounding_dino


def scenes(count):
    with tarfile.open(bundled.folder("examples") / "scenes" / "00000.tar") as tar:
        names = [name for name in tar.getnames() if name.endswith(".jpg")][:count]
        for name in names:
            data, caption = (tar.extractfile(name[:-3] + ending).read() for ending in ("jpg", "txt"))
            yield data, caption.decode()


@pytest.mark.parametrize("batch", [1, 3])
def test_boxes_are_those_of_the_stock_forward(folder, batch):
    stock, fast = (loaded(folder, batch=batch, forward=forward) for forward in ("stock", "fast"))
    assert_same(fast.detect(mixed_requests()), stock.detect(mixed_requests()), 1e-5)


def test_boxes_of_the_embedded_detector_are_those_of_its_stock_forward():
    requests = [
        Request(data, *measure(data), (*caption.rstrip(".").split(" and "), "a thing")) for data, caption in scenes(12)
    ]
    stock, fast = (
        loaded("scene-grounder", batch=4, candidates=1000, forward=forward).detect(requests)
        for forward in ("stock", "fast")
    )
    assert_same(fast, stock, 1e-5)


@pytest.mark.parametrize("size", [7, pytest.param(40, marks=pytest.mark.slow)])
def test_where_blocks_end_does_not_matter(folder, monkeypatch, size):
    expected = loaded(folder).detect(mixed_requests())
    for module in (sampling, optimized.modules):
        monkeypatch.setattr(module, "BLOCK", size)
    assert_same(loaded(folder).detect(mixed_requests()), expected, 1e-5)


def test_stock_is_the_class_as_it_is(grounding_dino):
    ours = (EncoderLayer, BlockedMlp, DeduplicatingBackbone, CachedPositionEmbedding, Similarity, sampling.BoxAttention)
    ours += (BytePatchEmbeddings,)
    assert not any(isinstance(module, ours) for module in loaded(grounding_dino, forward="stock").model.modules())
    replaced = {type(module) for module in loaded(grounding_dino).model.modules()}
    assert replaced.issuperset(ours)


def test_on_other_devices_only_the_backbone_is_shared(grounding_dino):
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)
    optimize(model, "cuda:0")
    assert isinstance(model.model.backbone.conv_encoder.model, DeduplicatingBackbone)
    assert not any(isinstance(module, (EncoderLayer, BlockedMlp)) for module in model.modules())


def test_weights_are_shared_and_not_copied(grounding_dino):
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)
    before = {id(parameter) for parameter in model.parameters()}
    buffers = sum(buffer.nbytes for buffer in model.buffers())
    optimize(model, "cpu")
    assert {id(parameter) for parameter in model.parameters()} <= before
    rearranged = sum(buffer.nbytes for buffer in model.buffers()) - buffers
    assert rearranged <= sum(parameter.nbytes for parameter in model.parameters()) / 8


def test_captions_of_one_picture_share_the_backbone(grounding_dino):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.channels, self.seen = [1], []

        def forward(self, pixel_values, **options):
            self.seen.append(len(pixel_values))
            return SimpleNamespace(feature_maps=(pixel_values * 2, pixel_values[:, :, ::2]))

    a, b, c = torch.rand(3, 3, 4, 6)
    backbone = Counting()
    rows = torch.stack([a, a, b, c, c, c, a])
    maps = DeduplicatingBackbone(backbone)(rows, return_dict=True).feature_maps
    assert backbone.seen == [4]
    assert torch.equal(maps[0], rows * 2)
    assert torch.equal(maps[1], rows[:, :, ::2])
    DeduplicatingBackbone(backbone)(torch.stack([a, b, a]))
    assert backbone.seen == [4, 3]


def test_five_captions_of_a_picture_give_what_each_gives_alone(folder):
    picture = request(1).data
    requests = [Request(picture, 96, 64, (phrase,)) for phrase in ("a dog", "the red car", "a hat", "two horses", "it")]
    single = loaded(folder, batch=1)
    alone = [single.detect([one])[0] for one in requests]
    assert_same(loaded(folder, batch=5).detect(requests), alone)


def test_a_class_that_computes_something_else_is_refused(grounding_dino):
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)
    layer = model.model.encoder.layers[0]
    forward = layer.forward

    def otherwise(**inputs):
        (picture, text), weights = forward(**inputs)
        return (picture * 1.01, text), weights

    layer.forward = otherwise
    with pytest.raises(ValueError, match=r"detector\.forward: fast .*EncoderLayer returns other values .* to stock"):
        optimize(model, "cpu")


def test_a_class_that_is_built_otherwise_is_refused(grounding_dino):
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)
    del model.model.decoder.layers[0].encoder_attn
    with pytest.raises(ValueError, match=r"fast does not support this model in transformers .*encoder_attn"):
        optimize(model, "cpu")


def test_a_decoder_that_samples_elsewhere_is_refused(folder):
    model = AutoModelForZeroShotObjectDetection.from_pretrained(folder)
    attention = model.model.decoder.layers[0].encoder_attn
    forward = attention.forward

    def otherwise(**inputs):
        return forward(**(inputs | {"reference_points": inputs["reference_points"].flip(-1)}))

    attention.forward = otherwise
    with pytest.raises(ValueError, match=r"fast .*BoxAttention returns other values .* to stock"):
        optimize(model, "cpu")


@pytest.mark.parametrize("error", [RuntimeError("sizes"), KeyError("spatial_shapes"), IndexError("range")])
def test_a_class_that_fails_is_refused(grounding_dino, error):
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)

    def failing(**_):
        raise error

    model.model.encoder.layers[0].forward = failing
    with pytest.raises(ValueError, match=r"detector\.forward: fast does not support this model .*; set it to stock"):
        optimize(model, "cpu")


def test_weights_that_are_not_finite_are_left_to_the_first_batch(grounding_dino):
    model = AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino)
    with torch.no_grad():
        model.model.encoder.layers[0].deformable_layer.fc1.weight[0, 0] = torch.nan
    optimize(model, "cpu")


@pytest.mark.parametrize("family", ["grounding-dino", pytest.param("mm-grounding-dino", marks=pytest.mark.slow)])
def test_four_levels(family, tmp_path):
    folder = make_grounding_dino(tmp_path, family, levels=4)
    # On the usual canvas of the tests, a group of the last level has two values: its norm multiplies rounding errors.
    sides = {"short_side": 256, "long_side": 384}
    stock, fast = (loaded(folder, forward=forward, **sides) for forward in ("stock", "fast"))
    assert_same(fast.detect(mixed_requests()), stock.detect(mixed_requests()), 1e-5)


def test_any_number_of_levels_suits(tmp_path):
    optimize(AutoModelForZeroShotObjectDetection.from_pretrained(make_grounding_dino(tmp_path, levels=6)), "cpu")


def test_positions_are_computed_once_a_size():
    calls = []

    def embedding(maps, mask):
        calls.append(tuple(maps.shape))
        return torch.full((1, 2, *maps.shape[-2:]), float(len(calls)))

    positions = CachedPositionEmbedding(embedding)
    for size in [(3, 4), (4, 3), (3, 4)]:
        assert positions(torch.zeros(5, 7, *size), torch.ones(5, *size)).shape == (5, 2, *size)
    assert calls == [(1, 7, 3, 4), (1, 7, 4, 3)]
    for side in range(1, 40):
        positions(torch.zeros(1, 7, side, side), torch.ones(1, side, side))
    assert len(positions._by_size) <= 16


def test_logits_of_another_thread_do_not_change_the_length(grounding_dino):
    similarity = Similarity(AutoModelForZeroShotObjectDetection.from_pretrained(grounding_dino).class_embed[0])
    before = similarity.similarity.max_text_len
    logits = similarity(torch.zeros(1, 3, 8), torch.zeros(1, 5, 8), torch.ones(1, 5, dtype=torch.bool))
    assert (logits.shape, similarity.similarity.max_text_len) == ((1, 3, 5), before)


def test_a_feed_forward_network_in_blocks(monkeypatch):
    monkeypatch.setattr(optimized.modules, "BLOCK", 8)
    network = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 4))
    states = torch.randn(3, 7, 4)
    with torch.inference_mode():
        torch.testing.assert_close(BlockedMlp(network)(states), network(states))


def test_a_module_in_several_places_is_replaced_by_one():
    inner = nn.Linear(2, 2)
    outer = nn.ModuleDict({"a": inner, "b": nn.Sequential(inner, nn.ReLU()), "c": inner})
    built = []

    def build(module):
        built.append(nn.Sequential(copy.copy(module)))
        return built[-1]

    optimized.replace_each(outer, nn.Linear, build)
    assert [outer["a"], outer["b"][0], outer["c"]] == built * 3  # built once
