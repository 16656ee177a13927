"""An encoder layer: text and image attend to each other (fusion), then the image to itself (deformable attention).

The class's fusion projects every location of the image to 1024 channels, to compare it with about a dozen tokens, and
back. Here the matrix products start with the tokens: a location is compared directly with the tokens of four heads, by
a matrix with heads * tokens columns.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from transforms.detectors.grounding_dino.optimized.sampling import GatherAttention, LevelLayout, ValueTables, blocks


class EncoderLayer(nn.Module):
    """Replaces the class's encoder layer and uses its weights."""

    def __init__(self, layer: Any, tables: ValueTables) -> None:
        super().__init__()
        self.layer = layer
        self.fusion = Fusion(layer.fusion_layer)
        self.picture = PictureLayer(layer.deformable_layer, tables)

    def forward(
        self,
        vision_features: Tensor,
        vision_position_embedding: Tensor,
        *,
        spatial_shapes_list: Sequence[tuple[int, int]],
        text_features: Tensor,
        text_attention_mask: Tensor,
        text_self_attention_masks: Tensor,
        text_position_embedding: Tensor | None = None,
        text_position_ids: Tensor | None = None,
        **_: Any,
    ) -> tuple[tuple[Tensor, Tensor], tuple[None, ...]]:
        """As the class's layer. Returns None for the attention weights."""
        positions = self.layer.get_text_position_embeddings(text_features, text_position_embedding, text_position_ids)
        picture, text = self.fusion(vision_features, text_features, text_attention_mask)
        text, _weights = self.layer.text_enhancer_layer(
            hidden_states=text, attention_masks=~text_self_attention_masks, position_embeddings=positions
        )
        maps = LevelLayout.from_shapes(tuple(map(tuple, spatial_shapes_list)))
        return (self.picture(picture, vision_position_embedding, maps), text), (None,) * 4


class Fusion(nn.Module):
    """Attention between image and text in both directions, computed from the text's side."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer
        self.heads = layer.attn.num_heads

    def forward(self, picture: Tensor, text: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """The updated image [images, locations, channels] and text [images, tokens, channels].

        padding: bool [images, tokens], True for padding tokens.
        """
        layer = self.layer
        picture, text = layer.layer_norm_vision(picture), layer.layer_norm_text(text)
        scores = self._scores(picture, text)
        by_word = scores.softmax(1).transpose(1, 2) @ picture
        by_place = scores.unflatten(-1, (self.heads, -1)).masked_fill(padding[:, None, None], float("-inf")).softmax(-1)
        words, bias = self._text_values(text)
        picture = picture.add_(bias).baddbmm_(by_place.flatten(2), words)
        return picture, text + layer.text_param * self._text_update(by_word)

    def _scores(self, picture: Tensor, text: Tensor) -> Tensor:
        """[images, locations, heads * tokens]: the attention score of each location and each token of each head."""
        attention = self.layer.attn
        keys = self._by_head(attention.text_proj(text)) * attention.scale
        columns = (keys @ attention.vision_proj.weight.unflatten(0, (self.heads, -1))).flatten(1, 2)
        bias = (keys @ attention.vision_proj.bias.view(self.heads, -1, 1)).flatten(1)
        return torch.baddbmm(bias[:, None], picture, columns.transpose(1, 2))

    def _text_values(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """What each token of each head adds to a location, [images, heads * tokens, channels]; and the bias."""
        layer, attention = self.layer, self.layer.attn
        into_picture = attention.out_vision_proj.weight.t().unflatten(0, (self.heads, -1))
        words = self._by_head(attention.values_text_proj(text)) @ into_picture
        return (words * layer.vision_param).flatten(1, 2), attention.out_vision_proj.bias * layer.vision_param

    def _text_update(self, by_word: Tensor) -> Tensor:
        """[images, tokens, channels]. by_word: attended image per token, [images, heads * tokens, channels]."""
        attention = self.layer.attn
        values = attention.values_vision_proj
        weight, bias = values.weight.unflatten(0, (self.heads, -1)), values.bias.view(self.heads, 1, -1)
        heads = by_word.unflatten(1, (self.heads, -1)) @ weight.transpose(1, 2) + bias
        update: Tensor = attention.out_text_proj(heads.transpose(1, 2).flatten(2))
        return update

    def _by_head(self, projected: Tensor) -> Tensor:
        """[images, tokens, heads * channels] -> [images, heads, tokens, channels]."""
        return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class PictureLayer(nn.Module):
    """Deformable attention and feed-forward network, in blocks of about 512 locations.

    The intermediate result, 2048 channels wide, then stays in the CPU cache.
    """

    def __init__(self, layer: Any, tables: ValueTables) -> None:
        super().__init__()
        self.layer = layer
        self.sampling = GatherAttention(layer.self_attn, tables)

    def forward(self, states: Tensor, positions: Tensor, maps: LevelLayout) -> Tensor:
        """[images, locations, channels], like `positions`. The result overwrites `states`."""
        layer = self.layer
        tables = self.sampling.tables(states, maps)
        for pictures, query_slice in blocks(*states.shape[:2]):
            before = states[pictures, query_slice]
            centres = maps.centres_x[query_slice], maps.centres_y[query_slice]
            attended = self.sampling(before + positions[pictures, query_slice], tables[pictures], maps, centres)
            attended = layer.self_attn_layer_norm(attended.add_(before))
            wide = layer.activation_fn(layer.fc1(attended.to(layer.fc1.weight.dtype)))
            states[pictures, query_slice] = layer.final_layer_norm(attended.add_(layer.fc2(wide)))
        return states
