"""Trains Kosmos-2 on the grounded texts of a finished run, with webdataset and transformers.

    python examples/train_kosmos2.py RUN --checkpoint microsoft/kosmos-2-patch14-224 --steps 1000

The run must have been packed with the dialect kosmos2, which is the default. As in the training of Kosmos-2, the loss
counts text tokens, location tokens and the end of the sequence, but not images, padding and the start token.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from load_webdataset import loader
from transformers import AutoProcessor, Kosmos2ForConditionalGeneration

IGNORED = -100


def encoded(processor: Any, samples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Returns the model's inputs and labels [batch, tokens] for samples with "jpg" and "grounded.txt"."""
    texts = [sample["grounded.txt"] for sample in samples]
    images = [sample["jpg"].convert("RGB") for sample in samples]
    batch = processor(text=texts, images=images, padding=True, add_eos_token=True, return_tensors="pt")
    ids = batch["input_ids"]
    # Everything up to the end of the image: <s> <image> … </image>.
    places = torch.arange(ids.shape[1])
    ends = (batch["image_embeds_position_mask"] * places).amax(dim=1, keepdim=True) + 1
    silent = (batch["attention_mask"] == 0) | (places <= ends)
    batch["labels"] = ids.masked_fill(silent, IGNORED)
    return dict(batch)


def sizes(processor: Any, found: Iterable[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Returns the means per sample: tokens, tokens that count in the loss, boxes."""
    cell = processor.tokenizer.convert_tokens_to_ids("<patch_index_0000>")
    sums = torch.zeros(4)
    for batch in found:
        labels = batch["labels"]
        counted, cells = (labels != IGNORED).sum(), (labels >= cell).sum()
        sums += torch.stack([torch.tensor(len(labels)), batch["attention_mask"].sum(), counted, cells / 2])
    names = ("tokens", "tokens that count", "boxes")
    return dict(zip(names, (sums[1:] / sums[0].clamp(min=1)).tolist(), strict=True))


def batches(run: Path, processor: Any, size: int, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Yields batches endlessly. Each epoch has a different order."""
    epoch = 0
    while True:
        for samples in loader(run, size, workers, seed=epoch):
            yield encoded(processor, samples)
        epoch += 1


def train(model: Any, found: Iterable[dict[str, torch.Tensor]], steps: int, rate: float) -> list[float]:
    """Trains for `steps` steps and returns the loss of each step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    model.train()
    losses = []
    for batch in islice(found, steps):
        loss = model(**{name: value.to(model.device) for name, value in batch.items()}).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        if len(losses) % 10 == 0:
            print(f"step {len(losses)}: loss {losses[-1]:.3f}", flush=True)
    return losses


def main() -> None:
    """Trains a checkpoint on a run and saves the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--checkpoint", default="microsoft/kosmos-2-patch14-224")
    parser.add_argument("--output", default="kosmos2-trained")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-5)
    given = parser.parse_args()
    dialect = json.loads((given.run / "manifest.json").read_text("utf-8"))["configuration"]["text"]["dialect"][0]
    if dialect.partition(":")[0] != "kosmos2":
        parser.error(f"{given.run}: its .grounded.txt has the dialect {dialect}; pack it with text.dialect=kosmos2")
    processor = AutoProcessor.from_pretrained(given.checkpoint)
    for name, mean in sizes(processor, islice(batches(given.run, processor, given.batch, 0), 25)).items():
        print(f"{mean:>8.1f}  {name} per sample")
    model = Kosmos2ForConditionalGeneration.from_pretrained(given.checkpoint, use_safetensors=True)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    train(model, batches(given.run, processor, given.batch, given.workers), given.steps, given.rate)
    model.save_pretrained(given.output)
    processor.save_pretrained(given.output)


if __name__ == "__main__":
    main()
