"""Replaces the emoji font in tests: every glyph is a grey disc."""

import numpy as np
from PIL import Image, ImageDraw

from training.scene_grounder import drawing
from training.scene_grounder.scenes import Thing

FONT = "no font"


def without_font(monkeypatch):
    """Makes it possible to draw scenes without the emoji font."""

    def glyph(font, text, colour, shade=0):
        image = Image.new("RGBA", (60, 50))
        ImageDraw.Draw(image).ellipse((0, 0, 59, 49), (90, 90, 90, 255))
        return image

    monkeypatch.setattr(drawing, "glyph", glyph)


def thing(noun, colour=None, size="medium", box=(0.1, 0.1, 0.3, 0.3)):
    return Thing(noun, colour, size, box)


def generator(seed=0):
    return np.random.default_rng(seed)
