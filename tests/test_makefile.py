"""Which Python `make` uses. The interpreters are fakes that record their arguments; no environment is created."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

CHECK = "-c import venv, ensurepip"
MAKE = "-m venv --clear .venv"
INSTALL = "python -m pip install --quiet --constraint constraints.txt --editable .[test]"

FAKE = """#!/bin/sh
echo "${{0##*/}} $*" >> calls
case "$*" in
    "{check}") echo noise; echo more noise >&2; exit {checked};;
    "-m venv --clear "*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python; exit {made};;
esac
"""


def clone(tmp_path: Path) -> Path:
    """Creates a folder with our Makefile and the files and tools that it needs."""
    (tmp_path / "bin").mkdir()
    for tool in ("cp", "mkdir", "rm", "touch"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    folder = tmp_path / "clone"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).touch()
    return folder


def fake(folder: Path, name: str, checked: int = 0, made: int = 0) -> None:
    """Puts a fake interpreter on the path. checked, made: exit status of its check and of its `-m venv`."""
    path = folder.parent / "bin" / name
    path.write_text(FAKE.format(check=CHECK, checked=checked, made=made), "utf-8")
    path.chmod(0o755)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # An empty environment: with `make test PYTHON=...`, the inner make would inherit PYTHON.
    command = [shutil.which("make"), *arguments]
    path = str(folder.parent / "bin")
    return subprocess.run(command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False)


def calls(folder: Path) -> list[str]:
    """Returns the calls of the interpreters since the last time."""
    path = folder / "calls"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


@pytest.mark.parametrize(
    ("here", "asked"),
    [
        ({"python3.11": 0, "python3.12": 0, "python3.13": 0}, ["python3.11"]),
        ({"python3.12": 0, "python3.13": 0}, ["python3.13"]),
        ({"python3.12": 0}, ["python3.12"]),
        ({"python3.11": 127, "python3.13": 0}, ["python3.11", "python3.13"]),
        ({"python3.11": 1, "python3.12": 0, "python3.13": 1}, ["python3.11", "python3.13", "python3.12"]),
    ],
)
def test_python_3_11_makes_the_environment_or_else_the_newest_that_can(tmp_path, here, asked):
    folder = clone(tmp_path)
    for name, checked in here.items():
        fake(folder, name, checked)
    made = make(folder, "install")
    assert (made.returncode, made.stderr) == (0, "")
    assert calls(folder) == [*(f"{name} {CHECK}" for name in asked), f"{asked[-1]} {MAKE}", INSTALL]


@pytest.mark.parametrize("here", [{}, {"python3.11": 1, "python3.13": 127}, {"python3": 0, "python3.10": 0}])
def test_without_any_one_line_says_what_to_install(tmp_path, here):
    folder = clone(tmp_path)
    for name, checked in here.items():
        fake(folder, name, checked)
    made = make(folder, "demo")
    assert made.returncode == 2
    assert made.stdout == ""
    [line] = made.stderr.splitlines()
    assert "3.11, 3.12 or 3.13" in line
    assert "apt install python3-venv" in line
    assert not (folder / ".venv").exists()


def test_the_one_that_is_named_wins_unasked(tmp_path):
    folder = clone(tmp_path)
    fake(folder, "python3.11")
    fake(folder, "mine", checked=1)
    assert make(folder, "install", "PYTHON=mine").returncode == 0
    assert calls(folder) == [f"mine {MAKE}", INSTALL]


def test_what_is_installed_asks_no_interpreter(tmp_path):
    folder = clone(tmp_path)
    fake(folder, "python3.11")
    make(folder, "install")
    calls(folder)
    os.utime(folder / ".venv" / "installed", (2e9, 2e9))
    os.utime(folder / ".venv" / "bin" / "python", (3e9, 3e9))  # a newer system Python does not trigger an installation
    assert make(folder, "install").returncode == 0
    assert calls(folder) == []


def test_other_pins_are_installed_in_the_environment_that_is_there(tmp_path):
    folder = clone(tmp_path)
    fake(folder, "python3.13")
    make(folder, "install")
    calls(folder)
    fake(folder, "python3.11")
    os.utime(folder / ".venv" / "installed", (0, 0))
    assert make(folder, "install").returncode == 0
    assert calls(folder) == [INSTALL]


def test_an_environment_that_was_not_finished_is_made_anew(tmp_path):
    folder = clone(tmp_path)
    fake(folder, "python3.11", made=1)
    assert make(folder, "install").returncode == 2
    assert calls(folder) == [f"python3.11 {CHECK}", f"python3.11 {MAKE}"]
    fake(folder, "python3.11")
    assert make(folder, "install").returncode == 0
    assert calls(folder) == [f"python3.11 {CHECK}", f"python3.11 {MAKE}", INSTALL]


def test_an_environment_whose_python_is_gone_is_made_anew(tmp_path):
    folder = clone(tmp_path)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to("/nowhere/python3.11")
    fake(folder, "python3.13")
    (folder / ".venv" / "installed").touch()  # by the Python that no longer exists
    assert make(folder, "install", "--dry-run").stdout.splitlines()[0] == f"python3.13 {MAKE}"
    assert make(folder, "install").returncode == 0
    assert calls(folder)[-2:] == [f"python3.13 {MAKE}", INSTALL]


def test_each_list_of_interop_gets_an_environment(tmp_path):
    folder = clone(tmp_path)
    fake(folder, "python3.11")
    make(folder, "install")
    (folder / "interop" / "requirements").mkdir(parents=True)
    names = ("img2dataset", "libraries", "datumaro")
    for name in names:
        (folder / "interop" / "requirements" / f"{name}.txt").touch()
    made = make(folder, "interop", "--dry-run")
    assert (made.returncode, made.stderr) == (0, "")
    commands = [
        command
        for name in names
        for command in (
            f".venv/bin/python -m venv --clear .venv-interop/{name}",
            f".venv-interop/{name}/bin/python -m pip install --quiet --no-compile "
            f"--requirement interop/requirements/{name}.txt",
            f"touch .venv-interop/{name}/installed",
        )
    ]
    assert made.stdout.splitlines() == [*commands, ".venv/bin/python -m interop"]
    made = make(folder, "interop", "PHOTOS=my photos", "--dry-run")
    assert made.stdout.splitlines()[-1] == ".venv/bin/python -m interop --photos 'my photos'"
