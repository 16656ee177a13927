"""Checks that a replacement returns the same values as the class's own module, which depends on transformers."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

_TOKENS = 6
_TOLERANCE = 1e-4


def check_encoder_layer(stock: Any, fast: Any, model: Any, tolerance: float = _TOLERANCE) -> None:
    """Compares two encoder layers on two random images and texts, one of them with padding.

    Raises:
      ValueError: they differ by more than `tolerance` times the largest value.
    """
    noise, config = _noise(), model.config
    shapes, locations, layout = _levels(config.num_feature_levels)
    ratios = torch.ones(2, config.num_feature_levels, 2)
    padding = torch.tensor([[False] * _TOKENS, [False] * (_TOKENS - 1) + [True]])
    inputs = {
        "vision_features": noise(2, locations, config.d_model),
        "vision_position_embedding": noise(2, locations, config.d_model),
        **layout,
        "key_padding_mask": torch.zeros(2, locations, dtype=torch.bool),
        "reference_points": model.model.encoder.get_reference_points(shapes, ratios, device="cpu"),
        "text_features": noise(2, _TOKENS, config.d_model),
        "text_attention_mask": padding,
        "text_self_attention_masks": ~torch.eye(_TOKENS, dtype=torch.bool).repeat(2, 1, 1),
    }
    _compare(lambda layer: torch.cat(layer(**inputs)[0], dim=1), stock, fast, tolerance)


def check_box_attention(stock: Any, fast: Any, model: Any) -> None:
    """Compares two deformable attentions of a decoder on random boxes; raises as `check_encoder_layer`."""
    noise, config = _noise(), model.config
    _, locations, layout = _levels(config.num_feature_levels)
    inputs = {
        "hidden_states": noise(2, 9, config.d_model),
        "position_embeddings": noise(2, 9, config.d_model),
        "encoder_hidden_states": noise(2, locations, config.d_model),
        "reference_points": noise(2, 9, config.num_feature_levels, 4).sigmoid(),
        **layout,
    }
    _compare(lambda attention: attention(**inputs)[0], stock, fast, _TOLERANCE)


def check_decoder_layer(stock: Any, fast: Any, model: Any, tolerance: float) -> None:
    """Compares two decoder layers on random queries, boxes and texts; raises as `check_encoder_layer`."""
    noise, config = _noise(), model.config
    _, locations, layout = _levels(config.num_feature_levels)
    inputs = {
        "hidden_states": noise(2, 9, config.d_model),
        "position_embeddings": noise(2, 9, config.d_model),
        "vision_encoder_hidden_states": noise(2, locations, config.d_model),
        "text_encoder_hidden_states": noise(2, _TOKENS, config.d_model),
        "text_encoder_attention_mask": noise(2, 1, 9, _TOKENS),
        "reference_points": noise(2, 9, config.num_feature_levels, 4).sigmoid(),
        **layout,
    }
    _compare(lambda layer: layer(**inputs)[0], stock, fast, tolerance)


def check_window_attention(stock: Any, fast: Any, tolerance: float) -> None:
    """Compares two attentions of the backbone on two images of three windows; raises as `check_encoder_layer`."""
    noise, cells = _noise(), stock.relative_position_bias().shape[-1]
    states, mask = noise(6, cells, stock.q_proj.in_features), noise(3, cells, cells)
    _compare(lambda attention: attention(states, mask)[0], stock, fast, tolerance)


def check_patch_embeddings(stock: Any, fast: Any, mean: Sequence[float], std: Sequence[float]) -> None:
    """Compares the first layer of a backbone for two normalised images with the one for bytes; raises as
    `check_encoder_layer`. Their sides are no multiples of a patch's."""
    weight = stock.projection.weight
    height, width = (side * 2 + 1 for side in stock.patch_size)
    pixels = torch.randint(0, 256, (2, 3, height, width), generator=torch.Generator().manual_seed(0))
    middle, scale = (torch.tensor(values)[:, None, None] for values in (mean, std))
    inputs = {stock: (pixels / 255 - middle) / scale, fast: pixels.to(torch.uint8)}
    # On a GPU, convolutions round to 10 bits (TF32), matrix products do not.
    tolerance = _TOLERANCE if weight.device.type == "cpu" else 0.01
    _compare(lambda layer: layer(inputs[layer].to(weight.device))[0], stock, fast, tolerance)


def _noise() -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


def _levels(levels: int) -> tuple[list[list[int]], int, dict[str, Any]]:
    """Height and width of each level, the number of all locations, and the arguments that describe the levels.

    The levels become smaller, and none is square, so that mixed-up sides give wrong values.
    """
    shapes = [[side, side + 1] for side in range(levels, 0, -1)]
    *starts, locations = accumulate((height * width for height, width in shapes), initial=0)
    sizes = torch.tensor(shapes)
    layout = {"spatial_shapes": sizes, "spatial_shapes_list": shapes, "level_start_index": torch.tensor(starts)}
    return shapes, locations, layout


def _compare(run: Callable[[Any], Tensor], stock: Any, fast: Any, tolerance: float) -> None:
    with torch.inference_mode():
        expected, actual = run(stock), run(fast)
    if not expected.isfinite().all():
        return  # the weights are faulty; the first batch raises for that
    if not (actual - expected).abs().max() <= tolerance * expected.abs().max():
        raise ValueError(f"{type(fast).__name__} returns other values than {type(stock).__name__}")
