"""The forward of a loaded Grounding DINO, made faster by replacing modules of it; the weights stay as they are.

The class's own forward is not the limit: on one core, at 800 x 1056, two thirds of its time go into memory traffic and
into matrix products that another order of the same product makes 20 times smaller. What is replaced computes the same
sums in another order, so that scores and boxes move in the sixth digit (3.5e-6 for a trained model of three levels,
2.6e-5 for one of tiny's size with random weights). All of it relies on pictures without padding, which is what gritmill
feeds.

encoder_layer   fusion and deformable attention of one layer
sampling        multiscale deformable attention as one gather
modules         small modules, computed once, in pieces, or not at all
check           whether a replaced module gives what the class's own gives
"""

from typing import Any

import transformers
from torch import nn
from transformers.models.swin.modeling_swin import SwinMLP

from transforms.detectors.grounding_dino.optimized.check import check_box_attention, check_encoder_layer
from transforms.detectors.grounding_dino.optimized.encoder_layer import EncoderLayer
from transforms.detectors.grounding_dino.optimized.modules import (
    BlockedMlp,
    CachedPositionEmbedding,
    DeduplicatingBackbone,
    Similarity,
)
from transforms.detectors.grounding_dino.optimized.sampling import BoxAttention, ValueTables


def optimize(model: Any, device: str) -> None:
    """Replaces modules of a loaded `GroundingDinoForObjectDetection`, or of its MM sister, in place.

    On a GPU only what several captions of one picture share: the rest has been measured on CPUs alone.

    Raises:
      ValueError: the classes are not those that this was written for, or give other values.
    """
    try:
        encoder = model.model.backbone.conv_encoder
        encoder.model = DeduplicatingBackbone(encoder.model)
        if device == "cpu":
            _replace_modules(model)
    except MemoryError:
        raise
    except Exception as error:  # classes that are not what they were fail in every way
        raise ValueError(
            f"detector.forward: fast does not suit this model in transformers {transformers.__version__} ({error}); "
            "set it to stock"
        ) from error


def _replace_modules(model: Any) -> None:
    backbone, layers, tables = model.model.backbone, model.model.encoder.layers, ValueTables()
    backbone.position_embedding = CachedPositionEmbedding(backbone.position_embedding)
    _replace(backbone.conv_encoder, SwinMLP, BlockedMlp)
    _replace(model, type(model.class_embed[0]), Similarity)
    for number, layer in enumerate(layers):
        layers[number] = EncoderLayer(layer, tables)
        if number == 0:
            check_encoder_layer(layer, layers[number], model)
    for number, layer in enumerate(model.model.decoder.layers):
        stock, layer.encoder_attn = layer.encoder_attn, BoxAttention(layer.encoder_attn, tables)
        if number == 0:
            check_box_attention(stock, layer.encoder_attn, model)


def _replace(inside: nn.Module, kind: type[nn.Module], by: type[nn.Module]) -> None:
    """Every module of that kind, wherever it is; one that stands in several places is still one."""
    found: dict[nn.Module, nn.Module] = {}
    for module in list(inside.modules()):
        for name, child in list(module.named_children()):
            if type(child) is kind:
                setattr(module, name, found.setdefault(child, by(child)))
