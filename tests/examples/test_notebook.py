"""The notebook of `examples/`, run cell by cell in a separate kernel."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "first_look.ipynb"


def outputs(notebook):
    """Yields the output of each code cell: its text and its MIME types."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
            yield "".join(shown), {kind for output in cell.outputs for kind in output.get("data", {})}


@pytest.mark.slow
def test_it_runs_from_pairs_to_a_batch(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # outputs are not committed
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = list(outputs(notebook))
    texts = [text for text, _ in shown]
    assert "'read': 40" in texts[2]
    assert "<grounding>" in texts[3]
    assert "image/png" in shown[3][1]
    assert (tmp_path / "first-look/run/view/index.html").exists()
    assert texts[5].splitlines()[0].startswith("0.20")
    assert len(texts[5].splitlines()) == 5
    assert len(texts[8].splitlines()) == 8
    assert all("<grounding>" in line for line in texts[8].splitlines())
