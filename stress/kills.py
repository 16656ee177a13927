"""The driver is killed at instants of chance, again and again, until it comes to its end all the same."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stress.pairs import write_tars

_PAIRS, _TARS_OF = 240, 60
_SETTINGS = ("phrases.model=caption-parser", "detector.model=scene-grounder", "detector.threads=1", "chunk.pairs=8")


@dataclass(frozen=True)
class Outcome:
    """What twenty kills of one command have done. same: whether every byte is that of an undisturbed run."""

    command: str
    kills: int
    starts: int
    same: bool
    leftovers: int
    faults: str


def trial(folder: Path, kills: int, seed: int) -> list[Outcome]:
    """Kills `ground`, and then `pack`, so many times each."""
    chance = random.Random(seed)
    pairs = write_tars(folder / "in", _PAIRS, _TARS_OF)
    ground = ("ground", "--input", pairs, "--set", *_SETTINGS, "--quiet", "--output")
    pack = ("pack", "--set", "selection.score=0.0", "shards.pairs=20", "--quiet", "--output")
    whole, out = folder / "whole", folder / "out"
    outcomes = []
    for command in (ground, pack):
        started = time.monotonic()
        _finish((*command, str(whole)))
        seconds = time.monotonic() - started
        starts = _killed((*command, str(out)), kills, seconds, chance)
        leftovers = sum(1 for path in out.rglob(".gritmill-tmp-*"))
        same = _digests(out) == _digests(whole)
        faults = _validated(out) if command is pack else "no shards yet"
        outcomes.append(Outcome(command[0], kills, starts, same, leftovers, faults))
    return outcomes


def _killed(command: Sequence[str], kills: int, seconds: float, chance: random.Random) -> int:
    """Starts the command until it has been killed so often and has then come to its end. Returns the starts.

    A start that is over before its instant counts as no kill; what it wrote is removed, so that the next has work.
    """
    done = starts = 0
    while done < kills:
        starts += 1
        process = subprocess.Popen(_words(command), start_new_session=True, stdout=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.2, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
        else:
            if process.returncode:
                raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
            _undo(Path(command[-1]), chance)
    _finish(command)
    return starts + 1


def _undo(out: Path, chance: random.Random) -> None:
    """Takes away what says that the last run was finished, and half of what it wrote."""
    written = [*out.glob("detections/0*/*"), *out.glob("shards/*"), out / "manifest.json"]
    marks = [path for path in written if path.name.endswith((".done.json", "_stats.json", "manifest.json"))]
    for path in {*marks, *chance.sample(written, len(written) // 2)}:
        path.unlink(missing_ok=True)


def _finish(command: Sequence[str]) -> None:
    subprocess.run(_words(command), check=True, stdout=subprocess.DEVNULL)


def _words(command: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "gritmill", *command]


def _digests(folder: Path) -> dict[str, str]:
    """Of every file under the rule that equal input gives equal bytes."""
    patterns = ("detections/0*/*", "shards/*", "manifest.json")
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _validated(out: Path) -> str:
    done = subprocess.run(_words(("validate", str(out))), capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1]
