"""What the documentation names is there."""

import re
from pathlib import Path

from pipeline.configuration import Configuration
from transforms.grit_record import COLUMNS
from transforms.records import Reason
from transforms.text import dialects
from transforms.text.grounded_caption import GroundedCaption, Span

ROOT = Path(__file__).resolve().parents[1]


def test_every_test_that_reliability_names_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "reliability.md").read_text("utf-8"))
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text("utf-8")]
    assert len(named) > 50
    assert "FIGURES" not in (ROOT / "docs" / "reliability.md").read_text("utf-8")
    assert missing == []


def test_every_file_that_is_linked_exists():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        text = "\n".join(line for line in page.read_text("utf-8").splitlines() if not line.startswith("    "))
        links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
        assert [link for link in links if not (page.parent / link).exists()] == [], page.name


def test_every_reason_is_explained():
    page = (ROOT / "docs" / "running.md").read_text("utf-8")
    assert [reason for reason in Reason if f"`{reason}`" not in page] == []


def test_every_setting_is_in_the_readme():
    text = (ROOT / "README.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`([\w.]+)`", row)}
    for section, field in Configuration.model_fields.items():
        for key in field.annotation.model_fields:
            assert {f"{section}.{key}", f".{key}"} & named or f"{section}.{key}.caption" in named, f"{section}.{key}"


def test_the_page_of_dialects_says_what_they_say_of_themselves():
    page = (ROOT / "docs" / "dialects.md").read_text("utf-8")
    two = GroundedCaption(
        "a dog in a field",
        (Span(0, 5, ((0.1, 0.2, 0.5, 0.74),)), Span(9, 16, ((0.0, 0.4, 1.0, 1.0),))),
        640,
        480,
    )
    for name in dialects.names():
        dialect = dialects.find(name)
        assert f"| `{name}` | {dialect.carries} | {dialect.rounding} | {dialect.error(640, 480)[0]:.4f}" in page, name
        assert dialect.encode(two) in page, name


def test_the_page_of_the_record_has_the_columns_in_their_order():
    page = (ROOT / "docs" / "record.md").read_text("utf-8")
    rows = [
        f"| `{column.name}` | `{str(column.type).replace('item: ', '')}` | {column.origin} | {column.description} |"
        for column in COLUMNS
    ]
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows
