"""A faster forward pass for a loaded Grounding DINO. It replaces modules and does not change the weights.

On one core, at 800 x 1056, the class's own forward spends two thirds of its time on memory traffic and on matrix
products that are 20 times smaller in another order. The replacements compute the same sums in another order, which
changes scores and boxes by 3.9e-6 for a trained model with three levels, and by 3.2e-5 for a model of tiny's size with
random weights. They need images without padding, as gritmill provides.

encoder_layer   fusion and deformable attention of one layer
sampling        multiscale deformable attention as one gather
pixels          the first layer of the backbone for images as bytes
modules         small modules that are computed once, in blocks, or for fewer tokens
bfloat16        the large matrix products in bfloat16
check           checks that a replacement returns the same values as the class's own module
"""

from collections.abc import Sequence
from typing import Any

from transformers import __version__ as transformers_version
from transformers.models.swin.modeling_swin import SwinMLP, SwinPatchEmbeddings

from transforms.detectors.grounding_dino.optimized.bfloat16 import use_bfloat16
from transforms.detectors.grounding_dino.optimized.check import (
    check_box_attention,
    check_encoder_layer,
    check_patch_embeddings,
)
from transforms.detectors.grounding_dino.optimized.encoder_layer import EncoderLayer
from transforms.detectors.grounding_dino.optimized.modules import (
    BlockedMlp,
    CachedPositionEmbedding,
    DeduplicatingBackbone,
    Similarity,
    replace_each,
)
from transforms.detectors.grounding_dino.optimized.pixels import BytePatchEmbeddings
from transforms.detectors.grounding_dino.optimized.sampling import BoxAttention, ValueTables


def optimize(
    model: Any,
    device: str,
    precision: str = "float32",
    normalization: tuple[Sequence[float], Sequence[float]] | None = None,
) -> bool:
    """Replaces modules of a loaded `GroundingDinoForObjectDetection` or `MMGroundingDinoForObjectDetection`, in place.

    On a GPU it replaces only the first layer of the backbone, and the backbone, which then runs once for several
    captions of one image. The other replacements are measured only on CPUs.

    Args:
      precision: float32 or, on a CPU, bfloat16.
      normalization: mean and standard deviation of each channel, for values in 0..1.

    Returns:
      Whether the model also takes images as bytes, which it normalises: if its backbone is a Swin Transformer and
      `normalization` is given.

    Raises:
      ValueError: the classes differ from the expected ones, or a replacement returns other values.
    """
    setting, other = "detector.forward: fast", "stock"
    try:
        encoder = model.model.backbone.conv_encoder
        takes_bytes = normalization is not None and _take_bytes(encoder.model, *normalization)
        encoder.model = DeduplicatingBackbone(encoder.model)
        if device == "cpu":
            _replace_modules(model)
            if precision == "bfloat16":
                setting, other = "detector.precision: bfloat16", "float32"
                use_bfloat16(model)
    except MemoryError:
        raise
    except Exception as error:  # a class of another version can fail in any way
        raise ValueError(
            f"{setting} does not support this model in transformers {transformers_version} ({error}); set it to {other}"
        ) from error
    return takes_bytes


def _take_bytes(backbone: Any, mean: Sequence[float], std: Sequence[float]) -> bool:
    replace_each(backbone, SwinPatchEmbeddings, lambda stock: BytePatchEmbeddings(stock, mean, std))
    replaced = [module for module in backbone.modules() if type(module) is BytePatchEmbeddings]
    for fast in replaced:
        check_patch_embeddings(fast.stock, fast, mean, std)
    return bool(replaced)


def _replace_modules(model: Any) -> None:
    backbone, layers, tables = model.model.backbone, model.model.encoder.layers, ValueTables()
    backbone.position_embedding = CachedPositionEmbedding(backbone.position_embedding)
    replace_each(backbone.conv_encoder, SwinMLP, BlockedMlp)
    replace_each(model, type(model.class_embed[0]), Similarity)
    for number, layer in enumerate(layers):
        layers[number] = EncoderLayer(layer, tables)
        if number == 0:
            check_encoder_layer(layer, layers[number], model)
    for number, layer in enumerate(model.model.decoder.layers):
        stock, layer.encoder_attn = layer.encoder_attn, BoxAttention(layer.encoder_attn, tables)
        if number == 0:
            check_box_attention(stock, layer.encoder_attn, model)
