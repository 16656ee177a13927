"""The commands that `kills` kills: every command that writes, with the state of its folder before the first call."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stress.commands import RUN_FILES, digests, run_to_end, validate
from stress.fake_detector import SETTINGS
from stress.pairs import write_jsonl, write_picture, write_tars
from transforms import bundled

_REAL_MODELS = ("phrases.model=caption-parser", "detector.model=scene-grounder", "detector.threads=1", "chunk.pairs=8")
_FEW = ("chunk.pairs=40",)
_SMALL = (*_FEW, "shards.pairs=100")


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


def campaigns(folder: Path) -> list[Campaign]:
    """Writes the inputs of all campaigns below a folder, and the runs that some of them start with."""
    few, scenes = write_tars(folder / "few", 320, 80), str(bundled.folder("examples") / "scenes")
    packed = _grounded(folder, "packed", write_tars(folder / "many", 10_000))
    run_to_end(("pack", "--set", "shards.pairs=200", "--quiet", "--output", str(packed)))
    fast = ("--set", *SETTINGS, *_FEW, "--quiet", "--output")
    small = ("--set", *SETTINGS, *_SMALL, "--quiet", "--output")
    truth = ("demo", "--truth", scenes, "--limit", "24", "--quiet", "--output")
    other = _grounded(folder, "other", few, "chunk.pairs=50")
    return [
        Campaign("ground", ("ground", "--input", few, "--set", *_REAL_MODELS, "--quiet", "--output")),
        Campaign("ground --fresh", ("ground", "--fresh", "--input", few, *fast), start=other),
        _redo_changed(folder),
        _retry_failed(folder),
        Campaign("pack", ("pack", "--detections", str(packed), "--set", "shards.pairs=200", "--quiet", "--output")),
        Campaign("pack --fresh", ("pack", "--fresh", "--set", "shards.pairs=150", "--quiet", "--output"), start=packed),
        Campaign("run", ("run", "--input", str(folder / "many/*.tar"), *small)),
        Campaign("demo", ("demo", "--limit", "24", "--quiet")),
        Campaign("demo --fresh", ("demo", "--limit", "24", "--fresh", "--quiet"), start=_demo(folder)),
        _export(packed, "coco"),
        _export(packed, "yolo"),
        Campaign("view", ("view", str(packed), "--quiet", "--output"), ("**/*",), None, _has("index.html")),
        Campaign("calibrate", ("calibrate", *truth), ("**/*",), None, _has("calibration.json")),
        Campaign("eval", ("eval", *truth), ("**/*",), None, Path.is_file),
    ]


def _has(name: str) -> Callable[[Path], bool]:
    return lambda out: (out / name).exists()


def _grounded(folder: Path, name: str, inputs: str, *settings: str) -> Path:
    out = folder / name
    run_to_end(("ground", "--input", inputs, "--set", *SETTINGS, *settings, "--quiet", "--output", str(out)))
    return out


def _demo(folder: Path) -> Path:
    out = folder / "demo"
    run_to_end(("demo", "--limit", "12", "--quiet", str(out)))
    return out


def _redo_changed(folder: Path) -> Campaign:
    """The second of four sources has other pairs than when it was grounded."""
    inputs = write_tars(folder / "changed", 4_000, 1_000)
    start = _grounded(folder, "redo", inputs, *_FEW)
    (folder / "changed/00001.tar").write_bytes((folder / "changed/00002.tar").read_bytes())
    words = ("run", "--redo-changed", "--input", inputs, "--set", *SETTINGS, *_SMALL, "--quiet", "--output")
    return Campaign("run --redo-changed", words, start=start)


def _retry_failed(folder: Path) -> Campaign:
    """Every tenth picture was missing when the pairs were grounded."""
    inputs = write_jsonl(folder / "missing", 2_000)
    missing = range(0, 2_000, 10)
    for number in missing:
        (folder / f"missing/{number}.jpg").unlink()
    start = _grounded(folder, "retry", inputs, *_FEW)
    for number in missing:
        write_picture(folder / "missing", number)
    words = ("run", "--input", inputs, "--retry-failed", "--set", *SETTINGS, *_SMALL, "--quiet", "--output")
    return Campaign("run --retry-failed", words, start=start)


def _export(run: Path, to: str) -> Campaign:
    words = ("export", str(run), "--to", to, "--output")
    return Campaign(f"export --to {to}", words, ("**/*",), None, _has("export.json"))
