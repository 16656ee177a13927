"""The images of a batch -> the model's input, in memory that is kept for the next batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from transforms.detectors.resize import ResizeRule


@dataclass(eq=False)
class InputBuffer:
    """Makes the input of one forward pass at a time.

    takes_bytes: whether the model normalises images itself. Otherwise they are normalised by the rule.
    """

    resize_rule: ResizeRule
    device: str
    takes_bytes: bool

    def __post_init__(self) -> None:
        self._bytes, self._floats = _Memory(torch.uint8, "cpu"), _Memory(torch.float32, self.device)

    def pixel_values(self, pictures: Sequence[np.ndarray]) -> torch.Tensor:
        """[images, 3, height, width], valid until the next call. pictures: uint8 [height, width, 3], of one size."""
        stacked = self._bytes.take((len(pictures), *pictures[0].shape))
        np.stack(pictures, out=stacked.numpy())
        pixels = stacked.to(self.device).permute(0, 3, 1, 2)  # a quarter of the bytes of floats
        if self.takes_bytes:
            return pixels
        floats = self._floats.take(pixels.shape).copy_(pixels)
        self.resize_rule.normalize(floats)
        return floats

    def free(self) -> None:
        """Gives the memory back, until the next call."""
        self._bytes.tensor = self._floats.tensor = None


@dataclass(eq=False)
class _Memory:
    """To allocate 40 MB takes 27 ms."""

    dtype: torch.dtype
    device: str
    tensor: torch.Tensor | None = None

    def take(self, shape: Sequence[int]) -> torch.Tensor:
        """A tensor of this shape with arbitrary values. It shares its memory with the last one."""
        size = math.prod(shape)
        if self.tensor is None or len(self.tensor) < size:
            self.tensor = None  # freed first: the old and the new one may not fit in memory together
            self.tensor = torch.empty(size, dtype=self.dtype, device=self.device)
        return self.tensor[:size].view(*shape)
