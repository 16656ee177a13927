"""Runs each reader of a run beside each command that changes it, with random offsets between their starts.

A reader must give the result for the run before the change, or for the run after it, or end with one line.
"""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gritmill
from stress import calls
from stress.calls import Answer, Running
from stress.commands import RUN_FILES, digests
from stress.fake_detector import small_run
from stress.pairs import write_jsonl, write_picture, write_tars

_PAIRS = 400
_MISSING = range(0, _PAIRS, 10)
_SETTINGS = small_run(chunk=25, shard=50)
_PARTIAL = "a part"
_OTHER_SHARDS = {**_SETTINGS, "shards": {"pairs": 30}}
_OTHER_CHUNKS = {**_SETTINGS, "chunk": {"pairs": 20}}


class World:
    """Sources, and a run of them. Paths are the same in every race, because a plan contains them."""

    def __init__(self, folder: Path) -> None:
        self._start, self.home = folder / "start", folder / "world"
        self.run, self.out = self.home / "run", self.home / "out"
        write_tars(self.home / "tars", _PAIRS, _PAIRS // 4)
        write_tars(self.home / "more", _PAIRS // 4)
        write_jsonl(self.home / "files", _PAIRS)
        for number in _MISSING:
            (self.home / f"files/{number}.jpg").unlink()
        Running(lambda: str(gritmill.run(_SETTINGS, inputs=self.inputs, output=self.run))).wait()
        shutil.move(self.home, self._start)

    @property
    def inputs(self) -> list[str]:
        """The sources of the run."""
        return [str(self.home / "tars/*.tar"), str(self.home / "files/pairs.jsonl")]

    @property
    def more_inputs(self) -> list[str]:
        """The sources of the run, and one more."""
        return [*self.inputs, str(self.home / "more/*.tar")]

    def restart(self, change: Callable[["World"], None]) -> None:
        """Gives the sources and the run their first state, and makes the change that the writer reacts to."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self._start, self.home)
        change(self)


def _nothing(world: World) -> None:
    pass


def _new_tar(world: World) -> None:
    shutil.copy2(world.home / "tars/00002.tar", world.home / "tars/00001.tar")


def _found_pictures(world: World) -> None:
    for number in _MISSING:
        write_picture(world.home / "files", number)


@dataclass(frozen=True)
class _Writer:
    """A command that changes a run. change: what happens to the sources before."""

    name: str
    call: Callable[[World], Any]
    change: Callable[[World], None] = _nothing


_READERS: dict[str, Callable[[World], str]] = {
    "gritmill.read": lambda world: calls.read(world.run),
    "export": lambda world: calls.export(world.run, world.out),
    "view": lambda world: calls.view(world.run, world.out),
    "validate": lambda world: calls.validate(world.run),
    "pack --detections": lambda world: _pack_elsewhere(world, partial=False),
    "pack --detections --partial": lambda world: _pack_elsewhere(world, partial=True),
}
_WRITERS = (
    _Writer("ground --fresh", lambda w: gritmill.ground(_OTHER_CHUNKS, inputs=w.inputs, output=w.run, fresh=True)),
    _Writer(
        "ground --redo-changed",
        lambda w: gritmill.ground(_SETTINGS, inputs=w.inputs, output=w.run, redo_changed=True),
        _new_tar,
    ),
    _Writer(
        "ground --retry-failed",
        lambda w: gritmill.ground(_SETTINGS, inputs=w.inputs, output=w.run, retry_failed=True),
        _found_pictures,
    ),
    _Writer("ground --extend", lambda w: gritmill.ground(_SETTINGS, inputs=w.more_inputs, output=w.run, extend=True)),
    _Writer("pack --fresh", lambda w: gritmill.pack(_OTHER_SHARDS, output=w.run, fresh=True)),
    _Writer(
        "run --retry-failed",
        lambda w: gritmill.run(_SETTINGS, inputs=w.inputs, output=w.run, retry_failed=True),
        _found_pictures,
    ),
    _Writer("run --extend", lambda w: gritmill.run(_SETTINGS, inputs=w.more_inputs, output=w.run, extend=True)),
    _Writer(
        "run --redo-changed",
        lambda w: gritmill.run(_SETTINGS, inputs=w.inputs, output=w.run, redo_changed=True),
        _new_tar,
    ),
)


def _pack_elsewhere(world: World, partial: bool) -> str:
    manifest = gritmill.pack(_SETTINGS, output=world.out, detections=world.run, partial=partial)
    if manifest["partial"]:
        calls.validate(world.out)
        return _PARTIAL
    return calls.digest_of(digests(world.out, RUN_FILES))


@dataclass
class Tally:
    """How the races of one reader with one writer ended.

    endings: how often the reader gave the result before the change, the one after it, one line, or a sound part of the
    run that says so (`pack --partial`). wrong: what else it gave, or how the writer's files differ from those of a call
    without a reader. refused: writers that were refused because of the reader; they are called again.
    """

    reader: str
    writer: str
    endings: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


def trial(folder: Path, races: int, seed: int) -> Iterator[Tally]:
    """Races each reader `races` times with each writer."""
    calls.import_all()
    world, rng = World(folder), random.Random(seed)
    for writer in _WRITERS:
        for name, reader in _READERS.items():
            yield _race(world, name, reader, writer, races, rng)


def _race(
    world: World, name: str, reader: Callable[[World], str], writer: _Writer, races: int, rng: random.Random
) -> Tally:
    tally = Tally(name, writer.name)
    world.restart(writer.change)
    before, reading = _timed(lambda: reader(world))
    world.restart(writer.change)
    done, writing = _timed(lambda: _write(world, writer))
    if done.told:
        raise RuntimeError(f"{writer.name}: {done.value}")
    whole = digests(world.run, RUN_FILES)
    after, _ = _timed(lambda: reader(world))
    for _ in range(races):
        world.restart(writer.change)
        offset = rng.uniform(-reading, writing)
        reads = Running(lambda: reader(world), max(offset, 0.0))
        writes = Running(lambda: _write(world, writer), max(-offset, 0.0))
        answer, written = reads.wait(), writes.wait()
        _judge(tally, answer, before, after)
        if written.broken:
            tally.wrong.append(f"the writer: {written.value}")
        elif written.told:
            tally.refused += 1
            Running(lambda: _write(world, writer)).wait()
        if digests(world.run, RUN_FILES) != whole:
            tally.wrong.append(f"the writer leaves other files than alone; offset {offset:.2f} s")
    return tally


def _judge(tally: Tally, answer: Answer, before: Answer, after: Answer) -> None:
    if answer.broken:
        tally.wrong.append(answer.value)
    elif answer == before:
        tally.endings["before"] += 1
    elif answer == after:
        tally.endings["after"] += 1
    elif answer.value == _PARTIAL:
        tally.endings[_PARTIAL] += 1
    elif answer.told:
        tally.endings["one line"] += 1
    else:
        tally.wrong.append("another result")


def _write(world: World, writer: _Writer) -> str:
    writer.call(world)
    return ""


def _timed(call: Callable[[], str]) -> tuple[Answer, float]:
    started = time.monotonic()
    answer = Running(call).wait()
    return answer, time.monotonic() - started
