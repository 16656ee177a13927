"""`python -m interop.consumers LIBRARY EXPORTS OUTPUT` reads the exports that a library can read, and writes what it
saw to the file OUTPUT."""

import importlib
import json
import sys
import traceback
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from interop.seen import Read, Reading


def main(library: str, exports: Path, output: Path) -> None:
    """Reads each export. An exception of one reading does not end the others."""
    readings: dict[str, tuple[Read, Reading]] = importlib.import_module(f"interop.consumers.with_{library}").READINGS
    told: list[dict[str, Any]] = []
    for name, (read, reading) in readings.items():
        try:
            seen = [asdict(picture) for picture in read(exports / reading.export)]
            told.append({"name": name, "reading": asdict(reading), "seen": seen})
        except Exception as error:
            traceback.print_exc()
            told.append({"name": name, "error": f"{type(error).__name__}: {error}"})
    output.write_text(json.dumps({"version": version(library), "readings": told}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
