"""Training batches: pictures of one size, prompts of several phrases, and for each box the tokens that name it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.scene_grounder.blocks import MEAN, STD, StoredScene, read_block
from training.scene_grounder.lexicon import lexicon
from training.scene_grounder.phrases import GeneratedPhrase, absent, present
from training.scene_grounder.scenes import Kind, Thing
from transforms.detectors.grounding_dino.prompts import build_prompts

MAX_PHRASES = 10
TOKENS = 48
"""Maximum number of tokens in a training prompt. Longer prompts cost time and teach nothing new."""

_OPEN_BLOCKS = 4  # scenes are shuffled within this many blocks


@dataclass(frozen=True)
class Target:
    """The targets of one picture and the content of its prompt.

    boxes: float32 [n, 4], normalised centre, width, height. named: float32 [n, tokens], 1 if the token belongs to a
    phrase that means the thing. kinds: int64 [n, 3], nouns, colours and sizes of the things as lexicon numbers, -1 for
    none. spans: int64 [m, 2], the token ranges of all phrases. says: int64 [m, 3], the kinds of the phrases. all_boxes
    and all_kinds: the same as boxes and kinds, for all things of the scene.
    """

    boxes: torch.Tensor
    named: torch.Tensor
    kinds: torch.Tensor
    spans: torch.Tensor
    says: torch.Tensor
    all_boxes: torch.Tensor
    all_kinds: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """One batch. pixels: float32 [b, 3, h, w]. ids, mask: int64 [b, tokens]."""

    pixels: torch.Tensor
    ids: torch.Tensor
    mask: torch.Tensor
    targets: list[Target]

    def to(self, device: str) -> "Batch":
        """Returns the batch on that device."""
        targets = [Target(*(part.to(device) for part in vars(target).values())) for target in self.targets]
        return Batch(self.pixels.to(device), self.ids.to(device), self.mask.to(device), targets)


class _CachingTokenizer:
    """A tokenizer with a cache for phrases."""

    def __init__(self, tokenizer: Any) -> None:
        self._ids = lru_cache(100_000)(lambda text, **options: tokenizer(text, **options)["input_ids"])

    def __call__(self, text: str, **options: bool) -> dict[str, list[int]]:
        return {"input_ids": self._ids(text, **options)}


@dataclass(frozen=True)
class Share:
    """A worker's part of each batch: number `rank` of `workers`."""

    rank: int = 0
    workers: int = 1


_WHOLE = Share()


class Batches:
    """An endless stream of batches that depends only on seed, step and share.

    All shares of a step have pictures of one size, so workers do not wait for each other. size: scenes per step, over
    all workers.
    """

    def __init__(self, folder: Path, blocks: int, size: int, tokenizer: Any, seed: int, share: Share = _WHOLE) -> None:
        self.folder, self.blocks, self.size, self.seed, self.share = folder, blocks, size, seed, share
        self.tokenizer = _CachingTokenizer(tokenizer)

    def from_step(self, step: int) -> Iterator[Batch]:
        """Yields the batches from that step on, the same as in an uninterrupted stream."""
        for number, group in enumerate(self._all_groups()):
            if number >= step:
                worker_scenes = group[self.share.rank :: self.share.workers]
                yield self._batch(worker_scenes, np.random.default_rng([self.seed, number, self.share.rank]))

    def _all_groups(self) -> Iterator[list[StoredScene]]:
        """Yields every scene once per epoch, except the remaining few of each size that do not fill a batch."""
        for epoch in itertools.count():
            rng = np.random.default_rng([self.seed, epoch])
            order = rng.permutation(self.blocks)
            for first in range(0, self.blocks, _OPEN_BLOCKS):
                chosen = order[first : first + _OPEN_BLOCKS]
                stored = [scene for number in chosen for scene in read_block(self.folder, int(number))]
                yield from self._groups(stored, rng)

    def _groups(self, stored: list[StoredScene], rng: np.random.Generator) -> list[list[StoredScene]]:
        by_shape: dict[tuple[int, ...], list[StoredScene]] = {}
        for i in rng.permutation(len(stored)):
            by_shape.setdefault(stored[i].pixels.shape, []).append(stored[i])
        groups = [
            scenes[start : start + self.size]
            for scenes in by_shape.values()
            for start in range(0, len(scenes) - self.size + 1, self.size)
        ]
        return [groups[i] for i in rng.permutation(len(groups))]

    def _batch(self, group: list[StoredScene], rng: np.random.Generator) -> Batch:
        pictures, ids, targets = [], [], []
        for scene in group:
            mirrored = rng.random() < 0.5
            pictures.append(augmented(scene.pixels, mirrored, rng))
            generated, prompt = self._prompt(scene, rng)
            ids.append(prompt.ids)
            targets.append(target(scene, generated, prompt.spans, mirrored))
        width = max(map(len, ids))
        padded = torch.zeros(len(ids), width, dtype=torch.long)
        for row, some in enumerate(ids):
            padded[row, : len(some)] = torch.tensor(some)
        mask = (padded != 0).long()
        return Batch(torch.from_numpy(np.stack(pictures)), padded, mask, targets)

    def _prompt(self, scene: StoredScene, rng: np.random.Generator) -> tuple[list[GeneratedPhrase], Any]:
        generated = phrases(scene, rng)
        while True:
            packed = build_prompts(self.tokenizer, [one.text for one in generated], TOKENS)
            if len(packed.prompts) == 1:
                return generated, packed.prompts[0]
            generated = generated[: len(packed.prompts[0].phrases)]


def phrases(scene: StoredScene, rng: np.random.Generator) -> list[GeneratedPhrase]:
    """Returns the phrases of a training prompt in random order, some present and some absent, with distinct texts."""
    number = int(rng.integers(2, MAX_PHRASES + 1))
    present_count = max(1, round(number * rng.uniform(0.3, 0.75)))
    generated = [present(scene.things, rng) for _ in range(present_count)]
    generated += [absent(scene.things, rng, unseen=False) for _ in range(number - present_count)]
    distinct = list({one.text: one for one in generated}.values())
    return [distinct[i] for i in rng.permutation(len(distinct))]


def target(
    scene: StoredScene, generated: list[GeneratedPhrase], spans: tuple[tuple[int, int], ...], mirrored: bool
) -> Target:
    """Returns the boxes of the things that at least one phrase means, with the tokens of all these phrases."""
    numbers_to_find = sorted({number for one in generated for number in one.things})
    named = torch.zeros(len(numbers_to_find), TOKENS)
    for one, (first, last) in zip(generated, spans, strict=True):
        for number in one.things:
            named[numbers_to_find.index(number), first:last] = 1
    boxes = _boxes(scene.things, mirrored)
    kinds = torch.tensor([_kind(thing) for thing in scene.things])
    says = torch.tensor([_kind(one.kind) for one in generated])
    return Target(boxes[numbers_to_find], named, kinds[numbers_to_find], torch.tensor(spans), says, boxes, kinds)


def _boxes(things: Sequence[Thing], mirrored: bool) -> torch.Tensor:
    boxes = torch.tensor([thing.box for thing in things], dtype=torch.float32)
    if mirrored:
        boxes = torch.stack((1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]), dim=1)
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return torch.cat((centre, size), dim=1)


def _kind(kind: Kind | Thing) -> tuple[int, int, int]:
    lex = vocabulary_ids()
    return lex[kind.noun], lex.get(kind.colour or "", -1), lex.get(kind.size or "", -1)


@cache
def vocabulary_ids() -> dict[str, int]:
    """Returns the number of every noun, colour and size. Each of the three groups counts from 0."""
    lex = lexicon()
    return {name: number for group in (lex.nouns, lex.colours, lex.sizes) for number, name in enumerate(group)}


def augmented(pixels: np.ndarray, mirrored: bool, rng: np.random.Generator) -> np.ndarray:
    """Returns float32 [3, h, w]: normalised, slightly brighter or darker, mirrored if `mirrored`."""
    light = np.float32(rng.uniform(0.85, 1.15))
    picture = pixels[:, ::-1] if mirrored else pixels
    scaled = np.clip(picture.astype(np.float32) * (light / 255), 0, 1)
    normal = (scaled - np.asarray(MEAN, np.float32)) / np.asarray(STD, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1))
