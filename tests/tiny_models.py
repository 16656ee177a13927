"""Models that a test run can build: two detectors with random weights, and a parser that trains in seconds."""

import random
import string
from pathlib import Path

import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    SwinConfig,
)

WORDS = [
    "a",
    "an",
    "the",
    "two",
    "three",
    "of",
    "in",
    "on",
    "and",
    "with",
    "under",
    "near",
    "big",
    "small",
    "red",
    "blue",
    "green",
    "black",
    "white",
    "yellow",
    "old",
    "young",
    "dog",
    "dogs",
    "cat",
    "cats",
    "field",
    "flowers",
    "basket",
    "table",
    "chair",
    "man",
    "woman",
    "hat",
    "car",
    "tree",
    "ball",
    "boy",
    "girl",
    "house",
    "street",
    "horse",
    "bird",
    "boat",
    "thing",
    "it",
    "st",
    "louis",
    "wooden",
    "##s",
    "##es",
    "##ing",
    "##ed",
]

SIDES = {"shortest_edge": 64, "longest_edge": 96}

_FAMILIES = {
    "grounding-dino": (GroundingDinoConfig, GroundingDinoForObjectDetection),
    "mm-grounding-dino": (MMGroundingDinoConfig, MMGroundingDinoForObjectDetection),
}


def vocabulary() -> dict[str, int]:
    """Returns a small BERT vocabulary. Tokens whose ids the model class has built in keep the ids of BERT."""
    words = {i: f"[unused{i}]" for i in range(1100)}
    words |= {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    punctuation = [c for c in map(chr, range(33, 127)) if not c.isalnum() or c.isdigit()]
    low, high = [c for c in punctuation if c <= "?"], [c for c in punctuation if c > "?"]
    words |= {999 + i: c for i, c in enumerate(low)}  # "." becomes 1012 and "?" 1029, as in BERT
    words |= {1030 + i: c for i, c in enumerate(high)}
    further = [
        *string.ascii_lowercase,
        *("##" + c for c in string.ascii_lowercase + string.digits),
        *"犬猫的花",
        *WORDS,
    ]
    words |= {200 + i: word for i, word in enumerate(further)}
    return {word: i for i, word in words.items()}


def make_tokenizer(limit: int = 64) -> BertTokenizer:
    return BertTokenizer(vocab=vocabulary(), do_lower_case=True, model_max_length=limit)


def make_grounding_dino(
    folder: Path, family: str = "grounding-dino", limit: int = 64, seed: int = 1, levels: int = 3
) -> Path:
    """Saves a detector with 0.4 M random weights and its processor. Its answers depend on picture and prompt."""
    make_config, make_model = _FAMILIES[family]
    backbone = SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 4, 8],
        window_size=4,
        mlp_ratio=2,
        out_features=["stage2", "stage3", "stage4"],
    )
    text = BertConfig(
        vocab_size=1100,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=limit,
    )
    config = make_config(
        backbone_config=backbone,
        text_config=text,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_n_points=2,
        num_queries=20,
        num_feature_levels=levels,
        max_text_len=limit,
        disable_custom_kernels=True,
        dropout=0.0,
        fusion_dropout=0.0,
        fusion_droppath=0.0,
        text_enhancer_dropout=0.0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make_model(config).eval()
        for name, weights in model.named_parameters():
            # With the default initialisation, text and picture hardly interact and all boxes are nearly equal.
            if name.endswith(("vision_param", "text_param")):
                torch.nn.init.constant_(weights, 0.5)
            elif "word_embeddings" in name:
                torch.nn.init.normal_(weights, std=0.3)
            elif "bbox_embed" in name:
                torch.nn.init.normal_(weights, std=0.1)
            elif name.endswith(("sampling_offsets.weight", "attention_weights.weight")):
                torch.nn.init.normal_(weights, std=0.1)  # the default is zero: every query would sample the same places
            elif "class_embed" in name:
                torch.nn.init.zeros_(weights)
    images = GroundingDinoImageProcessor(size=SIDES, do_pad=False)
    model.save_pretrained(folder)
    GroundingDinoProcessor(images, make_tokenizer(limit)).save_pretrained(folder)
    return folder


# word/part of speech/head (1 is the first word)/label
_SENTENCES = """
a/DET/2/det dog/NOUN/2/ROOT
a/DET/2/det cat/NOUN/2/ROOT on/ADP/2/prep a/DET/5/det table/NOUN/3/pobj
a/DET/2/det dog/NOUN/2/ROOT in/ADP/2/prep a/DET/5/det field/NOUN/3/pobj of/ADP/5/prep flowers/NOUN/6/pobj
a/DET/2/det cat/NOUN/2/ROOT and/CCONJ/2/cc a/DET/5/det dog/NOUN/2/conj
a/DET/2/det cat/NOUN/2/ROOT and/CCONJ/2/cc a/DET/5/det dog/NOUN/2/conj in/ADP/5/prep a/DET/8/det basket/NOUN/6/pobj
a/DET/3/det red/ADJ/3/amod ball/NOUN/3/ROOT
a/DET/3/det big/ADJ/3/amod horse/NOUN/3/ROOT near/ADP/3/prep a/DET/7/det small/ADJ/7/amod house/NOUN/4/pobj
two/NUM/2/nummod dogs/NOUN/2/ROOT on/ADP/2/prep the/DET/5/det street/NOUN/3/pobj
the/DET/2/det man/NOUN/2/ROOT with/ADP/2/prep a/DET/5/det hat/NOUN/3/pobj
a/DET/2/det woman/NOUN/2/ROOT in/ADP/2/prep a/DET/6/det red/ADJ/6/amod car/NOUN/3/pobj
a/DET/3/det black/ADJ/3/amod dog/NOUN/3/ROOT and/CCONJ/3/cc a/DET/7/det white/ADJ/7/amod cat/NOUN/3/conj
the/DET/2/det boy/NOUN/3/nsubj sees/VERB/3/ROOT a/DET/5/det bird/NOUN/3/dobj
a/DET/2/det girl/NOUN/3/nsubj holds/VERB/3/ROOT the/DET/6/det yellow/ADJ/6/amod flowers/NOUN/3/dobj
it/PRON/2/nsubj sees/VERB/2/ROOT the/DET/4/det dog/NOUN/2/dobj
he/PRON/2/nsubj holds/VERB/2/ROOT it/PRON/2/dobj
a/DET/2/det photo/NOUN/2/ROOT of/ADP/2/prep a/DET/5/det dog/NOUN/3/pobj
an/DET/3/det old/ADJ/3/amod photo/NOUN/3/ROOT of/ADP/3/prep a/DET/6/det man/NOUN/4/pobj
a/DET/2/det picture/NOUN/2/ROOT of/ADP/2/prep two/NUM/5/nummod cats/NOUN/3/pobj ././PUNCT/2/punct
a/DET/2/det boat/NOUN/2/ROOT under/ADP/2/prep a/DET/6/det green/ADJ/6/amod tree/NOUN/3/pobj ././PUNCT/2/punct
the/DET/3/det young/ADJ/3/amod girl/NOUN/3/ROOT and/CCONJ/3/cc the/DET/6/det boy/NOUN/3/conj ././PUNCT/3/punct
a/DET/3/det wooden/ADJ/3/amod chair/NOUN/3/ROOT ././PUNCT/3/punct
three/NUM/2/nummod birds/NOUN/2/ROOT in/ADP/2/prep the/DET/5/det tree/NOUN/3/pobj
a/DET/2/det man/NOUN/2/ROOT on/ADP/2/prep a/DET/5/det horse/NOUN/3/pobj near/ADP/2/prep the/DET/8/det house/NOUN/6/pobj
blue/ADJ/2/amod flowers/NOUN/2/ROOT with/ADP/2/prep love/NOUN/3/pobj
a/DET/2/det dog/NOUN/2/ROOT ,/PUNCT/2/punct a/DET/5/det cat/NOUN/2/conj and/CCONJ/5/cc a/DET/8/det bird/NOUN/5/conj
"""

_KEPT = ("photo", "picture", "love")
_OTHERS = {
    "NOUN": [
        "dog",
        "dogs",
        "cat",
        "cats",
        "field",
        "flowers",
        "basket",
        "table",
        "chair",
        "man",
        "woman",
        "hat",
        "car",
        "tree",
        "ball",
        "boy",
        "girl",
        "house",
        "horse",
    ],
    "ADJ": ["big", "small", "red", "blue", "green", "black", "white", "yellow", "old", "young", "wooden"],
    "ADP": ["on", "in", "with", "under", "near", "of"],
}


def make_parser(folder: Path) -> Path:
    """Saves an English pipeline of morphologizer and parser that finds the noun chunks of simple captions."""
    nlp = spacy.blank("en")
    small = {"@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 32, "depth": 2}
    small |= {"embed_size": 500, "window_size": 1, "maxout_pieces": 2, "subword_features": True}
    nlp.add_pipe("morphologizer", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": small}})
    parser = {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "parser", "hidden_width": 32}
    parser |= {"extra_state_tokens": False, "maxout_pieces": 2, "use_upper": True, "tok2vec": small}
    nlp.add_pipe("parser", config={"model": parser, "min_action_freq": 1})
    chance = random.Random(0)
    examples = [_example(nlp, _varied(line, chance)) for line in _SENTENCES.strip().splitlines() * 8]
    spacy.util.fix_random_seed(0)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(8):
        chance.shuffle(examples)
        for batch in spacy.util.minibatch(examples, 8):
            nlp.update(batch, sgd=optimizer)
    nlp.to_disk(folder)
    return folder


def _varied(line: str, chance: random.Random) -> list[list[str]]:
    """Returns the sentence with other nouns and adjectives, and with or without a capital and a full stop."""
    words = [word.rsplit("/", 3) for word in line.split()]
    for word in words:
        if word[0] not in _KEPT:
            word[0] = chance.choice(_OTHERS.get(word[1], word[:1]))
    root = next(word[2] for word in words if word[3] == "ROOT")
    if words[-1][1] != "PUNCT" and chance.random() < 0.3:
        words.append([".", "PUNCT", root, "punct"])
    if chance.random() < 0.3:
        words[0][0] = words[0][0].capitalize()
    return words


def _example(nlp: spacy.Language, sentence: list[list[str]]) -> Example:
    words, parts, heads, labels = zip(*sentence, strict=True)
    gold = Doc(nlp.vocab, words, pos=parts, heads=[int(head) - 1 for head in heads], deps=labels)
    return Example(Doc(nlp.vocab, words), gold)
