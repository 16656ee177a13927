"""The large matrix products in bfloat16, for processors with instructions for them (AVX512_BF16, AMX).

Weights and inputs of a product have 8 significant bits. Its sums, and all residuals, norms and softmaxes, are float32.
The values are converted in blocks of 512 rows, which stay in the cache: converting whole maps took 11 % of the time.

These stay in float32:

- Box heads, reference points, and coordinates and row numbers of the sampled points: a coordinate in bfloat16 is a
  multiple of 1/512 of the image or coarser.
- The text: its backbone and layers take a few percent of the time, and each score depends on them.
- The class embedding, and the attention scores of the fusion: their differences count, and their products are small.
- The attention in the backbone's windows: in bfloat16 it is slower (40 and 33 ms for the first stage of tiny).
- Convolutions: 1 % of the time.

The offsets and weights of the sampled points are products in bfloat16. On 1,000 scenes, float32 found no more there
(Recall@1 0.987, and 0.989 with all in bfloat16).
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.swin.modeling_swin import SwinAttention, SwinPatchMerging

from transforms.detectors.grounding_dino.optimized import encoder_layer
from transforms.detectors.grounding_dino.optimized.check import (
    check_decoder_layer,
    check_encoder_layer,
    check_window_attention,
)
from transforms.detectors.grounding_dino.optimized.modules import BlockedMlp, replace_each
from transforms.detectors.grounding_dino.optimized.sampling import BLOCK


def use_bfloat16(model: Any) -> None:
    """Converts a model whose modules `optimize` has replaced, in place.

    Raises:
      ValueError: a converted module returns other values, beyond what rounding explains.
    """
    encoder, decoder, backbone = model.model.encoder, model.model.decoder, model.model.backbone
    before = copy.deepcopy((encoder.layers[0], decoder.layers[0], _first(backbone, SwinAttention)))
    for module in backbone.modules():
        if isinstance(module, BlockedMlp):
            module.to(torch.bfloat16)
        elif isinstance(module, SwinPatchMerging):
            module.reduction = Linear(module.reduction)
    replace_each(backbone, SwinAttention, WindowAttention)
    for one in encoder.layers:
        one.fusion = Fusion(one.fusion.layer)
        for module in (one.picture.sampling, one.picture.layer.fc1, one.picture.layer.fc2):
            module.to(torch.bfloat16)
    for one in decoder.layers:
        one.encoder_attn.to(torch.bfloat16)
        one.self_attn, one.encoder_attn_text = Attention(one.self_attn), Attention(one.encoder_attn_text)
        one.fc1, one.fc2 = Linear(one.fc1), Linear(one.fc2)
    check_encoder_layer(before[0], encoder.layers[0], model, _TOLERANCE)
    check_decoder_layer(before[1], decoder.layers[0], model, _TOLERANCE)
    if before[2]:
        check_window_attention(before[2], _first(backbone, WindowAttention), _TOLERANCE)


_TOLERANCE = 0.05
"""Of the largest value of a module's result. The embedded detector differs by 0.01, a wrong module by about 1."""


def _first(inside: nn.Module, kind: type[nn.Module]) -> nn.Module | None:
    return next((module for module in inside.modules() if isinstance(module, kind)), None)


class Linear(nn.Module):
    """A linear layer that is computed in bfloat16. Inputs and results are float32."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear.to(torch.bfloat16)

    def forward(self, states: Tensor) -> Tensor:
        """[…, out channels], from […, in channels]."""
        flat = states.reshape(-1, states.shape[-1])
        result = flat.new_empty(len(flat), self.linear.out_features)
        for rows, block in zip(result.split(BLOCK), flat.split(BLOCK), strict=True):
            rows.copy_(self.linear(block.to(torch.bfloat16)))
        return result.view(*states.shape[:-1], -1)


class WindowAttention(nn.Module):
    """The backbone's attention in windows, in blocks of 512 cells, with one product for queries, keys and values."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.heads, self.scale = attention.num_attention_heads, attention.scaling
        self.position_bias, self.output = attention.relative_position_bias, attention.o_proj.to(torch.bfloat16)
        layers = attention.q_proj, attention.k_proj, attention.v_proj
        self.weight = nn.Buffer(torch.cat([layer.weight.detach() for layer in layers]).to(torch.bfloat16))
        has_bias = layers[0].bias is not None
        self.bias = nn.Buffer(torch.cat([layer.bias.detach() for layer in layers]).bfloat16()) if has_bias else None

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any) -> tuple[Tensor, None]:
        """[windows of all images, cells, channels]. attention_mask: float [windows of an image, cells, cells], added to
        the scores."""
        result, mask = torch.empty_like(hidden_states), self.position_bias()
        step = max(BLOCK // hidden_states.shape[1], 1)
        for first, block in zip(range(0, len(result), step), hidden_states.split(step), strict=True):
            if attention_mask is not None:
                windows = torch.arange(first, first + len(block)) % len(attention_mask)
                mask = self.position_bias() + attention_mask[windows, None]
            projected = functional.linear(block.to(torch.bfloat16), self.weight, self.bias).float()
            query, key, value = projected.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            attended = functional.scaled_dot_product_attention(query, key, value, mask, scale=self.scale)
            result[first : first + step] = self.output(attended.transpose(1, 2).flatten(2).to(torch.bfloat16))
        return result, None


class Attention(nn.Module):
    """The decoder's attention, between queries or to the text. It replaces the class's sequence of operations, which
    writes 900 x 900 scores per head four times, by one operation in float32."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.heads = attention.num_attention_heads
        self.query, self.key, self.value = Linear(attention.query), Linear(attention.key), Linear(attention.value)
        self.output = Linear(attention.out_proj)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> tuple[Tensor, None]:
        """As the class's module, with None for attention weights."""
        projected = self.query(queries), self.key(keys), self.value(values)
        query, key, value = (one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in projected)
        attended = functional.scaled_dot_product_attention(query, key, value, attention_mask)
        return self.output(attended.transpose(1, 2).flatten(2)), None


class Fusion(encoder_layer.Fusion):
    """The fusion with the products of locations and tokens in bfloat16.

    Scores have the locations last, where a softmax over tokens is 17 times as fast as one over 13 neighbours.
    """

    def forward(self, picture: Tensor, text: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """As the class that it extends."""
        layer = self.layer
        picture, text = layer.layer_norm_vision(picture), layer.layer_norm_text(text)
        scores = self._scores(picture, text).transpose(1, 2).contiguous()
        by_word = scores.softmax(2).to(torch.bfloat16) @ picture.to(torch.bfloat16)
        by_head = scores.unflatten(1, (self.heads, -1)).masked_fill_(padding[:, None, :, None], float("-inf"))
        by_place = by_head.softmax(2).flatten(1, 2).to(torch.bfloat16)
        words, bias = self._text_values(text)
        picture = picture.add_(bias).add_(by_place.transpose(1, 2) @ words.to(torch.bfloat16))
        return picture, text + layer.text_param * self._text_update(by_word.float())
