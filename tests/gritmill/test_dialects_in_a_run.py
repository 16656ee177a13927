"""A run with all dialects: each has its own member, and validate reads them back."""

import tarfile

import pytest

import gritmill
from tests import sample_pairs
from transforms.text import dialects


@pytest.mark.parametrize("policy", ["longest", pytest.param("densest", marks=pytest.mark.slow)])
def test_all_dialects_at_once(tmp_path, grounding_dino, policy):
    names = ["kosmos2", *sorted(dialects.names() - {"kosmos2"}), "loc1000:500"]
    config = sample_pairs.settings("caption-parser", grounding_dino, text={"dialect": names, "spans": policy})
    pattern = sample_pairs.as_tars(sample_pairs.drawn(12), tmp_path / "in")
    manifest = gritmill.run(config, inputs=pattern, output=tmp_path / "out")
    assert manifest["ledger"]["written"] == 12
    assert [finding.text for finding in gritmill.validate(tmp_path / "out") if finding.text] == []
    with tarfile.open(tmp_path / "out" / "shards" / "00000.tar") as tar:
        members = [name for name in tar.getnames() if name.startswith("000000000.")]
    assert len(members) == 3 + len(names)
    sample = next(gritmill.read(tmp_path / "out"))
    assert set(sample.texts) == {dialects.suffix(name) for name in names[1:]}


@pytest.mark.parametrize(
    "name",
    [
        "pixels",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("florence2", "paligemma", "pix2seq", "qwen2.5-vl")),
    ],
)
def test_a_box_that_was_moved_in_a_text_is_found(tmp_path, grounding_dino, name, monkeypatch):
    config = sample_pairs.settings("caption-parser", grounding_dino, text={"dialect": ["kosmos2", name]})
    true = dialects.find(name)
    monkeypatch.setattr(type(true), "encode", _moved(type(true).encode))
    gritmill.run(
        config, inputs=sample_pairs.as_tars(sample_pairs.drawn(3), tmp_path / "in", tars=1), output=tmp_path / "out"
    )
    monkeypatch.undo()
    ending = f"{dialects.suffix(name)}.txt"
    found = {finding.key for finding in gritmill.validate(tmp_path / "out") if finding.text.startswith(ending)}
    assert found == {"000000000", "000000001", "000000002"}


def _moved(encode):
    """Writes every box shifted to the right by a tenth of the picture."""
    from dataclasses import replace

    def moved(self, grounded):
        spans = [
            replace(
                span, boxes=tuple((min(x1 + 0.1, 0.99), y1, min(x2 + 0.1, 1.0), y2) for x1, y1, x2, y2 in span.boxes)
            )
            for span in grounded.spans
        ]
        return encode(self, replace(grounded, spans=tuple(spans)))

    return moved
