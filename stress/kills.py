"""Kills the driver repeatedly at random times, then lets it finish."""

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

_GROUND_PAIRS, _PACK_PAIRS = 960, 10_000
_REAL_MODELS = ("phrases.model=caption-parser", "detector.model=scene-grounder", "detector.threads=1", "chunk.pairs=8")
_FAKE_DETECTOR = ("phrases.model=caption-parser", "detector.model=stress.fake_detector:make")


@dataclass
class Tally:
    """How often a command was started and killed.

    mid_write: kills that left new or temporary files. false_valid: how often `validate` found no fault after a kill
    although the output differed from that of the undisturbed run.
    """

    starts: int = 0
    kills: int = 0
    mid_write: int = 0
    false_valid: int = 0


@dataclass(frozen=True)
class Outcome:
    """The result of the kills of one command.

    same: whether the final output has the same bytes as that of an undisturbed run. leftovers: temporary files in the
    final output. validate_output: the last line that `validate` printed.
    """

    command: str
    tally: Tally
    same: bool
    leftovers: int
    validate_output: str


def trial(folder: Path, kills: int, seed: int) -> list[Outcome]:
    """Kills first `ground` and then `pack`, `kills` times each."""
    rng = random.Random(seed)
    pairs = write_tars(folder / "in", _GROUND_PAIRS, _GROUND_PAIRS // 4)
    grounding = _kill_trial(("ground", "--input", pairs, "--set", *_REAL_MODELS), folder / "ground", kills, rng)
    pairs, table = write_tars(folder / "pack-in", _PACK_PAIRS), str(folder / "table")
    _run_to_end(("ground", "--input", pairs, "--set", *_FAKE_DETECTOR, "--quiet", "--output", table))
    pack_command = ("pack", "--detections", table, "--set", "selection.score=0.0", "shards.pairs=200")
    return [grounding, _kill_trial(pack_command, folder / "pack", kills, rng)]


def _kill_trial(command: Sequence[str], folder: Path, kills: int, rng: random.Random) -> Outcome:
    reference, out = folder / "whole", folder / "out"
    started = time.monotonic()
    _run_to_end((*command, "--quiet", "--output", str(reference)))
    seconds = time.monotonic() - started
    tally = _kill_repeatedly((*command, "--quiet", "--output", str(out)), kills, seconds, rng, reference)
    same = _digests(out) == _digests(reference)
    return Outcome(command[0], tally, same, _unfinished(out), _validate(out)[1])


def _kill_repeatedly(command: Sequence[str], kills: int, seconds: float, rng: random.Random, reference: Path) -> Tally:
    """Starts the command until it was killed `kills` times, then lets it finish.

    If it finishes before the kill, this does not count as a kill, and `_undo` removes output so that the next start has
    work to do.
    """
    out = Path(command[-1])
    tally = Tally()
    while tally.kills < kills:
        tally.starts += 1
        before = _digests(out)
        process = subprocess.Popen(_command_line(command), start_new_session=True, stdout=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.2, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            tally.kills += 1
            tally.mid_write += _digests(out) != before or _unfinished(out) > 0
            tally.false_valid += _validate(out)[0] == 0 and _digests(out) != _digests(reference)
        else:
            if process.returncode:
                raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}")
            _undo(out, command[0], rng)
    tally.starts += 1
    _run_to_end(command)
    return tally


def _undo(out: Path, command: str, rng: random.Random) -> None:
    """Removes the files that mark work as finished, and a random half of all written files."""
    patterns = ("detections/0*/*",) if command == "ground" else ("shards/*", "manifest.json")
    written = sorted(path for pattern in patterns for path in out.glob(pattern))
    done_files = [path for path in written if path.name.endswith((".done.json", "_stats.json", "manifest.json"))]
    for path in {*done_files, *rng.sample(written, len(written) // 2)}:
        path.unlink(missing_ok=True)


def _run_to_end(command: Sequence[str]) -> None:
    subprocess.run(_command_line(command), check=True, stdout=subprocess.DEVNULL)


def _command_line(command: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "gritmill", *command]


def _unfinished(out: Path) -> int:
    return sum(1 for _ in out.rglob(".gritmill-tmp-*"))


def _digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file for which equal input must give equal bytes."""
    patterns = ("detections/0*/*", "shards/*", "manifest.json")
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _validate(out: Path) -> tuple[int, str]:
    """Returns the exit status of `validate` and the last line that it printed."""
    done = subprocess.run(_command_line(("validate", str(out))), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip().splitlines()[-1].replace(str(out), "out")
