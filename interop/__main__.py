"""Command line: `python -m interop [LIBRARY…]`. `make interop` creates the environments in `.venv-interop` first."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from interop import server, truth
from interop.check import Outcome, check
from interop.written import Given, Written

_ROOT = Path(__file__).parents[1]

LIBRARIES = {
    "img2dataset": "img2dataset",
    "datasets": "libraries",
    "webdataset": "libraries",
    "pandas": "libraries",
    "polars": "libraries",
    "duckdb": "libraries",
}
"""The environment of each library, a folder in `.venv-interop`: img2dataset's pins exclude current pandas and
webdataset."""

_SECONDS = 1800
_SHOWN = 5  # problems of a format


def main(
    libraries: Annotated[list[str] | None, typer.Argument(help=f"Default: {', '.join(LIBRARIES)}.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for the data sets. Default: a temporary folder.")] = None,
) -> None:
    """Let other libraries write data sets, read them, and compare captions and pictures with what was written."""
    if unknown := [name for name in libraries or () if name not in LIBRARIES]:
        raise typer.BadParameter(f"{unknown[0]}: unknown library; use one of {', '.join(LIBRARIES)}")
    if keep and keep.exists():
        raise typer.BadParameter(f"{keep} exists; give a new folder")
    good = True
    with tempfile.TemporaryDirectory(prefix="gritmill-interop-") as temporary:
        work = keep or Path(temporary)
        pictures = work / "truth"
        pictures.mkdir(parents=True)
        pairs = truth.write(pictures)
        with server.serving(pictures) as url:
            server.write_lists(pictures / "urls", url, pairs)
            for library in libraries or LIBRARIES:
                told = _produce(library, pictures, work / library)
                for one in told["formats"]:
                    outcome = _check(work / library, one, pictures, pairs)
                    good &= not outcome.problems
                    problems = "".join(f"\n    {problem}" for problem in outcome.problems[:_SHOWN])
                    columns = f"{library:12} {told['version']:8} {one['name']:42} {outcome.pairs:3} pairs"
                    print(f"{columns}  {'wrong' if problems else 'ok'}{problems}", flush=True)
    if not good:
        raise typer.Exit(1)


def _produce(library: str, pictures: Path, output: Path) -> dict[str, Any]:
    """Runs the producer of a library in its environment. Its output is shown if it fails."""
    python = _ROOT / ".venv-interop" / LIBRARIES[library] / "bin" / "python"
    if not python.exists():
        raise typer.BadParameter(f"{python}: no such environment; make interop creates it")
    output.mkdir()
    # Without a proxy, and without a start of wandb, which img2dataset imports.
    offline = {"no_proxy": "*", "WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1", "HF_HOME": str(output / "cache")}
    done = subprocess.run(
        [str(python), "-m", "interop.producers", library, str(pictures), str(output)],
        cwd=_ROOT,
        env={**os.environ, **offline},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    written = output / "written.json"
    if not written.exists():
        print(done.stdout)
        return {"version": "", "formats": [{"name": "", "folder": "", "error": f"exit status {done.returncode}"}]}
    told: dict[str, Any] = json.loads(written.read_text())
    if any("error" in one for one in told["formats"]):
        print(done.stdout)
    return told


def _check(output: Path, one: dict[str, Any], pictures: Path, pairs: list[Given]) -> Outcome:
    if error := one.get("error"):
        return Outcome(0, [f"not written: {error}"])
    fields = {**one["written"], **{name: tuple(one["written"][name]) for name in ("fields", "without")}}
    return check(output / one["folder"], Written(**fields), pictures, pairs)


if __name__ == "__main__":
    typer.run(main)
