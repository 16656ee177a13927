"""Follows a page of docs/: writes the files that it shows, runs its commands, compares what they print."""

import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gritmill.main import main

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED_BEFORE = re.compile(r"`([\w./-]+)`:\n\n\Z")


def walk(page: str, folder: Path, run: Callable[[list[str]], str]) -> int:
    """Follows the blocks of a page in order; returns the number of commands that ran.

    A block of code is a file if its first line is a comment with the name, or the line above the block ends with it. A
    block `console` has commands after "$ ", each followed by lines that its output must contain, in this order. Any
    blanks match any other blanks, and "…" matches any text.

    run: runs the words of a command in `folder` and returns what it printed.
    """
    ran = 0
    for block in _BLOCK.finditer(page):
        language, text = block.groups()
        if language == "console":
            for command, expected in _commands(text):
                printed = run(shlex.split(command))
                lines = iter(map(_words, printed.splitlines()))
                missing = [one for one in expected if not any(re.fullmatch(_pattern(one), line) for line in lines)]
                assert not missing, f"{command} printed: {printed}"
                ran += 1
        elif name := _file_name(page[: block.start()], text):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return ran


def _file_name(before: str, text: str) -> str:
    commented = re.match(r"# ([\w./-]+\.\w+)\n", text)
    named = commented or _NAMED_BEFORE.search(before)
    return named[1] if named else ""


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *expected = part.splitlines()
        yield command, expected


def _pattern(line: str) -> str:
    return ".*".join(map(re.escape, _words(line).split("…")))


def _words(text: str) -> str:
    return " ".join(text.split())


class InThisProcess:
    """Runs the commands of a page in this process. capture: pytest's `capfd`."""

    def __init__(self, folder: Path, capture, monkeypatch) -> None:
        self.folder = folder
        self.capture = capture
        self.monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
        monkeypatch.setattr("pipeline.engines.progress._LINE_SECONDS", 3600.0)

    def __call__(self, words: list[str]) -> str:
        self.capture.readouterr()
        match words:
            case ["gritmill", *arguments]:
                self._gritmill(arguments)
            case ["python", script]:
                runpy.run_path(script, run_name="__main__")
            case ["pip", "install", "--editable", "."]:
                self._install()
            case ["head", "-n", "1", name]:
                print(Path(name).read_text().splitlines()[0])
            case _:
                raise AssertionError(f"a page has a command that this test does not know: {words}")
        return "\n".join(self.capture.readouterr())

    def _gritmill(self, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = self.capture.readouterr()
        print(*printed)
        assert ended.value.code == 0, (arguments, printed)

    def _install(self) -> None:
        """What an installed package leaves that gritmill looks for: its entry points, and modules on the path."""
        project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
        info = self.folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1\n")
        groups = project["entry-points"].items()
        lines = [[f"[{group}]", *(f"{name} = {value}" for name, value in own.items())] for group, own in groups]
        (info / "entry_points.txt").write_text("\n".join(line for group in lines for line in group))
        # What is known of installed packages is kept by the path that they are looked for on.
        self.monkeypatch.setattr(sys, "path", [*sys.path, str(info.parent / ".")])
