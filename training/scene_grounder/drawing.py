"""Draws things and backgrounds. All randomness comes from the generators that the functions are given."""

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from training.scene_grounder.lexicon import Colour, Noun, lexicon

Rgb = tuple[int, int, int]

SHADES = 8
"""Number of shades of each glyph colour."""

_GLYPH_SIZE = 109  # the only size of the bitmaps in Noto Color Emoji
_SOLID = 48  # least alpha of a pixel that counts as part of a thing


@dataclass(frozen=True)
class Cutout:
    """A thing on a transparent background, cropped to its visible part."""

    image: Image.Image

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Bounding box of the solid part, in pixels of the image."""
        found = self.image.getchannel("A").point(lambda alpha: 255 if alpha >= _SOLID else 0).getbbox()
        return found or (0, 0, *self.image.size)


@cache
def _font(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, _GLYPH_SIZE)


@cache
def glyph(font: str, text: str, colour: str | None, shade: int = 0) -> Image.Image:
    """Returns an RGBA picture of an emoji, recoloured in one of `SHADES` shades if `colour` is given.

    Raises:
      ValueError: the font has no such glyph.
    """
    drawn = Image.new("RGBA", (2 * _GLYPH_SIZE, 2 * _GLYPH_SIZE))
    ImageDraw.Draw(drawn).text((20, 20), text, font=_font(font), embedded_color=True)
    box = drawn.getbbox()
    if box is None:
        raise ValueError(f"{font}: no glyph for {text!r}")
    cut = drawn.crop(box)
    return _tinted(cut, rgb(lexicon().colours[colour], np.random.default_rng(shade))) if colour else cut


def _tinted(image: Image.Image, colour: Rgb) -> Image.Image:
    """Replaces the colour of all coloured pixels. Greys, whites and blacks stay."""
    hsv = np.asarray(image.convert("RGB").convert("HSV"), dtype=np.float32)
    solid: np.ndarray = np.asarray(image.getchannel("A")) >= _SOLID
    pale = min(60.0, 0.7 * float(np.median(hsv[..., 1][solid])))
    vivid: np.ndarray = hsv[..., 1] > pale  # the limit is lower for pale glyphs, so that they change too
    typical, top = np.median(hsv[..., 1][vivid]), np.quantile(hsv[..., 2][vivid], 0.9)
    hue, saturation, value = (part * 255 for part in colorsys.rgb_to_hsv(*(part / 255 for part in colour)))
    painted = hsv.copy()
    painted[..., 0] = hue
    painted[..., 1] = np.clip(hsv[..., 1] * (saturation / typical), 0, 255)
    painted[..., 2] = np.clip(hsv[..., 2] * (value / top), 0, 255)
    mixed = np.where(vivid[..., None], painted, hsv).astype(np.uint8)
    result = Image.fromarray(mixed, "HSV").convert("RGB")
    result.putalpha(image.getchannel("A"))
    return result


def rgb(colour: Colour, rng: np.random.Generator) -> Rgb:
    """Returns a random shade of the colour."""
    hue, saturation, value = (rng.uniform(*ends) for ends in (colour.hue, colour.saturation, colour.value))
    red, green, blue = colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def thing(font: str, noun: Noun, colour: str | None, area: float, near: Rgb, rng: np.random.Generator) -> Cutout:
    """Draws a thing of about `area` square pixels.

    near: the colour behind it. A shape gets an outline if its colour is similar.
    """
    if noun.aspect:
        return _shape(noun, lexicon().colours[colour or "red"], area, near, rng)
    base = glyph(font, str(rng.choice(noun.glyphs)), colour, int(rng.integers(SHADES)) if colour else 0)
    aspect = base.width / base.height * rng.uniform(0.88, 1.13)
    width, height = _sides(area, aspect)
    image = base.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if rng.random() < 0.3:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.6:
        image = image.rotate(rng.uniform(-16, 16), Image.Resampling.BILINEAR, expand=True)
    return _cut(image)


def _sides(area: float, aspect: float) -> tuple[int, int]:
    return max(round(math.sqrt(area * aspect)), 6), max(round(math.sqrt(area / aspect)), 6)


def _cut(image: Image.Image) -> Cutout:
    return Cutout(image.crop(image.getchannel("A").getbbox() or (0, 0, *image.size)))


def _shape(noun: Noun, colour: Colour, area: float, near: Rgb, rng: np.random.Generator) -> Cutout:
    aspect = rng.uniform(*noun.aspect or (1, 1))
    if noun.name == "rectangle" and rng.random() < 0.4:
        aspect = 1 / aspect
    width, height = _sides(area, aspect)
    fill = rgb(colour, rng)
    drowned = sum(abs(a - b) for a, b in zip(fill, near, strict=True)) < 130
    outline = _outline(fill, rng) if drowned or rng.random() < 0.35 else None
    fine = 3  # drawn at three times the size, so that the edges are smooth
    image = Image.new("RGBA", (width * fine, height * fine), (*fill, 0))
    _SHAPES[noun.name](ImageDraw.Draw(image), width * fine - 1, height * fine - 1, fill, outline, fine)
    image = image.resize((width, height), Image.Resampling.BOX)
    if noun.name == "arrow" and rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        image = image.rotate(rng.uniform(-12, 12), Image.Resampling.BILINEAR, expand=True)
    return _cut(image)


def _outline(fill: Rgb, rng: np.random.Generator) -> Rgb:
    dark = sum(fill) > 330
    shade = int(rng.integers(10, 70) if dark else rng.integers(180, 250))
    return shade, shade, min(shade + int(rng.integers(0, 30)), 255)


Draw = Callable[[ImageDraw.ImageDraw, int, int, Rgb, Rgb | None, int], None]


def _polygon(*corners: tuple[float, float]) -> Draw:
    def draw(on: ImageDraw.ImageDraw, width: int, height: int, fill: Rgb, outline: Rgb | None, line: int) -> None:
        on.polygon([(x * width, y * height) for x, y in corners], fill, outline, line)

    return draw


def _circle(on: ImageDraw.ImageDraw, width: int, height: int, fill: Rgb, outline: Rgb | None, line: int) -> None:
    on.ellipse((0, 0, width, height), fill, outline, line)


def _ring(on: ImageDraw.ImageDraw, width: int, height: int, fill: Rgb, outline: Rgb | None, line: int) -> None:
    on.ellipse((0, 0, width, height), None, fill, round(min(width, height) * 0.22))
    if outline:
        on.ellipse((0, 0, width, height), None, outline, line)


_SHAPES: dict[str, Draw] = {
    "circle": _circle,
    "ring": _ring,
    "square": _polygon((0, 0), (1, 0), (1, 1), (0, 1)),
    "rectangle": _polygon((0, 0), (1, 0), (1, 1), (0, 1)),
    "triangle": _polygon((0.5, 0), (1, 1), (0, 1)),
    "diamond": _polygon((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)),
    "hexagon": _polygon((0.25, 0), (0.75, 0), (1, 0.5), (0.75, 1), (0.25, 1), (0, 0.5)),
    "cross": _polygon(
        *((0.33, 0), (0.67, 0), (0.67, 0.33), (1, 0.33), (1, 0.67), (0.67, 0.67)),
        *((0.67, 1), (0.33, 1), (0.33, 0.67), (0, 0.67), (0, 0.33), (0.33, 0.33)),
    ),
    "arrow": _polygon((0, 0.3), (0.55, 0.3), (0.55, 0), (1, 0.5), (0.55, 1), (0.55, 0.7), (0, 0.7)),
}


def paste(picture: Image.Image, cutout: Cutout, left: int, top: int, rng: np.random.Generator) -> None:
    """Pastes a thing into the picture, slightly brighter or darker, sometimes with a shadow."""
    image = cutout.image
    if rng.random() < 0.4:
        offset = max(round(min(image.size) * 0.05), 1)
        shade = Image.new("RGBA", image.size, (0, 0, 0, 255))
        picture.paste(shade, (left + offset, top + offset), image.getchannel("A").point(lambda alpha: alpha // 3))
    light = rng.uniform(0.85, 1.1)
    lit = image.point([min(round(value * light), 255) for value in range(256)] * 3 + list(range(256)))
    picture.paste(lit, (left, top), image)


def background(width: int, height: int, rng: np.random.Generator) -> Image.Image:
    """Returns a plain colour, a linear or radial gradient, blotches, or a horizon, sometimes with noise."""
    first, second = _ground(rng), _ground(rng)
    x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    kind = rng.integers(5)
    share: np.ndarray
    if kind == 0:
        share = np.zeros_like(x)
    elif kind == 1:
        angle = rng.uniform(0, 2 * math.pi)
        share = 0.5 + 0.7 * ((x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle))
    elif kind == 2:
        share = 1.2 * np.hypot(x - rng.random(), y - rng.random())
    elif kind == 3:
        coarse = rng.random((rng.integers(3, 9), rng.integers(3, 9)), dtype=np.float32)
        share = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    else:
        share = 0.85 * (y > rng.uniform(0.35, 0.7)) + 0.15 * y
    pixels = first + (second - first) * np.clip(share, 0, 1)[..., None]
    if rng.random() < 0.4:
        pixels += rng.normal(0, rng.uniform(2, 14), (height, width, 1)).astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _ground(rng: np.random.Generator) -> np.ndarray:
    """Returns float32 [3]. Half of all backgrounds are pale or dull, because most real ones contrast with things."""
    saturation = rng.uniform(0, 0.35) if rng.random() < 0.5 else rng.uniform(0.2, 0.9)
    shade = colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.3, 1.0))
    return np.asarray(shade, dtype=np.float32) * 255


def finish(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blurs 12 % of the pictures slightly, like a lens."""
    if rng.random() < 0.12:
        return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8)))
    return picture
