"""Kills a command repeatedly at random times, then lets it finish."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stress.campaigns import Campaign, campaigns
from stress.commands import command_line, run_to_end, unfinished


@dataclass
class Tally:
    """What the kills of one command left behind.

    mid_write: kills that left new or temporary files. false_finished: how often the output seemed finished after a kill
    although it was neither that of an undisturbed run nor the one before the first call. differences: files of the
    final output that are not as in an undisturbed run. leftovers: temporary files in the final output.
    """

    command: str
    starts: int = 0
    kills: int = 0
    mid_write: int = 0
    false_finished: int = 0
    differences: list[str] = field(default_factory=list)
    leftovers: int = 0

    @property
    def same(self) -> bool:
        """Whether the final output has the same bytes as that of an undisturbed run."""
        return not self.differences

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return self.same and not self.leftovers and not self.false_finished


def trial(folder: Path, kills: int, seed: int, only: str) -> Iterator[Tally]:
    """Kills each command `kills` times. only: a word that the command contains."""
    for campaign in campaigns(folder, only):
        yield _kill_repeatedly(campaign, folder / "trial" / campaign.name, kills, random.Random(seed))


def _kill_repeatedly(campaign: Campaign, folder: Path, kills: int, rng: random.Random) -> Tally:
    """Starts the command until it was killed `kills` times, then lets it finish.

    If it finishes before the kill, this does not count as a kill, and it begins again.
    """
    folder.mkdir(parents=True)
    seconds, whole = _undisturbed(campaign, folder / "whole")
    out, tally = folder / "out", Tally(campaign.name)
    campaign.restart(out)
    start = campaign.state(out)
    while tally.kills < kills:
        tally.starts += 1
        before = campaign.state(out)
        words = (*campaign.words, str(out))
        process = subprocess.Popen(command_line(words), start_new_session=True, stdout=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.2, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            after = campaign.state(out)
            tally.kills += 1
            tally.mid_write += after != before or unfinished(out) > 0
            known = (_packed(start), _packed(whole))
            tally.false_finished += _packed(after) not in known and campaign.finished(out)
            if after == whole:  # all was written; a `--fresh` would begin once more
                campaign.restart(out)
        else:
            if process.returncode:
                raise RuntimeError(f"gritmill {' '.join(words)}: exit status {process.returncode}")
            campaign.restart(out)
    tally.starts += 1
    run_to_end((*campaign.words, str(out)))
    tally.differences = sorted({name for name, _ in campaign.state(out).items() ^ whole.items()})
    tally.leftovers = unfinished(out)
    return tally


def _packed(state: dict[str, str]) -> dict[str, str]:
    """The files that make an output a finished one. Detections that are new beside old shards do not matter."""
    return {name: digest for name, digest in state.items() if not name.startswith("detections")}


def _undisturbed(campaign: Campaign, out: Path) -> tuple[float, dict[str, str]]:
    """The duration of the command in seconds, and what it writes."""
    campaign.restart(out)
    started = time.monotonic()
    run_to_end((*campaign.words, str(out)))
    return time.monotonic() - started, campaign.state(out)
