"""The untrained detector: configuration, vocabulary, initialisation."""

import string
from typing import Any

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    SwinConfig,
)

from training.scene_grounder.blocks import LONG_SIDE, MEAN, SHORT_SIDE, STD
from training.scene_grounder.lexicon import words

MAX_TEXT = 64
"""Maximum number of tokens in a prompt."""

WIDTH = 64
_START = -2.5  # initial value of all logits, because most tokens and queries do not match
_BIAS = 0.05


def make_tokenizer() -> BertTokenizer:
    """Builds a lower-case WordPiece tokenizer. It keeps the words of the scenes whole and splits others into letters.

    [PAD], [UNK], [CLS], [SEP], [MASK], "." and "?" keep BERT's ids, because the model class has ids of BERT built in.

    Raises:
      ValueError: the lexicon has too many words.
    """
    held = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}
    signs = [sign for sign in string.punctuation if sign not in ".?"]
    letters = [*string.ascii_lowercase, *string.digits]
    pieces = [*signs, *letters, *(f"##{letter}" for letter in letters), *(w for w in words() if len(w) > 1)]
    held |= {110 + i: piece for i, piece in enumerate(pieces)}
    if 110 + len(pieces) > 1012:
        raise ValueError(f"{len(pieces)} words and pieces do not fit below BERT's id of the full stop, 1012")
    vocabulary = {held.get(i, f"[unused{i}]"): i for i in range(1030)}
    return BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=MAX_TEXT)


def make_processor() -> GroundingDinoProcessor:
    """Builds the processor. It resizes the short side to 160 px, the long side to at most 224 px, without padding."""
    images = GroundingDinoImageProcessor(
        size={"shortest_edge": SHORT_SIDE, "longest_edge": LONG_SIDE},
        image_mean=list(MEAN),
        image_std=list(STD),
        do_pad=False,
    )
    return GroundingDinoProcessor(images, make_tokenizer())


def make_config() -> GroundingDinoConfig:
    """Returns a Grounding DINO with two encoder and two decoder layers and a Swin of 1, 1, 2 and 1 blocks."""
    backbone = SwinConfig(
        image_size=SHORT_SIDE,
        patch_size=4,
        embed_dim=32,
        depths=[1, 1, 2, 1],
        num_heads=[1, 2, 4, 8],
        window_size=5,
        mlp_ratio=3,
        drop_path_rate=0.0,
        out_indices=[2, 3, 4],
    )
    text = BertConfig(
        vocab_size=1030,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=MAX_TEXT,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        d_model=WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=2 * WIDTH,
        decoder_ffn_dim=2 * WIDTH,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_n_points=2,
        num_feature_levels=3,
        num_queries=40,
        max_text_len=MAX_TEXT,
        two_stage=True,
        embedding_init_target=True,
        auxiliary_loss=True,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        fusion_dropout=0.0,
        fusion_droppath=0.0,
        text_enhancer_dropout=0.0,
        disable_custom_kernels=True,
    )


def make_model(seed: int) -> GroundingDinoForObjectDetection:
    """Builds a model with random weights that can be trained from scratch.

    With the class's own initialisation, text and picture hardly interact: the scale of the fusion layers is 1e-4, and
    projections are N(0, 0.02).
    """
    torch.manual_seed(seed)
    model = GroundingDinoForObjectDetection(make_config())
    for name, module in model.named_modules():
        wide = isinstance(module, (nn.Linear, nn.Conv2d)) and "sampling_offsets" not in name
        if wide and not ("bbox_embed" in name and name.endswith("layers.2")) and "attention_weights" not in name:
            nn.init.xavier_uniform_(module.weight)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("vision_param", "text_param")):
                parameter.fill_(0.5)
        model.model.text_backbone.embeddings.word_embeddings.weight.normal_(0, 0.3)
        model.model.query_position_embeddings.weight.normal_()
        _start_low(model)
    return model


def _start_low(model: Any) -> None:
    """Sets opposite biases on both sides of the class head and a small text side, so that logits start near `_START`.

    The picture's side keeps its scale. The decoder refines its reference boxes from the input of that norm, with the
    head that is trained on its output.
    """
    for norm in (model.model.decoder.layer_norm, model.model.enc_output_norm):
        norm.bias.fill_(_BIAS)
    text = model.model.encoder.layers[-1].text_enhancer_layer.layer_norm_after
    text.weight.fill_(0.35)
    text.bias.fill_(_START / (WIDTH * _BIAS))
