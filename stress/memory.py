"""Peak memory of `ground` and `pack` for two input sizes, which must not grow with the input."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stress.commands import command_line
from stress.fake_detector import SETTINGS
from stress.pairs import write_tars

_REAL_MODELS = ("phrases.model=caption-parser", "detector.model=scene-grounder", "detector.threads=1")


@dataclass(frozen=True)
class Peak:
    """Peak resident memory of one command on `pairs` pairs, in MiB."""

    command: str
    pairs: int
    mebibytes: float


def trial(folder: Path, ground: Sequence[int], pack: Sequence[int]) -> list[Peak]:
    """Measures `ground` with the embedded models, and `pack` on the boxes of a fake detector.

    ground, pack: ascending numbers of pairs.
    """
    peaks = []
    for pairs in ground:
        inputs = write_tars(folder / f"ground-in-{pairs}", pairs)
        arguments = ("ground", "--input", inputs, "--set", *_REAL_MODELS, "--output", str(folder / f"ground-{pairs}"))
        peaks.append(Peak("ground", pairs, _peak_mebibytes(arguments)))
    for pairs in pack:
        inputs, out = write_tars(folder / f"pack-in-{pairs}", pairs), str(folder / f"pack-{pairs}")
        _peak_mebibytes(("ground", "--input", inputs, "--set", *SETTINGS, "--output", out))
        peaks.append(Peak("pack", pairs, _peak_mebibytes(("pack", "--set", "selection.score=0.0", "--output", out))))
    return peaks


def _peak_mebibytes(arguments: Sequence[str]) -> float:
    """Runs gritmill and returns its peak resident memory in MiB.

    Raises:
      RuntimeError: the exit status is not 0.
    """
    process = subprocess.Popen(command_line((*arguments, "--quiet")), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"gritmill {' '.join(arguments)}: exit status {process.returncode}")
    return usage.ru_maxrss / 1024  # Linux reports KiB
