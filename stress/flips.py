"""Flips single bits in the files of a run, and calls every command that reads a run.

A flip is harmless if each command has the same result as without it. Otherwise a command that reads the file must name
it and the remedy, and the remedy must work.
"""

import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gritmill
from stress import calls
from stress.calls import Answer, Running
from stress.commands import RUN_FILES, digests
from stress.pairs import write_jsonl, write_tars

_PAIRS = 24
_SETTINGS: dict[str, Any] = {
    "phrases": {"model": "caption-parser"},
    "detector": {"model": "stress.fake_detector:make"},
    "selection": {"score": 0.0},
    "chunk": {"pairs": 6},
    "shards": {"pairs": 10},
}
_UNREAD = (".gritmill.lock",)


class _World:
    """Sources, a finished run of them, and the run that a flip has changed. The run's path is always the same."""

    def __init__(self, folder: Path) -> None:
        self.start, self.run, self.out = folder / "start", folder / "run", folder / "out"
        self.inputs = [write_tars(folder / "tars", _PAIRS, _PAIRS // 2), write_jsonl(folder / "files", _PAIRS)]
        (folder / "files/3.jpg").unlink()
        answer = Running(lambda: str(bool(gritmill.run(_SETTINGS, inputs=self.inputs, output=self.run)))).wait()
        if answer.told:
            raise RuntimeError(answer.value)
        shutil.move(self.run, self.start)

    def restart(self) -> None:
        """Gives the run its first state."""
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.start, self.run)

    def state(self) -> dict[str, str]:
        """What the files of the run contain."""
        return digests(self.run, RUN_FILES)


_READERS: dict[str, Callable[[_World], str]] = {
    "gritmill.read": lambda world: calls.read(world.run),
    "export": lambda world: calls.export(world.run, world.out),
    "validate": lambda world: calls.validate(world.run),
    "view": lambda world: calls.view(world.run, world.out),
    "pack --detections": lambda world: _pack_elsewhere(world),
    "ground": lambda world: _resume(world, lambda: gritmill.ground(_SETTINGS, inputs=world.inputs, output=world.run)),
    "pack": lambda world: _resume(world, lambda: gritmill.pack(_SETTINGS, output=world.run)),
}


def _pack_elsewhere(world: _World) -> str:
    gritmill.pack(_SETTINGS, output=world.out, detections=world.run)
    return calls.digest_of(digests(world.out, RUN_FILES))


def _resume(world: _World, call: Callable[[], Any]) -> str:
    """Calls a command of a finished run again. Returns the names of the files that it changed."""
    before = world.state()
    call()
    after = world.state()
    return str(sorted(name for name in {*before, *after} if before.get(name) != after.get(name)))


@dataclass
class Tally:
    """How the flips in the files of one kind ended. wrong: the place of each flip that was neither, and why."""

    kind: str
    flips: int = 0
    harmless: int = 0
    told: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def trial(folder: Path, flips: int, seed: int) -> Iterator[Tally]:
    """Flips `flips` bits, in all kinds of files equally often."""
    calls.import_all()
    world, rng = _World(folder), random.Random(seed)
    kinds: dict[str, list[Path]] = {}
    for path in sorted(world.start.rglob("*")):
        if path.is_file() and path.name not in _UNREAD and path.stat().st_size:
            kinds.setdefault(_kind(path.relative_to(world.start)), []).append(path)
    sound = {name: _call(world, name, lambda: None) for name in _READERS}
    for name, answer in sound.items():
        if answer.told:
            raise RuntimeError(f"{name}: {answer.value}")
    for number, (kind, paths) in enumerate(kinds.items()):
        tally = Tally(kind)
        for _ in range(flips // len(kinds) + (number < flips % len(kinds))):
            path = rng.choice(paths)
            bit = rng.randrange(8 * path.stat().st_size)
            _try(world, path.relative_to(world.start), bit, sound, tally)
        yield tally


def _kind(name: Path) -> str:
    """The kind of a file: its name, with n for numbers."""
    return "/".join("n" if part.isdigit() else _without_numbers(part) for part in name.parts)


def _without_numbers(name: str) -> str:
    return "".join("n" if one.isdigit() else one for one in name).replace("nnnnn", "n")


def _call(world: _World, name: str, damage: Callable[[], None]) -> Answer:
    world.restart()
    damage()
    return Running(lambda: _READERS[name](world)).wait()


def _try(world: _World, name: Path, bit: int, sound: dict[str, Answer], tally: Tally) -> None:
    """Flips a bit and adds to the tally how the readers take it."""

    def damage() -> None:
        path = world.run / name
        data = bytearray(path.read_bytes())
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)

    tally.flips += 1
    place = f"{name}, byte {bit // 8}, bit {bit % 8}"
    told: dict[str, str] = {}
    for reader in _READERS:
        answer = _call(world, reader, damage)
        if answer.broken or (not answer.told and answer.value not in (sound[reader].value, str([str(name)]))):
            tally.wrong.append(f"{place}: {reader}: {answer.value[:200]}")
            return
        if answer.told:
            if str(name) not in answer.value and not _is_of(str(name), answer.value):
                tally.wrong.append(f"{place}: {reader} names another file: {answer.value[:300]}")
                return
            told[reader] = answer.value
    world.restart()
    if not told:
        if _matters(str(name)):
            tally.wrong.append(f"{place}: no reader noticed it")
        else:
            tally.harmless += 1
        return
    for reader in told:
        tally.told[reader] = tally.told.get(reader, 0) + 1
    for line in set(told.values()):
        world.restart()
        damage()
        if text := _remedy_fails(world, world.run / name, line):
            tally.wrong.append(f"{place}: {line[:300]}: {text}")
            return


def _is_of(name: str, line: str) -> bool:
    """Whether a line names the shard that a file belongs to, where it is the shard's checksum that is wrong."""
    return name.startswith("shards/") and name.rpartition("/")[2][:5] in line


def _matters(name: str) -> bool:
    """Whether a command's result depends on a file; others hold times and texts for people."""
    return not name.startswith(("run.log", "report.", "detections/timings/", "detections/.gritmill"))


def _remedy_fails(world: _World, path: Path, line: str) -> str:
    """Follows the remedy of a message. Returns what is wrong afterwards, or an empty text."""
    remedy = line.rpartition("; ")[2]
    named = set(re.findall(r"gritmill (?:ground|pack)(?: --fresh)?", remedy))
    if not named:
        return "the line names no remedy"
    removed = re.search(r"remove (.*?)(?:,? then|,? and run|$)", remedy)
    for word in re.findall(r"\bit\b|/[^\s,]+", removed[1] if removed else ""):
        (path if word == "it" else Path(word)).unlink()

    def repair() -> str:
        fresh = "gritmill ground --fresh" in named
        gritmill.ground(_SETTINGS, inputs=world.inputs, output=world.run, fresh=fresh)
        gritmill.pack(_SETTINGS, output=world.run, fresh="gritmill pack --fresh" in named)
        return ""

    answer = Running(repair).wait()
    if answer.told:
        return f"the remedy fails: {answer.value[:300]}"
    left = set(world.state().items()) ^ set(digests(world.start, RUN_FILES).items())
    return f"the remedy leaves other files: {sorted(name for name, _ in left)[:2]}" if left else ""
