"""The programs of `examples/`, as a user runs them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import (
    CLIPImageProcessor,
    Kosmos2Config,
    Kosmos2ForConditionalGeneration,
    Kosmos2Processor,
    XLMRobertaTokenizer,
)

import gritmill
from tests import sample_pairs

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module", autouse=True)
def importable():
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of forty pairs in five shards."""
    folder = tmp_path_factory.mktemp("examples")
    config = sample_pairs.settings("caption-parser", "tests.plugin_detectors:factory", shards={"pairs": 8})
    gritmill.run(config, inputs=sample_pairs.as_tars(sample_pairs.drawn(40), folder / "in"), output=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def keys(run):
    return sorted(sample.key for sample in gritmill.read(run))


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 9])
def test_webdataset_gives_every_sample_once(run, keys, workers):
    from load_webdataset import loader

    found = [sample for batch in loader(run, 4, workers) for sample in batch]
    assert sorted(sample["__key__"] for sample in found) == keys
    assert [sample["__key__"] for sample in found] != keys
    assert all(sample["jpg"].size == (sample["json"]["width"], sample["json"]["height"]) for sample in found)


def test_another_epoch_has_another_order(run):
    from load_webdataset import loader

    one, two = ([s["__key__"] for batch in loader(run, 4, 0, seed=seed) for s in batch] for seed in (0, 1))
    assert one != two


@pytest.mark.parametrize("workers", [0, 2])
def test_datasets_gives_every_sample_once(run, keys, workers):
    from load_datasets import loader

    found = [sample["__key__"] for batch in loader(run, 4, workers) for sample in batch]
    assert sorted(found) == keys


@pytest.mark.slow
def test_the_programs_print_figures_and_texts(run):
    for name, said in (("load_webdataset", "40  samples"), ("load_datasets", "<grounding>")):
        command = [sys.executable, str(EXAMPLES / f"{name}.py"), str(run)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout


@pytest.fixture(scope="module")
def processor():
    """The processor of Kosmos-2 with a vocabulary of letters."""
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [(piece, -4.0) for piece in ("\u2581", *"abcdefghijklmnopqrstuvwxyz")]
    tokenizer = XLMRobertaTokenizer(vocab=[*special, *pieces, ("<mask>", 0.0)])
    side = {"height": 32, "width": 32}
    return Kosmos2Processor(CLIPImageProcessor(size=side, crop_size=side), tokenizer)


def small_model(processor):
    torch.manual_seed(0)
    layer = {"layers": 1, "ffn_dim": 64, "attention_heads": 4, "embed_dim": 32}
    text = {"vocab_size": len(processor.tokenizer), "max_position_embeddings": 512, **layer}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = Kosmos2Config(text_config=text, vision_config={**vision, "image_size": 32, "patch_size": 8})
    return Kosmos2ForConditionalGeneration(config)


def test_labels_decode_back_to_the_records_phrases_and_boxes(run, processor):
    from load_webdataset import loader
    from train_kosmos2 import IGNORED, encoded

    for samples in loader(run, 8, 0):
        labels = encoded(processor, samples)["labels"]
        for sample, row in zip(samples, labels, strict=True):
            counted = processor.tokenizer.convert_ids_to_tokens(row[row != IGNORED])
            # As in the training of Kosmos-2: text, locations and the end count; the picture and the start do not.
            assert (counted[0], counted[-1]) == ("<grounding>", "</s>")
            assert not {"<s>", "<pad>", "<image>", "</image>"} & set(counted)
            text = processor.tokenizer.decode(row[row != IGNORED][:-1], skip_special_tokens=False)
            caption, entities = processor.post_process_generation(text)
            assert caption == sample["json"]["caption"]
            wanted = gritmill.decode(sample["grounded.txt"])
            assert [(words, tuple(span)) for words, span, _ in entities] == [
                (caption[span.start : span.end], (span.start, span.end)) for span in wanted.spans
            ]
            for (_, _, boxes), span in zip(entities, wanted.spans, strict=True):
                assert boxes == [pytest.approx(box) for box in span.boxes]
            assert len(re.findall("patch_index", text)) == 2 * sum(len(span.boxes) for span in wanted.spans)


def test_sizes_are_means_a_sample(run, processor):
    from load_webdataset import loader
    from train_kosmos2 import encoded, sizes

    found = sizes(processor, [encoded(processor, samples) for samples in loader(run, 8, 0)])
    texts = [sample.grounded for sample in gritmill.read(run)]
    assert found["boxes"] == pytest.approx(sum(text.count("<patch_index") for text in texts) / 2 / len(texts))
    assert found["tokens"] == pytest.approx(found["tokens that count"] + 67)  # <s> <image> 64 slots </image>


@pytest.mark.slow
def test_fifty_steps_of_training_lower_the_loss(run, processor):
    from train_kosmos2 import batches, train

    losses = train(small_model(processor), batches(run, processor, 4, 0), 50, 3e-3)
    assert len(losses) == 50
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])
