"""Scenes: which things they contain, where these are, and which of them a description means."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from training.scene_grounder import drawing
from training.scene_grounder.lexicon import Noun, held_out, lexicon

PICTURES = ((160, 160), (224, 224), (320, 320), (320, 240), (240, 180), (240, 320), (180, 240), (320, 180), (284, 160))
"""Width and height in pixels: squares, 4:3, 3:4 and 16:9."""

MAX_THINGS = 8

_NUMBERS = np.array([0.06, 0.16, 0.22, 0.2, 0.14, 0.1, 0.07, 0.05])  # probabilities of 1..8 things
_HIDDEN = 0.3  # two things overlap by at most this share of the smaller one
_SIZES = ("small", "medium", "large")
_TRIES = 40  # places to try for a thing
_KINDS = 100  # kinds of things to try for a picture
_FEW = 4  # with more things, the maximum sizes are reduced


@dataclass(frozen=True)
class Thing:
    """One thing of a scene. box: normalised corners x1, y1, x2, y2 of its solid part."""

    noun: str
    colour: str | None
    size: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """A picture and its things."""

    picture: Image.Image
    things: tuple[Thing, ...]


@dataclass(frozen=True)
class Kind:
    """The content of a description: a noun and optionally a colour and a size."""

    noun: str
    colour: str | None = None
    size: str | None = None


def matching_things(kind: Kind, things: tuple[Thing, ...]) -> list[int] | None:
    """Returns the numbers of the things that a description fits, or None if the description is ambiguous.

    It is ambiguous if it names a size and a thing of that noun and colour is medium: "a small dog" is unclear if there
    is a medium dog.
    """
    found = []
    for number, thing in enumerate(things):
        if thing.noun != kind.noun or (kind.colour and thing.colour != kind.colour):
            continue
        if kind.size and thing.size == "medium":
            return None
        if kind.size in (None, thing.size):
            found.append(number)
    return found


def side(box: tuple[float, float, float, float]) -> float:
    """Returns the square root of the box's area; 1 for a box of the whole picture."""
    return math.sqrt((box[2] - box[0]) * (box[3] - box[1]))


def make_scene(font: str, rng: np.random.Generator, *, unseen: bool = False) -> Scene:
    """Draws a scene.

    font: path of Noto Color Emoji. unseen: whether the scene contains a combination of colour and noun that is held out
    of training. Otherwise it contains none.
    """
    width, height = PICTURES[rng.integers(len(PICTURES))]
    builder = _SceneBuilder(drawing.background(width, height, rng), font, rng)
    number = int(rng.choice(MAX_THINGS, p=_NUMBERS)) + 1
    builder.crowd = 1.0 if number <= _FEW else 0.85
    for _ in range(_KINDS):
        if len(builder.things) >= number:
            break
        noun, colour = _choose(rng, unseen and not builder.things)
        for _ in range(min(_alike(rng), number - len(builder.things))):
            builder.put(noun, colour)
    return Scene(drawing.finish(builder.picture, rng), tuple(builder.things))


def _alike(rng: np.random.Generator) -> int:
    return int(rng.choice([1, 2, 3, 4], p=[0.74, 0.16, 0.08, 0.02]))


@cache
def _combinations(unseen: bool) -> list[tuple[str, str]]:
    lex = lexicon()
    pairs = [(colour, name) for name, noun in lex.nouns.items() for colour in lex.colours_of(noun)]
    return [pair for pair in pairs if held_out(*pair) == unseen]


def _choose(rng: np.random.Generator, unseen: bool) -> tuple[Noun, str | None]:
    lex = lexicon()
    if unseen or rng.random() < 0.36:  # so that about as many things teach colours as teach kinds
        pairs = _combinations(unseen)
        colour, name = pairs[rng.integers(len(pairs))]
        return lex.nouns[name], colour
    plain = [noun for noun in lex.nouns.values() if not noun.coloured]
    return plain[rng.integers(len(plain))], None


class _SceneBuilder:
    """Builds a picture thing by thing. crowd: factor for the maximum sizes."""

    def __init__(self, picture: Image.Image, font: str, rng: np.random.Generator) -> None:
        self.picture, self.font, self.rng = picture, font, rng
        self.things: list[Thing] = []
        self.crowd = 1.0

    def put(self, noun: Noun, colour: str | None) -> None:
        """Draws one more thing at a free place. Each attempt reduces the maximum size. If all fail, draws nothing."""
        minimum, maximum = lexicon().sizes[_SIZES[self.rng.choice(3, p=[0.36, 0.4, 0.24])]].side
        for attempt in range(_TRIES):
            wanted_side = self.rng.uniform(minimum, max(minimum + 0.01, maximum * self.crowd * (1 - 0.012 * attempt)))
            cutout = self._cutout(noun, colour, wanted_side)
            x1, y1, x2, y2 = cutout.box
            width, height = self.picture.size
            if x2 - x1 >= width - 2 or y2 - y1 >= height - 2:
                continue
            left = int(self.rng.integers(-x1, width - x2 + 1))
            top = int(self.rng.integers(-y1, height - y2 + 1))
            box = ((left + x1) / width, (top + y1) / height, (left + x2) / width, (top + y2) / height)
            allowed = _HIDDEN if self.rng.random() < 0.25 else 0.02
            if all(_covered(box, other.box) <= allowed for other in self.things):
                drawing.paste(self.picture, cutout, left, top, self.rng)
                self.things.append(Thing(noun.name, colour, _size(box), box))
                return

    def _cutout(self, noun: Noun, colour: str | None, wanted_side: float) -> drawing.Cutout:
        area = wanted_side**2 * self.picture.width * self.picture.height
        return drawing.thing(self.font, noun, colour, area, _middle(self.picture), self.rng)


def _size(box: tuple[float, float, float, float]) -> str:
    """Returns the size class of the drawn thing, because rotation changes its box."""
    length, sizes = side(box), lexicon().sizes
    if length <= (sizes["small"].side[1] + sizes["medium"].side[0]) / 2:
        return "small"
    return "large" if length >= (sizes["medium"].side[1] + sizes["large"].side[0]) / 2 else "medium"


def _covered(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Returns the share of the smaller box that is inside the other box."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _middle(picture: Image.Image) -> drawing.Rgb:
    pixel = picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return int(pixel[0]), int(pixel[1]), int(pixel[2])
