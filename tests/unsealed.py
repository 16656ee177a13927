"""JSON files of gritmill without their checksum, to write them again with other values."""

import json
from pathlib import Path
from typing import Any


def unsealed(path: Path) -> dict[str, Any]:
    """The content of a file. Written again, it is taken as it is, like a file of release 0.1."""
    content: dict[str, Any] = json.loads(path.read_text())
    content.pop("checksum", None)
    return content
