"""An encoder layer: text and picture look at each other (fusion), then the picture at itself (deformable attention).

Fusion with few words. The class projects every location of the picture to 1024 channels to compare it with a dozen
tokens, to be read by them, and back. The products can be taken in another order, with the tokens first: a location is
then compared with four heads' tokens directly, by a matrix of as many columns as heads times tokens.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from transforms.detectors.grounding_dino.optimized.sampling import GatherAttention, LevelLayout, ValueTables, blocks


class EncoderLayer(nn.Module):
    """In the place of the class's encoder layer, with its weights."""

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
        """As the class's layer, without attention weights."""
        positions = self.layer.get_text_position_embeddings(text_features, text_position_embedding, text_position_ids)
        picture, text = self.fusion(vision_features, text_features, text_attention_mask)
        text, _weights = self.layer.text_enhancer_layer(
            hidden_states=text, attention_masks=~text_self_attention_masks, position_embeddings=positions
        )
        maps = LevelLayout.from_shapes(tuple(map(tuple, spatial_shapes_list)))
        return (self.picture(picture, vision_position_embedding, maps), text), (None,) * 4


class Fusion(nn.Module):
    """Attention between picture and text, both ways, by way of the text."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer
        self.heads = layer.attn.num_heads

    def forward(self, picture: Tensor, text: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """The picture [pictures, locations, channels] and the text [pictures, tokens, channels], each with what it saw.

        padding: bool [pictures, tokens], True for tokens that are none.
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
        """[pictures, locations, heads * tokens]: how much each location and each token have to do with each other."""
        attention = self.layer.attn
        keys = self._by_head(attention.text_proj(text)) * attention.scale
        columns = (keys @ attention.vision_proj.weight.unflatten(0, (self.heads, -1))).flatten(1, 2)
        bias = (keys @ attention.vision_proj.bias.view(self.heads, -1, 1)).flatten(1)
        return torch.baddbmm(bias[:, None], picture, columns.transpose(1, 2))

    def _text_values(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """What a location takes over from each token of each head, [pictures, heads * tokens, channels]; and always."""
        layer, attention = self.layer, self.layer.attn
        into_picture = attention.out_vision_proj.weight.t().unflatten(0, (self.heads, -1))
        words = self._by_head(attention.values_text_proj(text)) @ into_picture
        return (words * layer.vision_param).flatten(1, 2), attention.out_vision_proj.bias * layer.vision_param

    def _text_update(self, by_word: Tensor) -> Tensor:
        """[pictures, tokens, channels]; by_word: what each head's tokens saw, [pictures, heads * tokens, channels]."""
        attention = self.layer.attn
        values = attention.values_vision_proj
        weight, bias = values.weight.unflatten(0, (self.heads, -1)), values.bias.view(self.heads, 1, -1)
        heads = by_word.unflatten(1, (self.heads, -1)) @ weight.transpose(1, 2) + bias
        update: Tensor = attention.out_text_proj(heads.transpose(1, 2).flatten(2))
        return update

    def _by_head(self, projected: Tensor) -> Tensor:
        """[pictures, tokens, heads * channels] -> [pictures, heads, tokens, channels]."""
        return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class PictureLayer(nn.Module):
    """Deformable attention and feed-forward network, some hundred locations at a time: what lies between them, 2048
    channels wide, never leaves the processor's cache."""

    def __init__(self, layer: Any, tables: ValueTables) -> None:
        super().__init__()
        self.layer = layer
        self.sampling = GatherAttention(layer.self_attn, tables)

    def forward(self, states: Tensor, positions: Tensor, maps: LevelLayout) -> Tensor:
        """[pictures, locations, channels], as `positions`; written over `states`."""
        layer = self.layer
        tables = self.sampling.tables(states, maps)
        for pictures, query_slice in blocks(*states.shape[:2]):
            before = states[pictures, query_slice]
            centres = maps.centres_x[query_slice], maps.centres_y[query_slice]
            attended = self.sampling(before + positions[pictures, query_slice], tables[pictures], maps, centres)
            attended = layer.self_attn_layer_norm(attended.add_(before))
            wide = layer.activation_fn(layer.fc1(attended))
            states[pictures, query_slice] = layer.final_layer_norm(layer.fc2(wide).add_(attended))
        return states
