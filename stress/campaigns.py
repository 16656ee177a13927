"""The commands that `kills` kills: every command that writes, with the state of its folder before the first call."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from stress.commands import RUN_FILES, digests, run_to_end, validate
from stress.fake_detector import SETTINGS
from stress.pairs import write_jsonl, write_picture, write_tars
from transforms import bundled

_REAL_MODELS = ("phrases.model=caption-parser", "detector.model=scene-grounder", "detector.threads=1", "chunk.pairs=8")
_FEW = ("chunk.pairs=40",)
_SHARDS = ("shards.pairs=200",)
_ALL = ("**/*",)


@dataclass(frozen=True)
class Campaign:
    """One command and the folder that it writes to.

    name: of the folder in which it runs. words: of the command, without the output, which is the last one. compared:
    patterns of the files that must be equal in the end. start: the output before the first call; None: there is none.
    finished: whether a reader would take the output for a finished one.
    """

    name: str
    words: tuple[str, ...]
    compared: tuple[str, ...] = RUN_FILES
    start: Path | None = None
    finished: Callable[[Path], bool] = lambda out: validate(out)[0] == 0

    def restart(self, out: Path) -> None:
        """Gives the output the state before the first call."""
        if out.is_file():
            out.unlink()
        shutil.rmtree(out, ignore_errors=True)
        if self.start:
            shutil.copytree(self.start, out)

    def state(self, out: Path) -> dict[str, str]:
        """The SHA-256 of each file that is compared, and the names of detections that were set aside."""
        return digests(out, self.compared) | {path.name: "" for path in out.glob("detections.*")}


def campaigns(folder: Path, only: str) -> Iterator[Campaign]:
    """The campaigns whose name contains a word. Their inputs, and the runs that some of them start with, are written
    below a folder before each one is returned."""
    scenes = str(bundled.folder("examples") / "scenes")
    truth = ("demo", "--truth", scenes, "--limit", "24", "--quiet", "--output")
    makers: dict[str, Callable[[str], Campaign]] = {
        "ground": lambda name: Campaign(name, ("ground", "--input", _few(folder), *_options(_REAL_MODELS))),
        "ground --fresh": lambda name: _ground_fresh(folder, name),
        "run --redo-changed": lambda name: _redo_changed(folder, name),
        "run --retry-failed": lambda name: _retry_failed(folder, name),
        "pack": lambda name: Campaign(name, ("pack", "--detections", str(_packed(folder)), *_options(_SHARDS))),
        "pack --fresh": lambda name: Campaign(
            name, ("pack", "--fresh", *_options(["shards.pairs=150"])), start=_packed(folder)
        ),
        "run": lambda name: Campaign(name, ("run", "--input", _many(folder), *_options(SETTINGS, _FEW, _SHARDS))),
        "demo": lambda name: Campaign(name, ("demo", "--limit", "24", "--quiet")),
        "demo --fresh": lambda name: Campaign(
            name, ("demo", "--limit", "24", "--fresh", "--quiet"), start=_demo(folder)
        ),
        "export --to coco": lambda name: _export(folder, name, "coco"),
        "export --to yolo": lambda name: _export(folder, name, "yolo"),
        "view": lambda name: Campaign(
            name, ("view", str(_packed(folder)), "--quiet", "--output"), _ALL, None, _has("index.html")
        ),
        "calibrate": lambda name: Campaign(name, ("calibrate", *truth), _ALL, None, _has("calibration.json")),
        "eval": lambda name: Campaign(name, ("eval", *truth), _ALL, None, Path.is_file),
    }
    return (make(name) for name, make in makers.items() if only in name)


def _options(*settings: Iterable[str]) -> tuple[str, ...]:
    """The last words of a command that takes settings."""
    return ("--set", *chain(*settings), "--quiet", "--output")


@cache
def _few(folder: Path) -> str:
    return write_tars(folder / "few", 320, 80)


@cache
def _many(folder: Path) -> str:
    return write_tars(folder / "many", 10_000)


@cache
def _packed(folder: Path) -> Path:
    packed = _grounded(folder, "packed", _many(folder))
    run_to_end(("pack", *_options(_SHARDS), str(packed)))
    return packed


def _has(name: str) -> Callable[[Path], bool]:
    return lambda out: (out / name).exists()


def _grounded(folder: Path, name: str, inputs: str, *settings: str) -> Path:
    out = folder / name
    run_to_end(("ground", "--input", inputs, *_options(SETTINGS, settings), str(out)))
    return out


def _demo(folder: Path) -> Path:
    out = folder / "demo"
    run_to_end(("demo", "--limit", "12", "--quiet", str(out)))
    return out


def _ground_fresh(folder: Path, name: str) -> Campaign:
    """There are detections of other settings."""
    start = _grounded(folder, "other", _few(folder), "chunk.pairs=50")
    return Campaign(name, ("ground", "--fresh", "--input", _few(folder), *_options(SETTINGS, _FEW)), start=start)


def _redo_changed(folder: Path, name: str) -> Campaign:
    """The second of four sources has other pairs than when it was grounded."""
    inputs = write_tars(folder / "changed", 4_000, 1_000)
    start = _grounded(folder, "redo", inputs, *_FEW)
    (folder / "changed/00001.tar").write_bytes((folder / "changed/00002.tar").read_bytes())
    return Campaign(name, ("run", "--redo-changed", "--input", inputs, *_options(SETTINGS, _FEW, _SHARDS)), start=start)


def _retry_failed(folder: Path, name: str) -> Campaign:
    """Every tenth picture was missing when the pairs were grounded."""
    inputs = write_jsonl(folder / "missing", 2_000)
    missing = range(0, 2_000, 10)
    for number in missing:
        (folder / f"missing/{number}.jpg").unlink()
    start = _grounded(folder, "retry", inputs, *_FEW)
    for number in missing:
        write_picture(folder / "missing", number)
    return Campaign(name, ("run", "--input", inputs, "--retry-failed", *_options(SETTINGS, _FEW, _SHARDS)), start=start)


def _export(folder: Path, name: str, to: str) -> Campaign:
    words = ("export", str(_packed(folder)), "--to", to, "--output")
    return Campaign(name, words, _ALL, None, _has("export.json"))
