"""Checkpoints with the configurations of IDEA-Research's grounding-dino-tiny and -base, and random weights: for speed.

Their vocabulary has one token for each word of the benchmark's captions. The real vocabulary splits rare words.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection, SwinConfig

_SIDES = {"shortest_edge": 800, "longest_edge": 1333}
_BERT_IDS = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
"""The ids of BERT that the model class has built in."""


def make(folder: Path, captions: Iterable[str]) -> Path:
    """Saves the checkpoint of tiny, 690 MB, if it does not exist, and returns its folder."""
    # Some versions need torchvision or Pillow for these, which the model alone does not.
    from transformers import BertTokenizer, GroundingDinoImageProcessor, GroundingDinoProcessor

    if (folder / "config.json").is_file():
        return folder
    model = random_model("tiny")
    config = model.config
    images = GroundingDinoImageProcessor(size=_SIDES)
    words = _vocabulary(captions, config.text_config.vocab_size)
    tokenizer = BertTokenizer(vocab=words, do_lower_case=True, model_max_length=config.max_text_len)
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def random_model(name: str) -> GroundingDinoForObjectDetection:
    """`tiny` or `base` with random weights, on the CPU."""
    torch.manual_seed(0)
    model = GroundingDinoForObjectDetection(configuration(name))
    for weight_name, weights in model.named_parameters():
        _initialise(weight_name, weights)
    return model.eval()


def configuration(name: str) -> GroundingDinoConfig:
    """The configuration of `tiny`, which is the default of the class, or of `base`, which has Swin-B at 384 pixels."""
    if name == "tiny":
        return GroundingDinoConfig()
    # As config.json of IDEA-Research/grounding-dino-base.
    sizes = {"embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32], "window_size": 12}
    return GroundingDinoConfig(backbone_config=SwinConfig(**sizes, image_size=384, out_indices=[2, 3, 4]))


def _initialise(name: str, weights: torch.Tensor) -> None:
    """Replaces the default initialisation, where text hardly affects the picture and all points sample a few places."""
    if name.endswith(("vision_param", "text_param")):
        torch.nn.init.constant_(weights, 0.5)
    elif "word_embeddings" in name:
        torch.nn.init.normal_(weights, std=0.3)
    elif name.endswith(("sampling_offsets.weight", "attention_weights.weight")):
        torch.nn.init.normal_(weights, std=0.02)


def _vocabulary(captions: Iterable[str], size: int) -> dict[str, int]:
    words = dict.fromkeys(word for caption in captions for word in re.findall(r"\w+|[^\w\s]", caption.lower()))
    free = iter(i for i in range(1, size) if i not in _BERT_IDS.values())
    return _BERT_IDS | {word: next(free) for word in words if word not in _BERT_IDS}
