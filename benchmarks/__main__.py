"""`python -m benchmarks [PART...] [OPTIONS]` prints the table. Run nothing else at the same time."""

import importlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.figures import Figure, machine, markdown

PARTS = (
    *(
        "overhead",
        "rivals",
        "forward",
        "text",
        "parser",
        "pack",
        "reading",
        "workers",
        "isolation",
        "requests",
        "start",
    ),
    "driver",
)
ON_DEMAND = ("gpu",)
"""Parts that are measured only if they are named."""

PartsArgument = Annotated[
    list[str] | None,
    typer.Argument(help=f"Parts to measure: {', '.join(PARTS + ON_DEMAND)}. Default: all but {', '.join(ON_DEMAND)}."),
]
PhotosOption = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Folder with photos.jsonl: file, captions. Default: generated."),
]
CaptionsOption = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Folder with the TSVs of the captions that were marked by hand."),
]
ParserOption = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="spaCy's en_core_web_sm. Default: the package, if installed."),
]
ScenesOption = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Folder with tars of drawn scenes. Default: the bundled ones."),
]
WorkOption = Annotated[
    Path | None, typer.Option(help="Folder for intermediate files, kept afterwards. Default: a temporary folder.")
]
KeepOption = Annotated[
    Path | None,
    typer.Option(help="JSON file that keeps all figures, each as soon as it is measured; also of earlier calls."),
]


def main(
    parts: PartsArgument = None,
    photos: PhotosOption = None,
    captions: CaptionsOption = None,
    parser: ParserOption = None,
    scenes: ScenesOption = None,
    work: WorkOption = None,
    keep: KeepOption = None,
) -> None:
    """Measure the parts and print all figures as a Markdown table."""
    known = PARTS + ON_DEMAND
    unknown = [part for part in parts or () if part not in known]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]}: unknown part; use one of {', '.join(known)}")
    figures: dict[str, list[Figure]] = {}
    if keep and keep.exists():
        figures = {
            part: [Figure(**fields) for fields in part_figures]
            for part, part_figures in json.loads(keep.read_text()).items()
        }
    with tempfile.TemporaryDirectory(prefix="gritmill-benchmarks-") as temporary:
        for part in parts or PARTS:
            print(f"measuring {part} ...", flush=True)
            shutil.rmtree((work or Path(temporary)) / part, ignore_errors=True)  # else a run would resume
            measure = importlib.import_module(f"benchmarks.{part}").measure
            more = {"parser": (captions, parser), "forward": (scenes,)}.get(part, ())
            figures[part] = []
            for figure in measure(work or Path(temporary), photos, *more):
                figures[part].append(figure)
                if part in ON_DEMAND:
                    print(f"{figure.what}: {figure.value}; {figure.detail}", flush=True)
                if keep:
                    _save(figures, keep)
    print(machine())
    print(markdown([figure for part in known for figure in figures.get(part, ())]))


def _save(figures: Mapping[str, Sequence[Figure]], file: Path) -> None:
    """Replaces the file at once: a process that is killed leaves the old one or the new one."""
    lists = {part: list(map(asdict, part_figures)) for part, part_figures in figures.items()}
    new = file.with_name(f"{file.name}.new")
    new.write_text(json.dumps(lists, indent=1))
    new.replace(file)


if __name__ == "__main__":
    typer.run(main)
