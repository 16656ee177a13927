"""What the documentation names is there."""

import re
from pathlib import Path

import pytest
import typer

import gritmill
from gritmill.cli.commands import app
from pipeline.configuration import Configuration
from transforms.grit_record import COLUMNS
from transforms.records import Reason
from transforms.text import dialects
from transforms.text.grounded_caption import GroundedCaption, Span

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {".venv", ".git", "build", "dist"}
ENTRY_POINTS = ("sources", "detectors", "dialects", "exports")


def code_spans(text):
    """What stands between single backticks, outside of blocks of code."""
    prose = re.sub(r"^ *(```+).*?^ *\1", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose)


def code_blocks(text):
    return re.findall(r"^```(?:\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    text = "\n".join(line for line in page.read_text("utf-8").splitlines() if not line.startswith("    "))
    for link in re.findall(r"\]\((?!https?://)([^)]+)\)", text):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_function_that_a_page_names_exists(page):
    for span in code_spans(page.read_text("utf-8")):
        path, _, name = span.partition("::")
        if path.partition("/")[0] in FOLDERS and "/" in path and not set(path) & set("<>… "):
            assert list(ROOT.glob(path.rstrip("/"))), span
            if name:
                assert re.search(rf"^ *(def|class) {name}\b", (ROOT / path).read_text("utf-8"), re.MULTILINE), span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_configuration_key_and_public_name_that_a_page_names_exists(page):
    outside = {"tolerance"}  # a key of the family that docs/add-a-detector.md makes
    for span in code_spans(page.read_text("utf-8")):
        match = re.fullmatch(r"(\w+)\.(\w+)(=.*|\(.*|\.\w+.*)?", span)
        section = Configuration.model_fields.get(match[1]) if match else None
        if section and match[2] not in outside:
            assert match[2] in section.annotation.model_fields, span
        if match and match[1] == "gritmill" and not match[3]:
            assert match[2] in {*gritmill.__all__, *ENTRY_POINTS, *("evaluation", "json", "reading")}, span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_that_a_page_shows_has_options_that_exist(page):
    commands = typer.main.get_command(app).commands
    for block in code_blocks(page.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.partition("#")[0].removeprefix("$ ").partition(" -- ")[0].split()
            if words[:1] == ["gritmill"] and words[1] in commands:
                known = {flag for param in commands[words[1]].params for flag in (*param.opts, *param.secondary_opts)}
                flags = {word.partition("=")[0] for word in words if word.startswith("--") and word != "--"}
                assert flags <= known, line


def test_every_test_that_reliability_names_is_a_test():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "reliability.md").read_text("utf-8"))
    assert len(named) > 50
    assert all(name.startswith("test_") for _, name in named)


def test_the_list_of_pages_is_complete_and_the_glossary_in_order():
    listed = set(re.findall(r"\]\((\w[\w-]*\.md)\)", (ROOT / "docs" / "README.md").read_text("utf-8")))
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    lines = (ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines()
    words = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][2:]
    assert words == sorted(words)
    assert len(words) > 40


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
