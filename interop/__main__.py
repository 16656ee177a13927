"""Command line: `python -m interop [LIBRARY…]`. `make interop` creates the environments in `.venv-interop` first."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gritmill.exports.readers import VERSIONS
from interop import server, truth
from interop.check import Outcome, check
from interop.check_exports import Found
from interop.check_exports import check as check_export
from interop.finished_run import write_exports
from interop.seen import Picture, Reading, Thing
from interop.written import Given, Written

_ROOT = Path(__file__).parents[1]

PRODUCERS = {
    "img2dataset": "img2dataset",
    "datasets": "libraries",
    "webdataset": "libraries",
    "pandas": "libraries",
    "polars": "libraries",
    "duckdb": "libraries",
}
"""The environment of each library that writes data sets, a folder in `.venv-interop`: img2dataset's pins exclude
current pandas and webdataset."""

CONSUMERS = {
    "transformers": "",
    "datasets": "libraries",
    "webdataset": "libraries",
    "pycocotools": "libraries",
    "supervision": "libraries",
    "datumaro": "datumaro",
}
"""The same for libraries that read exports: datumaro's pins exclude current pandas, pillow and pyarrow. Empty: `.venv`,
because gritmill needs transformers itself."""

_LIBRARIES = tuple(dict.fromkeys((*PRODUCERS, *CONSUMERS)))


class Half(StrEnum):
    """producers: libraries write and gritmill reads. consumers: gritmill exports and libraries read."""

    PRODUCERS = "producers"
    CONSUMERS = "consumers"


_SECONDS = 1800
_SHOWN = 5  # problems of a format


def main(
    libraries: Annotated[list[str] | None, typer.Argument(help=f"Default: {', '.join(_LIBRARIES)}.")] = None,
    only: Annotated[Half | None, typer.Option(help="Libraries that write, or libraries that read.")] = None,
    photos: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder with photos.jsonl: file, captions. Default: scenes."),
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for the data sets. Default: a temporary folder.")] = None,
) -> None:
    """Let other libraries write data sets and read exports, and compare captions, pictures and boxes."""
    if unknown := [name for name in libraries or () if name not in _LIBRARIES]:
        raise typer.BadParameter(f"{unknown[0]}: unknown library; use one of {', '.join(_LIBRARIES)}")
    if keep and keep.exists():
        raise typer.BadParameter(f"{keep} exists; give a new folder")
    chosen = libraries or _LIBRARIES
    good = True
    with tempfile.TemporaryDirectory(prefix="gritmill-interop-") as temporary:
        work = keep or Path(temporary)
        work.mkdir(exist_ok=True)
        if only != Half.CONSUMERS:
            good &= _run_producers([name for name in PRODUCERS if name in chosen], work)
        if only != Half.PRODUCERS:
            good &= _run_consumers([name for name in CONSUMERS if name in chosen], work / "exports", photos)
    if not good:
        raise typer.Exit(1)


def _run_producers(libraries: list[str], work: Path) -> bool:
    """Lets libraries write data sets, and reads them. Returns whether all are right."""
    good = True
    pictures = work / "truth"
    pictures.mkdir()
    pairs = truth.write(pictures)
    with server.serving(pictures) as url:
        server.write_lists(pictures / "urls", url, pairs)
        for library in libraries:
            output = work / library
            output.mkdir()
            environment = {"HF_HOME": str(output / "cache")}
            arguments = "interop.producers", library, str(pictures), str(output)
            told = _run(PRODUCERS[library], arguments, output / "written.json", environment)
            for one in told.get("formats", ()):
                outcome = _check(output, one, pictures, pairs)
                good &= _show(library, told, one["name"], f"{outcome.pairs:3} pairs", outcome.problems)
            good &= bool(told)
    return good


def _run_consumers(libraries: list[str], work: Path, photos: Path | None) -> bool:
    """Exports a run, and lets libraries read the exports. Returns whether all is right."""
    if not libraries:
        return True
    good = True
    work.mkdir()
    counts = write_exports(work, photos)
    for library in libraries:
        output = work / f"{library}.json"
        environment = {"HF_HOME": str(work / "cache"), "MPLBACKEND": "Agg"}
        arguments = "interop.consumers", library, str(work), str(output)
        told = _run(CONSUMERS[library], arguments, output, environment)
        if told and told["version"] != VERSIONS[library]:
            print(f"{library} {told['version']}: data cards say {VERSIONS[library]}; see gritmill/exports/readers.py")
            good = False
        for one in told.get("readings", ()):
            found = _check_reading(work, one, counts)
            names = ("images", "captions", "boxes", "words", "classes")
            columns = (f"{getattr(found, name):3} {name}" for name in names)
            good &= _show(library, told, one["name"], "  ".join(columns), found.problems)
        good &= bool(told)
    return good


def _run(environment: str, arguments: tuple[str, ...], output: Path, variables: dict[str, str]) -> dict[str, Any]:
    """Runs a module of this package in an environment. Returns what it writes to `output`; shows what it prints if
    something fails. Empty: it has written nothing."""
    python = _ROOT / ".venv-interop" / environment / "bin" / "python" if environment else Path(sys.executable)
    if not python.exists():
        raise typer.BadParameter(f"{python}: no such environment; make interop creates it")
    # Without a proxy, and without a start of wandb, which img2dataset imports.
    offline = {"no_proxy": "*", "WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [str(python), "-m", *arguments],
        cwd=_ROOT,
        env={**os.environ, **offline, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if not output.exists():
        print(f"{done.stdout}\n{arguments[1]}: exit status {done.returncode}")
        return {}
    told: dict[str, Any] = json.loads(output.read_text())
    if any("error" in one for results in told.values() if isinstance(results, list) for one in results):
        print(done.stdout)
    return told


def _show(library: str, told: dict[str, Any], name: str, numbers: str, problems: list[str]) -> bool:
    listed = "".join(f"\n    {problem}" for problem in problems[:_SHOWN])
    print(f"{library:12} {told['version']:8} {name:46} {numbers}  {'wrong' if problems else 'ok'}{listed}", flush=True)
    return not problems


def _check(output: Path, one: dict[str, Any], pictures: Path, pairs: list[Given]) -> Outcome:
    if error := one.get("error"):
        return Outcome(0, [f"not written: {error}"])
    fields = {**one["written"], **{name: tuple(one["written"][name]) for name in ("fields", "without")}}
    return check(output / one["folder"], Written(**fields), pictures, pairs)


def _check_reading(work: Path, one: dict[str, Any], counts: dict[str, dict[str, int]]) -> Found:
    if error := one.get("error"):
        return Found(problems=[f"not read: {error}"])
    reading = Reading(**one["reading"])
    return check_export(work, reading, _pictures(one["seen"]), counts.get(reading.export, {}))


def _pictures(seen: list[dict[str, Any]]) -> Iterator[Picture]:
    for picture in seen:
        things = picture["things"] and [Thing(**thing) for thing in picture["things"]]
        yield Picture(**{**picture, "things": things})


if __name__ == "__main__":
    typer.run(main)
