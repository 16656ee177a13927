"""Image -> the pixels of the detector's input, resized without padding.

Padding changes the features of a Swin backbone near the padded edge by 4 to 20 % of their peak, so the result for a
padded image would depend on the other images of the batch. Instead, both sides are stretched to a multiple of a
step, and only images of equal size share a batch.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from transforms.detectors.upscale import MAX_HEIGHT, upscale


@dataclass(frozen=True)
class ResizeRule:
    """How an image becomes an input: sides and step in pixels, Pillow's resampling filter, mean and std in 0..1.

    reduced: whether a JPEG that is at least twice as large as its target is decoded at reduced scale.
    """

    short_side: int
    long_side: int
    step: int
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    reduced: bool = False

    def target_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height to which an image of the given size is resized.

        First the usual resize: the short side to `short_side`, or the long side to `long_side` if it would be longer.
        Then each side to the nearest multiple of `step`, at least one step and at most the largest multiple of `step`
        in `long_side`.
        """
        scale = min(self.short_side / min(width, height), self.long_side / max(width, height))
        return self._snap(width * scale), self._snap(height * scale)

    def to_pixels(self, image: Image.Image, size: tuple[int, int]) -> np.ndarray:
        """An RGB image, resized to a width and a height, as uint8 [height, width, 3].

        Floats would need four times the memory.
        """
        if self.resample == Image.Resampling.BILINEAR and image.height < size[1] <= MAX_HEIGHT:
            return upscale(image, size)
        return np.asarray(image if image.size == size else image.resize(size, self.resample))

    def normalize(self, pictures: torch.Tensor) -> None:
        """Normalises in place. pictures: float32 [images, 3, height, width] with values 0..255."""
        mean, std = (pictures.new_tensor(values)[:, None, None] * 255 for values in (self.mean, self.std))
        pictures.sub_(mean).div_(std)

    def _snap(self, side: float) -> int:
        largest = max(self.long_side // self.step, 1)
        return min(max(round(side / self.step), 1), largest) * self.step
