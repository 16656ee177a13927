import io
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from transforms.perceptual_hash import MAX_DISTANCE, find_near, perceptual_hash


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture of twelve coloured shapes."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(rng.integers(0, 255, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for number in range(12):
        x, y = (rng.random(2) * size).tolist()
        width, height = (rng.random(2) * size / 2).tolist()
        shape = draw.ellipse if number % 2 else draw.rectangle
        shape((x, y, x + width, y + height), fill=tuple(rng.integers(0, 255, 3).tolist()))
    return image


def again(image: Image.Image, **options: object) -> Image.Image:
    target = io.BytesIO()
    image.save(target, **options)
    return Image.open(target)


def distance(one: Image.Image, other: Image.Image) -> int:
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_hash_of_its_public_definition(seed: int) -> None:
    """The definition of ImageHash, with the transform of scipy."""
    fftpack = pytest.importorskip("scipy.fftpack")
    image = picture(seed, (100 + 37 * seed, 300 - 11 * seed))
    pixels = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS))
    low = fftpack.dct(fftpack.dct(pixels, axis=0), axis=1)[:8, :8]
    bits = "".join(str(int(bit)) for bit in (low > np.median(low)).flatten())
    assert perceptual_hash(image) == int(bits, 2)


_Y, _X = np.mgrid[:240, :320]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (127 + 60 * np.sin(_X / 23) + 60 * np.cos(_Y / 17 + _X / 90), "f83f6a3f6ac094c0"),
        ((_X * _X / 400 + _Y * 3 + _X * _Y / 200) % 256, "b917191719073df2"),
        (255 * ((_X - 100) ** 2 + (_Y - 90) ** 2 < 70**2) + _X / 4 * 0.9, "c0c43f3ffc3839c0"),
    ],
    ids=["hills", "waves", "disc"],
)
def test_its_values_are_known(values: np.ndarray, expected: str) -> None:
    grey = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    for image in (grey, grey.convert("RGB")):
        assert f"{perceptual_hash(image):016x}" == expected


def mirrored(seed: int) -> Image.Image:
    """A grey picture of 32 x 32 pixels that equals its mirror image."""
    half = np.random.default_rng(seed).integers(0, 256, (32, 16), np.uint8)
    return Image.fromarray(np.hstack([half, half[:, ::-1]]))


@pytest.mark.parametrize("seed", range(10))
def test_coefficients_that_are_exactly_0_have_no_noise(seed: int) -> None:
    """Each pair of mirrored pixels is added up before the transform: their differences are exactly 0."""
    grey = np.asarray(mirrored(seed), np.float64)
    basis = np.cos(np.pi * np.arange(8)[:, None] * (2 * np.arange(32) + 1) / 64)
    even, odd = grey[:, :16] + grey[:, :15:-1], grey[:, :16] - grey[:, :15:-1]
    assert not odd.any()
    low = np.stack([basis @ (odd if n % 2 else even) @ basis[n, :16] for n in range(8)], axis=1)
    assert np.count_nonzero(low) == 32
    bits = "".join(str(int(bit)) for bit in (low > np.median(low)).flatten())
    assert perceptual_hash(mirrored(seed)) == int(bits, 2)


_HASH_MIRRORED = (
    "from tests.transforms.test_perceptual_hash import *\n"
    "print([perceptual_hash(mirrored(n)) for n in range(10)], perceptual_hash(Image.linear_gradient('L')))"
)


def test_the_kernels_of_a_cpu_change_no_hash() -> None:
    """Kernels of CPUs with SSE and with AVX2 add up in another order."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _HASH_MIRRORED],
            env={**os.environ, "OPENBLAS_CORETYPE": name},
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("Nehalem", "Haswell")
    ]
    nehalem, haswell = (process.communicate()[0] for process in running)
    assert nehalem == haswell
    assert nehalem.startswith(str([perceptual_hash(mirrored(n)) for n in range(10)]))


@pytest.mark.parametrize("seed", range(10))
def test_copies_are_near_and_other_pictures_are_not(seed: int) -> None:
    image = picture(seed)
    assert distance(image, again(image, format="JPEG", quality=30)) <= MAX_DISTANCE
    assert distance(image, image.resize((160, 120))) <= MAX_DISTANCE
    assert distance(image, again(image, format="PNG")) == 0
    assert all(distance(image, picture(other)) > MAX_DISTANCE for other in range(10, 20))


def test_a_picture_of_one_colour_has_none() -> None:
    assert perceptual_hash(Image.new("RGB", (50, 50), "white")) is None
    assert perceptual_hash(Image.effect_noise((512, 512), 1)) is None
    assert perceptual_hash(Image.linear_gradient("L")) is not None


_HASHES = st.lists(
    st.integers(0, 2**64 - 1)
    | st.integers(0, 255)
    | st.sets(st.integers(0, 63), max_size=6).map(lambda s: sum(1 << b for b in s)),
    max_size=30,
)


@given(_HASHES)
def test_a_hash_is_near_an_earlier_one_if_four_bits_differ(values: list[int]) -> None:
    expected = [any((value ^ other).bit_count() <= 4 for other in values[:n]) for n, value in enumerate(values)]
    hashes = np.array(values, np.uint64)
    assert find_near(hashes).tolist() == expected
    assert find_near(hashes[:10]).tolist() == expected[:10]


@given(_HASHES, _HASHES)
def test_a_hash_is_near_one_of_a_list_wherever_it_is(values: list[int], others: list[int]) -> None:
    expected = [any((value ^ other).bit_count() <= 4 for other in others) for value in values]
    assert find_near(np.array(values, np.uint64), np.array(others, np.uint64)).tolist() == expected


def test_large_groups_are_compared_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.perceptual_hash._BLOCK", 7)
    values = [1 << n for n in range(40)] + [0b11111 << 40, 0b111111 << 40]
    assert find_near(np.array(values, np.uint64)).tolist() == [False] + [True] * 39 + [False, True]
