"""Pages with commands do what they say: each is followed from its first line to its last."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gritmill
from tests.walk_page import InThisProcess, walk
from transforms import bundled

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs").glob("add-*.md"))
DEMO = "$ gritmill demo out --limit 4\n"
"""The first command of each page; it runs once for all of them."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "out"
    gritmill.run("demo", inputs=bundled.folder("examples") / "scenes", output=folder, limit=4)
    return folder


def test_there_is_a_page_for_each():
    assert [page.stem for page in PAGES] == [
        "add-a-detector",
        "add-a-dialect",
        "add-a-source",
        "add-a-stage",
        "add-an-export",
    ]


def marked(page):
    """The page of the detector makes a model, which takes as long as all others."""
    return pytest.param(page, id=page.stem, marks=pytest.mark.slow if page.stem == "add-a-detector" else ())


@pytest.mark.parametrize("page", map(marked, PAGES))
def test_a_page_does_what_it_says(page, demo, tmp_path, capfd, monkeypatch):
    before = set(sys.modules)
    shutil.copytree(demo, tmp_path / "out")
    text = page.read_text("utf-8")
    assert DEMO in text
    assert walk(text.replace(DEMO, ""), tmp_path, InThisProcess(tmp_path, capfd, monkeypatch)) >= 2
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.slow
def test_the_page_of_the_evaluation_shows_what_its_commands_print(tmp_path, capfd, monkeypatch):
    (tmp_path / "examples").symlink_to(bundled.folder("examples"))
    monkeypatch.setenv("COLUMNS", "120")
    page = (PAGES[0].parent / "evaluation.md").read_text("utf-8")
    assert walk(page, tmp_path, InThisProcess(tmp_path, capfd, monkeypatch)) == 6


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says_in_a_shell(page, tmp_path):
    site = tmp_path / "site"
    environment = os.environ | {"PYTHONPATH": str(site), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    install = [sys.executable, "-m", "pip", "install", *offline]

    def run(words):
        words = [*install, "."] if words[:2] == ["pip", "install"] else words
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout + done.stderr

    walk(page.read_text("utf-8"), tmp_path, run)
