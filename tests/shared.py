"""Data and models in ../shared, which some development machines have. They are not part of the repository."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
DATA = SHARED / "data"
PARSER = SHARED / "models" / "en_core_web_sm-ported"
GROUNDER = SHARED / "models" / "scene-grounder-reference"

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
