"""What the documentation names is there."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import typer
from pydantic import ByteSize, TypeAdapter

import gritmill
from gritmill.cli.commands import app
from pipeline.configuration import ColumnSettings, Configuration
from pipeline.sources import Source
from transforms.claims.check_counts import COUNTS
from transforms.claims.check_ranks import RANKS
from transforms.claims.check_relations import BETWEEN, PICTURE, RELATIONS
from transforms.grit_record import COLUMNS
from transforms.models import Model
from transforms.records import FailureStage, Reason
from transforms.text import dialects
from transforms.text.grounded_caption import GroundedCaption, Span

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {".venv", ".git", "build", "dist"}
PACKAGES = ("gritmill", "pipeline", "transforms")
OF_A_PAGE = {"tolerance"}
"""A key of the family that docs/add-a-detector.md makes."""
ENVIRONMENT = {"GRITMILL_DEBUG", "GRITMILL_JOB_SERVER", "SIGTERM", "MERGED-BOX"}
OF_STORES = ("AWS_", "AZURE_", "CLASSPATH", "FSSPEC_", "GCSFS_", "GOOGLE_", "HADOOP_", "STORAGE_EMULATOR_HOST")
"""How the variables begin that configure the clients of object stores."""
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
    for span in code_spans(page.read_text("utf-8")):
        match = re.fullmatch(r"(\w+)\.(\w+)(=.*|\(.*|\.\w+.*)?", span)
        section = Configuration.model_fields.get(match[1]) if match else None
        if section and match[2] not in OF_A_PAGE:
            assert match[2] in section.annotation.model_fields, span
        if match and match[1] == "gritmill" and not match[3]:
            assert match[2] in {*gritmill.__all__, *ENTRY_POINTS, *("evaluation", "json", "reading")}, span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_that_a_page_shows_has_options_that_exist(page):
    commands = typer.main.get_command(app).commands
    for block in code_blocks(page.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.partition("  #")[0].removeprefix("$ ").partition(" -- ")[0].split()
            if words[:1] == ["gritmill"]:
                assert words[1] in commands, line
                known = {flag for param in commands[words[1]].params for flag in (*param.opts, *param.secondary_opts)}
                flags = {word.strip("[]").partition("=")[0] for word in words if word.strip("[").startswith("--")}
                assert flags <= known, line
                for section, key in re.findall(r" ([a-z]+)\.([a-z_]+)=", line):
                    fields = Configuration.model_fields[section].annotation.model_fields
                    assert key in {*fields, *OF_A_PAGE}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_and_constant_that_a_page_names_exists(page):
    commands = typer.main.get_command(app)
    params = [param for command in [commands, *commands.commands.values()] for param in command.params]
    known = {flag for param in params for flag in (*param.opts, *param.secondary_opts)}
    # Of Typer, of Beam, and of Kosmos-2's train.sh.
    known |= {"--help", "--runner", "--parallelism", "--streaming", "--box-score-threshold"}
    sources = "\n".join(path.read_text("utf-8") for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    for span in code_spans(page.read_text("utf-8")):
        for flag in re.findall(r"(?<!\S)--[a-z][\w-]*", span if span.startswith(("gritmill", "--")) else ""):
            assert flag in known or "_" in flag, (flag, span)  # Beam's have underscores
        if re.fullmatch(r"_?[A-Z][A-Z_]{3,}", span) and not span.startswith(OF_STORES):
            assert re.search(rf"\b{span}\b", sources) or span in ENVIRONMENT, span


def test_the_graphs_of_the_architecture_have_the_steps_of_the_code():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    graphs = re.findall(r"`(pipeline/\w+/graph\.py)`\):\n\n```mermaid\n(.*?)```", text, flags=re.DOTALL)
    assert [path for path, _ in graphs] == ["pipeline/ground/graph.py", "pipeline/pack/graph.py"]
    for path, graph in graphs:
        code = (ROOT / path).read_text("utf-8")
        labels = [label.partition("<br/>")[0] for label in re.findall(r'\["(.*?)"\]', graph)]
        assert len(labels) >= 9
        for label in labels:
            name = label.split()[0] if label.startswith(("Run ", "Commit ")) else label
            assert re.search(rf"\b{name}\b", code), label
        steps = set(re.findall(r'"(\w+)" >>', code)) - {
            "Counts",
            "KeyCounts",
            "KeyStatistics",
            "KeyStats",
            "Statistics",
        }
        assert steps - set(labels) == set()


@pytest.mark.parametrize(
    ("page", "kinds"),
    [
        ("add-a-source", [Source, gritmill.Pair, gritmill.ImageRef]),
        ("add-a-detector", [gritmill.Request, gritmill.Family]),
        ("add-a-stage", [gritmill.Stage, Model]),
        ("add-a-dialect", [gritmill.Tagged]),
        ("add-an-export", [gritmill.LineFormat]),
    ],
)
def test_the_tables_of_a_contract_name_what_there_is(page, kinds):
    known = {name for kind in kinds for name in {*dir(kind), *getattr(kind, "__annotations__", ())}}
    known |= {field.name for kind in kinds if is_dataclass(kind) for field in fields(kind)}
    known |= {"recorded", "progress"} | {kind.__name__ for kind in kinds}  # a model's optional attributes; headings
    named = set()
    for line in (ROOT / "docs" / f"{page}.md").read_text("utf-8").splitlines():
        if line.startswith("| `"):
            named |= {span.partition("(")[0] for span in re.findall(r"`([^`]+)`", line.split("|")[1])}
    assert len(named) > 5
    assert named - known == set()


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
    assert {"pair", "phrase", "referring expression", "chunk", "box", "candidate", "source fault"} <= set(words)


def test_every_predicate_is_explained_with_its_numbers():
    page = (ROOT / "docs" / "claims.md").read_text("utf-8").partition("## How far")[0]
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if line.startswith("| ")]
    numbers = {name: set(re.findall(r"`(\w+)`", row[-2])) for row in rows for name in row[1].split(", ")}
    del numbers["predicate"], numbers["---"]
    assert numbers.keys() == {*RELATIONS, *PICTURE, *COUNTS, *RANKS}
    boxes = [(0.1, 0.1, 0.3, 0.2), (0.5, 0.4, 0.9, 0.6), (0.2, 0.7, 0.5, 0.9)]
    for name, rule in {**RELATIONS, **PICTURE}.items():
        given = boxes[: 1 if name in PICTURE else 3 if name == BETWEEN else 2]
        assert numbers[name] == rule.measure(*given).keys(), name


def test_every_reason_is_explained():
    page = (ROOT / "docs" / "running.md").read_text("utf-8")
    rows = [line for line in page.partition("## Reasons")[2].splitlines() if line.startswith("| ")]
    named = {span for row in rows for cell in row.split("|")[1:-2] for span in re.findall(r"`([^`]+)`", cell)}
    assert named == {*Reason, *FailureStage, "<dialect>_<code>"}


def test_every_setting_is_in_the_readme():
    text = (ROOT / "README.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`([\w.]+)`", row)}
    for section, field in Configuration.model_fields.items():
        for key in field.annotation.model_fields:
            assert {f"{section}.{key}", f".{key}"} & named or f"{section}.{key}.caption" in named, f"{section}.{key}"
    for column in ColumnSettings.model_fields:
        assert {f"source.columns.{column}", f".{column}"} & named


def test_the_defaults_in_the_readme_are_those_of_the_code():
    compared = 0
    table = (ROOT / "README.md").read_text("utf-8").partition("| key | default |")[2]
    for line in table.splitlines():
        if re.match(r"\| `(\w+\.\w+)`", line):
            names, shown = (cell.strip() for cell in line.split("|")[1:3])
            section, first = re.match(r"`(\w+)\.(\w+)`", names).groups()
            keys = [first, *re.findall(r"`\.(\w+)`", names)]
            values = shown.split(", ")
            model = Configuration.model_fields[section].annotation.model_fields
            if len(values) == len(keys) and all(re.fullmatch(r"`.+`|[\d.]+(MiB|GiB)?", value) for value in values):
                for key, value in zip(keys, values, strict=True):
                    default = model[key].default
                    default = default[0] if isinstance(default, tuple) else default
                    expected = (
                        TypeAdapter(ByteSize).validate_python(value)
                        if "iB" in value
                        else type(default)(value.strip("`"))
                    )
                    assert expected == default, key
                    compared += 1
    assert compared > 15


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
