"""The input of all trials, the run of the local engine, and runs on an engine."""

import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
from PIL import Image

from cluster import noted_grounder
from cluster.noted_grounder import NOTES, POISON
from cluster.processes import Processes, wait_for
from stress.commands import RUN_FILES, digests
from transforms import bundled

TARS = 12
PAIRS = 24
_CHUNK = 8

_SECONDS = 600.0


@dataclass
class Lab:
    """A folder with the input: tars of one range each, and the results of the local engine."""

    folder: Path
    _runs: dict[str, Path] = field(default_factory=dict)

    @cached_property
    def input(self) -> str:
        """A pattern that matches the tars. All pictures differ."""
        folder = self.folder / "input"
        folder.mkdir(parents=True)
        scenes = list(_scenes())
        for number in range(TARS):
            with tarfile.open(folder / f"{number:05}.tar", "w") as tar:
                for position in range(PAIRS):
                    picture, caption = scenes[(number * PAIRS + position) % len(scenes)]
                    quality = 90 - number
                    target = io.BytesIO()
                    Image.open(io.BytesIO(picture)).save(target, "JPEG", quality=quality)
                    for ending, data in (("jpg", target.getvalue()), ("txt", caption)):
                        info = tarfile.TarInfo(f"{position:05}.{ending}")
                        info.size = len(data)
                        tar.addfile(info, io.BytesIO(data))
        return str(folder / "*.tar")

    def local_run(self, detector: str = noted_grounder.MODEL) -> Path:
        """The finished run of the local engine with a detector."""
        if detector not in self._runs:
            with noted(self.folder / f"local-notes-{len(self._runs)}"), Processes(self.folder / "local") as processes:
                output = self.folder / "local" / f"run-{len(self._runs)}"
                run = Run(self, processes, output, [], detector)
                status = run.wait()
                if status:
                    raise RuntimeError(f"the local engine ends with status {status}: {run.last_line}")
            self._runs[detector] = output
        return self._runs[detector]

    def expected(self, detector: str = noted_grounder.MODEL) -> dict[str, str]:
        """The digests of what the local engine writes with a detector, by name."""
        return digests(self.local_run(detector), RUN_FILES)


class Run:
    """`gritmill run` in a process of its own. options: Beam's. Notes are beside the run folder."""

    def __init__(
        self,
        lab: Lab,
        processes: Processes,
        output: Path,
        options: Sequence[str],
        detector: str = noted_grounder.MODEL,
        more: Sequence[str] = (),
    ) -> None:
        self.output = output
        self._log = processes.logs / f"{output.name}.log"
        settings = [f"detector.model={detector}", f"chunk.pairs={_CHUNK}", "selection.score=0.3", "shards.pairs=100"]
        settings.append("detector.threads=1")  # workers share cores, and other sums have other last bits
        words = ["run", "demo", "--input", lab.input, "--output", str(output), *more]
        words += [word for setting in settings for word in ("--set", setting)]
        command = [sys.executable, "-m", "gritmill", *words, *(["--", *options] if options else [])]
        self.process = processes.start(output.name, command)

    def wait(self, seconds: float = _SECONDS) -> int:
        """Waits for the end. Returns the exit status; raises TimeoutExpired."""
        return self.process.wait(seconds)

    @property
    def lines(self) -> list[str]:
        """The lines that it printed."""
        return [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]

    @property
    def last_line(self) -> str:
        """The last line of what it printed."""
        return (self.lines or [""])[-1]

    def finished_ranges(self) -> int:
        """The number of ranges that are finished."""
        return len(list((self.output / "detections").glob("0*/*.done.json")))

    def wait_for_a_range(self) -> None:
        """Waits until the first range is finished. Raises TimedOut, or RuntimeError if the run ends before."""

        def look() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"it ended with status {self.process.returncode}: {self.last_line}")
            return self.finished_ranges() > 0

        wait_for("a finished range", look, _SECONDS)

    def workers(self) -> set[str]:
        """Host and process of each worker that committed a chunk."""
        timings = (self.output / "detections" / "timings").rglob("*.json")
        return {json.loads(path.read_text())["worker"] for path in timings}

    def committed(self) -> dict[str, float]:
        """When each picture was committed, by its digest. Unix time."""
        return {row["image_digest"]: path.stat().st_mtime for path, row in rows_of(self.output)}


def rows_of(run: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The digest and the reason of a failure of each row of detections, with the file of its chunk."""
    for path in sorted((run / "detections").glob("0*/*-*.parquet")):
        table = pq.read_table(path, columns=["image_digest", "error"])
        yield from ((path, row) for row in table.to_pylist())


@contextmanager
def noted(folder: Path, poison: str = "") -> Iterator[Path]:
    """The folder of the notes of all processes that are started in the block. poison: the digest of a picture that
    kills them."""
    folder.mkdir(parents=True)
    # Also within the block of a trial: the run of the local engine is done when its results are needed.
    with patch.dict(os.environ, {NOTES: str(folder), POISON: poison}):
        yield folder


def difference(output: Path, expected: dict[str, str]) -> str:
    """What differs from the run of the local engine, in a few words; empty if nothing does."""
    if missing := sorted(expected.keys() - digests(output, RUN_FILES).keys()):
        return f"{len(missing)} files are missing: {missing[0]}"
    if other := sorted(differing(output, expected)):
        return f"{len(other)} files differ: {other[0]}"
    return ""


def differing(output: Path, expected: dict[str, str], start: str = "") -> set[str]:
    """The names of files that differ from those of the local engine, or that only one of both has. start: of names."""
    found = digests(output, RUN_FILES)
    names = (name for name in expected.keys() | found.keys() if name.startswith(start))
    return {name for name in names if expected.get(name) != found.get(name)}


def computed_again(notes: Path, committed: dict[str, float]) -> int:
    """The number of pictures that a detector looked at after they had been committed."""
    noted = noted_grounder.notes(notes)
    return sum(times[-1] > committed.get(digest, float("inf")) for digest, times in noted.items())


def _scenes() -> Iterator[tuple[bytes, bytes]]:
    """The pictures and captions of `examples/`."""
    for path in sorted((bundled.folder("examples") / "scenes").glob("*.tar")):
        with tarfile.open(path) as tar:
            members = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]
        stems = [name.removesuffix(".jpg") for name in members if name.endswith(".jpg")]
        yield from ((members[f"{stem}.jpg"], members[f"{stem}.txt"]) for stem in stems)
