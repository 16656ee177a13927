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
    """What the kills of one command have done.

    same: whether in the end every byte is that of an undisturbed run. leftovers: temporary files in the end. lies: how
    often `validate` called an output good that a kill had left unlike the undisturbed one. faults: what it said last.
    """

    command: str
    kills: int
    starts: int
    same: bool
    leftovers: int
    lies: int
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
        starts, lies = _killed((*command, str(out)), kills, seconds, chance, whole)
        leftovers = sum(1 for path in out.rglob(".gritmill-tmp-*"))
        same = _digests(out) == _digests(whole)
        faults = _validated(out)[1]
        outcomes.append(Outcome(command[0], kills, starts, same, leftovers, lies, faults))
    return outcomes


def _killed(command: Sequence[str], kills: int, seconds: float, chance: random.Random, whole: Path) -> tuple[int, int]:
    """Starts the command until it has been killed so often and has then come to its end.

    Returns the starts, and how often `validate` was content with something else than the undisturbed output.

    A start that is over before its instant counts as no kill; what it wrote is removed, so that the next has work.
    """
    out = Path(command[-1])
    done = starts = lies = 0
    while done < kills:
        starts += 1
        process = subprocess.Popen(_words(command), start_new_session=True, stdout=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.2, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
            lies += _validated(out)[0] == 0 and _digests(out) != _digests(whole)
        else:
            if process.returncode:
                raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
            _undo(out, chance)
    _finish(command)
    return starts + 1, lies


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


def _validated(out: Path) -> tuple[int, str]:
    """Exit status of `validate`, and the last that it said."""
    done = subprocess.run(_words(("validate", str(out))), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip().splitlines()[-1].replace(str(out), "out")
