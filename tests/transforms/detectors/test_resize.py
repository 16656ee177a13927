import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers import GroundingDinoImageProcessor
from transformers.image_transforms import get_size_with_aspect_ratio

from transforms.detectors.resize import ResizeRule

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RULE = ResizeRule(800, 1333, 32, Image.Resampling.BILINEAR, MEAN, STD)

sides = st.integers(1, 5000)


def normalized(rule, image):
    pictures = torch.tensor(rule.to_pixels(image, rule.target_size(*image.size))).permute(2, 0, 1)[None].float()
    rule.normalize(pictures)
    return pictures[0]


def noise(width, height):
    pixels = np.random.default_rng(width * 10_000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@given(sides, sides, st.sampled_from([1, 8, 32, 64]))
def test_sides_are_multiples_of_the_step_within_the_long_side(width, height, step):
    size = ResizeRule(800, 1333, step, 2, MEAN, STD).target_size(width, height)
    assert all(side % step == 0 and step <= side <= 1333 for side in size)


@given(st.integers(100, 3000), st.integers(100, 3000))
def test_canvas_is_the_usual_resize_moved_to_the_nearest_multiple(width, height):
    usual_height, usual_width = get_size_with_aspect_ratio((height, width), 800, 1333)
    for side, usual in zip(RULE.target_size(width, height), (usual_width, usual_height), strict=True):
        assert (
            abs(side - usual) <= 17 or side == 1312
        )  # half a step and one pixel of rounding; 1312 = 41 * 32 is the cap


@given(sides, sides)
def test_a_turned_picture_has_the_turned_canvas(width, height):
    assert RULE.target_size(height, width) == RULE.target_size(width, height)[::-1]


@pytest.mark.parametrize(
    ("picture", "canvas"),
    [((640, 480), (1056, 800)), ((480, 640), (800, 1056)), ((800, 800), (800, 800)), ((2000, 8), (1312, 32))],
)
def test_known_sizes(picture, canvas):
    assert RULE.target_size(*picture) == canvas


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (48, 32), (192, 128), (300, 200), (64, 64), (17, 17)])
def test_tensor_equals_the_stock_processors_where_the_canvas_is_the_usual_resize(size):
    processor = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}, do_pad=False)
    rule = ResizeRule(64, 96, 32, int(processor.resample), tuple(processor.image_mean), tuple(processor.image_std))
    image = noise(*size)
    expected = processor(images=image, return_tensors="pt")["pixel_values"][0]
    tensor = normalized(rule, image)
    assert tensor.dtype == torch.float32
    assert tensor.shape == expected.shape
    torch.testing.assert_close(tensor, expected, atol=1e-5, rtol=0)


def test_pixels_are_height_by_width_and_normalised_by_channel():
    rule = ResizeRule(32, 64, 32, 2, MEAN, STD)
    image = Image.new("RGB", (64, 32), (255, 0, 0))
    assert rule.to_pixels(image, (64, 32)).shape == (32, 64, 3)
    tensor = normalized(rule, image)
    expected = [(1 - MEAN[0]) / STD[0], -MEAN[1] / STD[1], -MEAN[2] / STD[2]]
    assert tensor[:, 5, 7].tolist() == pytest.approx(expected, abs=1e-6)
