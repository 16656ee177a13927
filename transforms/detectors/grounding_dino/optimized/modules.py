"""Replacements of small modules: computed once, in blocks, or for fewer tokens."""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from transforms.detectors.grounding_dino.optimized.sampling import BLOCK


class DeduplicatingBackbone(nn.Module):
    """The backbone, computed once for consecutive equal images of a batch (captions of one image)."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = backbone.channels

    def forward(self, pixel_values: Tensor, **options: Any) -> Any:
        """As the backbone's forward. pixel_values: float [images, 3, height, width], or uint8 if it takes bytes."""
        if hasattr(_last, "pixels"):
            if _last.pixels is None or not torch.equal(_last.pixels, pixel_values):
                _last.pixels, _last.output = pixel_values.clone(), self.backbone(pixel_values, **options)
            return _last.output
        new = [not number or not torch.equal(pixel_values[number - 1], row) for number, row in enumerate(pixel_values)]
        if all(new):
            return self.backbone(pixel_values, **options)
        rows = torch.tensor(new, device=pixel_values.device)
        output = self.backbone(pixel_values[rows], **options)
        index = rows.cumsum(0) - 1
        output.feature_maps = tuple(maps[index] for maps in output.feature_maps)
        return output


_last = threading.local()


@contextmanager
def image_by_image() -> Iterator[None]:
    """Forward passes of this thread, each with one image, compute the backbone once for consecutive equal images."""
    _last.pixels = _last.output = None
    try:
        yield
    finally:
        del _last.pixels, _last.output


class CachedPositionEmbedding(nn.Module):
    """Position embeddings of maps, computed once per size. Without padding they depend only on the size."""

    _MAX_SIZES = 16

    def __init__(self, embedding: Any) -> None:
        super().__init__()
        self.embedding = embedding
        self._by_size: dict[tuple[int, int], Tensor] = {}
        self._lock = threading.Lock()

    def forward(self, maps: Tensor, mask: Tensor) -> Tensor:
        """[images, channels, height, width]. maps: feature maps of that size. mask: all True."""
        size = (int(maps.shape[-2]), int(maps.shape[-1]))
        with self._lock:
            if size not in self._by_size:
                while len(self._by_size) >= self._MAX_SIZES:  # 13 MB each for the largest map at 800 x 1056
                    del self._by_size[next(iter(self._by_size))]
                self._by_size[size] = self.embedding(maps[:1], mask[:1])
            return self._by_size[size].expand(len(maps), -1, -1, -1)


class BlockedMlp(nn.Module):
    """A feed-forward network, in blocks of 512 locations, so that its wide middle layer stays in the CPU cache."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, states: Tensor) -> Tensor:
        """[…, channels], like `states`."""
        flat, dtype = states.reshape(-1, states.shape[-1]), next(self.network.parameters()).dtype
        result = torch.empty_like(flat)
        for rows, block in zip(result.split(BLOCK), flat.split(BLOCK), strict=True):
            rows.copy_(self.network(block.to(dtype)))
        return result.view(states.shape)


class Similarity(nn.Module):
    """Logits of locations and tokens, only for the existing tokens. The class pads them to 256 tokens with -inf."""

    def __init__(self, similarity: Any) -> None:
        super().__init__()
        self.similarity = similarity

    def forward(self, vision_hidden_state: Tensor, text_hidden_state: Tensor, text_token_mask: Tensor) -> Tensor:
        """[images, queries, tokens]."""
        similarity = copy.copy(self.similarity)  # another thread may set another length
        similarity.max_text_len = text_hidden_state.shape[1]
        logits: Tensor = similarity(vision_hidden_state, text_hidden_state, text_token_mask)
        return logits


def replace_each(inside: nn.Module, kind: type[nn.Module], by: Callable[[Any], nn.Module]) -> None:
    """Replaces every module of the class `kind` by `by(module)`. A shared module gets one replacement, built once."""
    found: dict[nn.Module, nn.Module] = {}
    for module in list(inside.modules()):
        for name, child in list(module._modules.items()):  # named_children leaves out a second name of a module
            if type(child) is kind:
                if child not in found:
                    found[child] = by(child)
                setattr(module, name, found[child])
