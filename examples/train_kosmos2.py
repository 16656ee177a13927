"""Trains Kosmos-2 on the grounded texts of a finished run, with webdataset and transformers.

    python examples/train_kosmos2.py RUN --checkpoint microsoft/kosmos-2-patch14-224 --steps 1000

The run must have been packed in the dialect kosmos2, the default. The loss counts text and location tokens; pictures,
padding and the token that begins a sequence do not count, as in Kosmos-2's own training.
"""

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from load_webdataset import loader
from transformers import AutoProcessor, Kosmos2ForConditionalGeneration

IGNORED = -100


def encoded(processor: Any, samples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """What the model takes, with labels [batch, tokens], from samples with "jpg" and "grounded.txt"."""
    texts = [sample["grounded.txt"] for sample in samples]
    images = [sample["jpg"].convert("RGB") for sample in samples]
    batch = processor(text=texts, images=images, padding=True, return_tensors="pt")
    ids = batch["input_ids"]
    silent = (batch["attention_mask"] == 0) | (batch["image_embeds_position_mask"] == 1)
    batch["labels"] = ids.masked_fill(silent | (ids == processor.tokenizer.bos_token_id), IGNORED)
    return dict(batch)


def batches(run: Path, processor: Any, size: int, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Batches without end, epoch after epoch, each in another order."""
    epoch = 0
    while True:
        for samples in loader(run, size, workers, seed=epoch):
            yield encoded(processor, samples)
        epoch += 1


def train(model: Any, found: Iterable[dict[str, torch.Tensor]], steps: int, rate: float) -> list[float]:
    """The loss of each step."""
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
            counted = (batch["labels"] != IGNORED).sum(dim=1).float().mean()
            print(f"step {len(losses)}: loss {losses[-1]:.3f}, {counted:.0f} tokens a sample count", flush=True)
    return losses


def main() -> None:
    """Trains a checkpoint and saves it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--checkpoint", default="microsoft/kosmos-2-patch14-224")
    parser.add_argument("--output", default="kosmos2-trained")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-5)
    given = parser.parse_args()
    processor = AutoProcessor.from_pretrained(given.checkpoint)
    model = Kosmos2ForConditionalGeneration.from_pretrained(given.checkpoint, use_safetensors=True)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    train(model, batches(given.run, processor, given.batch, given.workers), given.steps, given.rate)
    model.save_pretrained(given.output)
    processor.save_pretrained(given.output)


if __name__ == "__main__":
    main()
