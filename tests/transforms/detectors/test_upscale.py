"""Upscaled images have the bytes of Pillow's own `resize`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transforms.detectors.resize import ResizeRule
from transforms.detectors.upscale import MAX_HEIGHT, upscale


def differing(image, size):
    """Returns how many bytes differ from Pillow's."""
    return np.count_nonzero(upscale(image, size) != np.asarray(image.resize(size, Image.Resampling.BILINEAR)))


def two_values(height, pairs):
    """Returns an image whose even and odd rows have the first and the second value of all pairs."""
    rows = np.resize(pairs.T, (2, -(-len(pairs) // 3) * 3))
    return Image.fromarray(np.resize(rows, (height, rows.shape[1])).reshape(height, -1, 3))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 700),
    st.integers(1, 60),
    st.data(),
    st.sampled_from([0, 1, 2, 255]),
    st.integers(0),
)
def test_random_images(width, height, new_width, data, spread, seed):
    new_height = data.draw(st.integers(height + 1, 1400))
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    values = values if spread == 255 else 100 + values % (spread + 1)
    assert not differing(Image.fromarray(values.astype(np.uint8)), (new_width, new_height))


ALL = np.indices((256, 256)).reshape(2, -1).T.astype(np.uint8)
RATIOS = [(2, 3), (20, 33), (4, 5), (3, 10), (2, 13), (5, 96), (6, 7), (2, 169), (64, 96), (1, 2), (63, 64)]


@pytest.mark.parametrize(("before", "after"), RATIOS)
def test_all_pairs_of_values(before, after):
    image = two_values(before, ALL)
    assert not differing(image, (image.width, after))


@pytest.mark.parametrize("after", [64, 96, 160, 224, 480, 640, 800, 832, 1056, 1312, 1333, MAX_HEIGHT])
def test_heights_of_canvases(after):
    # A sum is half way between two bytes only if the values differ by a divisor of the height: a few pairs are enough.
    pairs = np.array([(a, b) for a in (0, 100, 255) for b in range(256)], np.uint8)
    for before in {after * 3 // 5, after - 1, after // 2, after * 2 // 3, after // 7, 427, 480, 333, 500, 240}:
        if 0 < before < after:
            assert not differing(two_values(before, pairs), (pairs.shape[0] // 3, after))


@pytest.mark.parametrize("filter", list(Image.Resampling))
@pytest.mark.parametrize("size", [(40, 30), (64, 48), (30, 70), (70, 30), (90, 80), (64, 20), (20, 48)])
def test_every_rule_gives_pillows_bytes(filter, size):
    rule = ResizeRule(48, 64, 16, int(filter), (0.5,) * 3, (0.5,) * 3)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    expected = np.asarray(image.resize((64, 48), filter))
    assert np.array_equal(rule.to_pixels(image, (64, 48)), expected)
