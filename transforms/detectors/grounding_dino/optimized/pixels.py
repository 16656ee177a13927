"""The first layer of a Swin backbone for images as bytes: their normalisation is part of its weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

_BLOCK = 1024
"""Patches whose values are converted at a time. A block of a whole batch would be new memory of four times its size."""


class BytePatchEmbeddings(nn.Module):
    """The patch embeddings of `SwinPatchEmbeddings`, as one matrix product, float32 also under autocast.

    With weights W and bias b of the class, a value x of 0..255 counts as W / (255 std) x, and the bias is b - sum(W
    mean / std). Half precision would lose by that: the products are larger than those of normalised values, while
    their sums are not.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor

    def __init__(self, stock: Any, mean: Sequence[float], std: Sequence[float]) -> None:
        """mean, std: of each channel, for values in 0..1."""
        super().__init__()
        self.stock, (self.height, self.width) = stock, stock.patch_size
        layer = stock.projection
        weight, bias = (values.detach().cpu().double() for values in (layer.weight, layer.bias))  # MPS has no float64
        middle, scale = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
        weight = weight.permute(2, 3, 1, 0) / scale[:, None]  # [height, width, channels, embedding]
        bias = bias - (weight * middle[:, None]).sum((0, 1, 2))
        weight = (weight / 255).flatten(0, 2)
        own = (weight, bias, middle * 255)
        self.weight, self.bias, self.mean = (nn.Buffer(values.float().to(layer.weight.device)) for values in own)

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """As the class's forward. pixel_values: uint8 [images, 3, height, width]; floats are already normalised."""
        if pixel_values.is_floating_point():
            embedded: tuple[Tensor, tuple[int, int]] = self.stock(pixel_values)
            return embedded
        pixels = self._padded(pixel_values.permute(0, 2, 3, 1))
        rows, columns = pixels.shape[1] // self.height, pixels.shape[2] // self.width
        patches = pixels.reshape(-1, self.height, columns, self.width * pixels.shape[3]).transpose(1, 2)
        result = self.weight.new_empty(len(patches) * columns, self.weight.shape[1])
        step = max(_BLOCK // columns, 1) if pixels.device.type == "cpu" else len(patches)
        for part, block in zip(result.split(step * columns), patches.split(step), strict=True):
            # Autocast leaves functions with `out` in the type of their arguments.
            torch.addmm(self.bias, block.float().reshape(len(part), -1), self.weight, out=part)
        return result.view(len(pixels), rows * columns, -1), (rows, columns)

    def _padded(self, pixels: Tensor) -> Tensor:
        """[images, height, width, 3] with sides that are multiples of a patch's. The class pads normalised images with
        0, which is the mean colour."""
        images, height, width, _ = pixels.shape
        below, right = -height % self.height, -width % self.width
        if not below and not right:
            return pixels
        padded = self.mean.repeat(images, height + below, width + right, 1)
        padded[:, :height, :width] = pixels
        return padded
