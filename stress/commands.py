"""Commands of gritmill as processes, and the state of a folder before and after them."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PACKED_FILES = ("shards/*", "manifest.json", "statistics.json")
RUN_FILES = ("detections/plan.json", "detections/0*/*", *PACKED_FILES)
"""The files of a run for which equal input must give equal bytes."""


def command_line(words: Sequence[str]) -> list[str]:
    """The call of gritmill with the current interpreter."""
    return [sys.executable, "-m", "gritmill", *words]


def run_to_end(words: Sequence[str]) -> None:
    """Runs a command.

    Raises:
      CalledProcessError: its exit status is not 0.
    """
    subprocess.run(command_line(words), check=True, stdout=subprocess.DEVNULL)


def validate(folder: Path) -> tuple[int, str]:
    """The exit status of `gritmill validate`, and the last line that it printed."""
    done = subprocess.run(command_line(("validate", str(folder))), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip().splitlines()[-1].replace(str(folder), "out")


def digests(path: Path, patterns: Sequence[str] = ("**/*",)) -> dict[str, str]:
    """The SHA-256 of each file below a folder that matches a pattern, by its relative name; or that of a file."""
    if path.is_file():
        return {"": _sha256(path)}
    found = {one for pattern in patterns for one in path.glob(pattern) if one.is_file()}
    return {str(one.relative_to(path)): _sha256(one) for one in sorted(found)}


def unfinished(path: Path) -> int:
    """The number of temporary files below a folder."""
    return sum(1 for _ in path.rglob(".gritmill-tmp-*"))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
