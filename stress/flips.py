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
from stress.fake_detector import small_run
from stress.pairs import write_jsonl, write_tars

_PAIRS = 24
_SETTINGS = small_run(chunk=6, shard=10)
_UNREAD = (".gritmill.lock",)


class _World:
    """Sources, a run of them, and the run that a flip has changed. The run's path is always the same.

    finished: whether the run is finished. If not, it has been killed in `ground`: one of its three sources is complete.
    """

    def __init__(self, folder: Path, finished: bool) -> None:
        self.finished = finished
        self.start, self.run, self.out = folder / "start", folder / "run", folder / "out"
        self.inputs = [write_tars(folder / "tars", _PAIRS, _PAIRS // 2), write_jsonl(folder / "files", _PAIRS)]
        (folder / "files/3.jpg").unlink()
        answer = Running(lambda: str(bool(gritmill.run(_SETTINGS, inputs=self.inputs, output=self.run)))).wait()
        if answer.told:
            raise RuntimeError(answer.value)
        self.whole = digests(self.run, RUN_FILES)
        if not finished:
            shutil.rmtree(self.run / "shards")
            names = ["manifest.json", "statistics.json", "report.json", "report.html"]
            names += [f"detections/0000{source}/00000.done.json" for source in (1, 2)]
            for name in (*names, "detections/00001/00000-00001.parquet"):
                (self.run / name).unlink()
        shutil.move(self.run, self.start)

    def restart(self) -> None:
        """Gives the run its first state."""
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        shutil.copytree(self.start, self.run)

    def state(self) -> dict[str, str]:
        """What the files of the run contain."""
        return digests(self.run, RUN_FILES)


_READERS_OF_UNFINISHED: dict[str, Callable[[_World], str]] = {
    "ground": lambda world: _finish(world),
    "pack --detections --partial": lambda world: _pack_elsewhere(world, partial=True),
}
_READERS: dict[str, Callable[[_World], str]] = {
    "gritmill.read": lambda world: calls.read(world.run),
    "export": lambda world: calls.export(world.run, world.out),
    "validate": lambda world: calls.validate(world.run),
    "view": lambda world: calls.view(world.run, world.out),
    "pack --detections": lambda world: _pack_elsewhere(world),
    "ground": lambda world: _resume(world, lambda: gritmill.ground(_SETTINGS, inputs=world.inputs, output=world.run)),
    "pack": lambda world: _resume(world, lambda: gritmill.pack(_SETTINGS, output=world.run)),
}


def _pack_elsewhere(world: _World, partial: bool = False) -> str:
    gritmill.pack(_SETTINGS, output=world.out, detections=world.run, partial=partial)
    return calls.digest_of(digests(world.out, RUN_FILES))


def _finish(world: _World) -> str:
    """Lets `ground` go on. Returns the names of the files that are not those of a run that was never killed."""
    gritmill.ground(_SETTINGS, inputs=world.inputs, output=world.run)
    state = digests(world.run, RUN_FILES)
    return str(sorted(name for name in state if state[name] != world.whole[name]))


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
    """Flips `flips` bits, in all kinds of files equally often: four fifths in a finished run, the others in a run that
    was killed in `ground`."""
    calls.import_all()
    rng = random.Random(seed)
    (folder / "finished").mkdir()
    yield from _trial(_World(folder / "finished", True), flips - flips // 5, rng)
    (folder / "unfinished").mkdir()
    yield from _trial(_World(folder / "unfinished", False), flips // 5, rng)


def _trial(world: _World, flips: int, rng: random.Random) -> Iterator[Tally]:
    kinds: dict[str, list[Path]] = {}
    for path in sorted(world.start.rglob("*")):
        if path.is_file() and path.name not in _UNREAD and path.stat().st_size:
            kinds.setdefault(_kind(path.relative_to(world.start)), []).append(path)
    readers = _READERS if world.finished else _READERS_OF_UNFINISHED
    sound = {name: _call(world, readers[name], lambda: None) for name in readers}
    for name, answer in sound.items():
        if answer.told:
            raise RuntimeError(f"{name}: {answer.value}")
    for number, (kind, paths) in enumerate(kinds.items()):
        tally = Tally(kind if world.finished else f"unfinished: {kind}")
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


def _call(world: _World, reader: Callable[[_World], str], damage: Callable[[], None]) -> Answer:
    world.restart()
    damage()
    return Running(lambda: reader(world)).wait()


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
    readers = _READERS if world.finished else _READERS_OF_UNFINISHED
    for reader in sound:
        answer = _call(world, readers[reader], damage)
        # A file that a command does not read stays as it is.
        unread = str([str(name)]) if world.finished or name.parts[:2] == ("detections", "00000") else ""
        if answer.broken or (not answer.told and answer.value not in (sound[reader].value, unread)):
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
    return name.startswith("shards/") and name.removeprefix("shards/")[:5] in re.findall(r"shards/([0-9]{5})", line)


def _matters(name: str) -> bool:
    """Whether every bit of a file matters. A JSON file has keys that are only kept, and the name of its checksum."""
    return name.endswith((".tar", ".parquet"))


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

    # With the settings of the run, `ground` and `pack` do only what is left to do.
    answer = Running(repair).wait()
    if answer.told:
        return f"the remedy fails: {answer.value[:300]}"
    left = set(world.state().items()) ^ set(world.whole.items())
    return f"the remedy leaves other files: {sorted(name for name, _ in left)[:2]}" if left else ""
