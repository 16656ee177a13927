"""`python -m tests.foreign_folder DIR` writes a user's folder: modules with our names, pairs, and two tiny models."""

import json
import sys
from pathlib import Path

from tests import sample_pairs
from tests.tiny_models import make_grounding_dino, make_parser


def make(folder):
    folder.mkdir(parents=True)
    for name in ("transforms.py", "pipeline.py"):
        (folder / name).write_text("raise SystemExit('the wrong module was imported')\n")
    sample_pairs.as_tars(sample_pairs.drawn(24), folder / "pairs")
    config = sample_pairs.settings(make_parser(folder / "parser"), make_grounding_dino(folder / "detector"))
    (folder / "own.yaml").write_text(json.dumps(config))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
