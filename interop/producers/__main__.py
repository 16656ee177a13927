"""`python -m interop.producers LIBRARY TRUTH OUTPUT` writes each format of a library, and `OUTPUT/written.json`."""

import importlib
import json
import sys
import traceback
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from interop.written import Given, Write


def main(library: str, truth: Path, output: Path) -> None:
    """Writes each format to a folder of its own. An exception of one does not end the others."""
    pairs = [Given(**pair) for pair in json.loads((truth / "pairs.json").read_text())]
    formats: dict[str, Write] = importlib.import_module(f"interop.producers.with_{library}").FORMATS
    told: list[dict[str, Any]] = []
    for number, (name, write) in enumerate(formats.items()):
        folder = output / f"{number:02}"
        folder.mkdir(parents=True)
        try:
            told.append({"name": name, "folder": folder.name, "written": asdict(write(pairs, truth, folder))})
        except Exception as error:
            traceback.print_exc()
            told.append({"name": name, "folder": folder.name, "error": f"{type(error).__name__}: {error}"})
    (output / "written.json").write_text(json.dumps({"version": version(library), "formats": told}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
