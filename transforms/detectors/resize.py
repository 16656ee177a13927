"""Picture -> the detector's input tensor, resized without padding.

Padding changes the features of a Swin backbone near its edge by 4 to 20 % of their peak, so a padded picture would
depend on its neighbours in the batch. Both sides are stretched to a multiple of a step instead, and only pictures
of equal size share a batch.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image


@dataclass(frozen=True)
class ResizeRule:
    """How pictures become tensors: sides and step in pixels, Pillow's resampling filter, scale and normalisation."""

    short_side: int
    long_side: int
    step: int
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def target_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that a picture of that size is resized to.

        The usual resize first (short side to `short_side`, unless the long one then exceeds `long_side`), then each
        side to the nearest multiple of `step`, at least one step and never above the greatest multiple in `long_side`.
        """
        scale = min(self.short_side / min(width, height), self.long_side / max(width, height))
        return self._snap(width * scale), self._snap(height * scale)

    def to_tensor(self, image: Image.Image) -> torch.Tensor:
        """uint8 [3, height, width] of an RGB picture: a quarter of what it takes once it is normalised."""
        size = self.target_size(*image.size)
        pixels = np.asarray(image if image.size == size else image.resize(size, self.resample))
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))

    def normalize(self, picture: torch.Tensor) -> None:
        """Normalises a picture float32 [3, height, width] with values 0..255, in place."""
        mean, std = (picture.new_tensor(values)[:, None, None] * 255 for values in (self.mean, self.std))
        picture.sub_(mean).div_(std)

    def _snap(self, side: float) -> int:
        largest = max(self.long_side // self.step, 1)
        return min(max(round(side / self.step), 1), largest) * self.step
