"""`python -m benchmarks [PART...] [OPTIONS]` prints the table. Run nothing else at the same time."""

import importlib
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.figures import Figure, machine, markdown

PARTS = ("overhead", "rivals", "forward", "text", "parser", "pack", "workers", "isolation", "requests", "start")

PartsArgument = Annotated[list[str] | None, typer.Argument(help=f"Parts to measure: {', '.join(PARTS)}. Default: all.")]
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
    Path | None, typer.Option(help="JSON file that keeps the figures of parts that were measured before.")
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
    unknown = [part for part in parts or () if part not in PARTS]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]}: unknown part; use one of {', '.join(PARTS)}")
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
            figures[part] = measure(work or Path(temporary), photos, *more)
            if keep:
                keep.write_text(
                    json.dumps(
                        {name: list(map(asdict, part_figures)) for name, part_figures in figures.items()}, indent=1
                    )
                )
    print(machine())
    print(markdown([figure for part in PARTS for figure in figures.get(part, ())]))


if __name__ == "__main__":
    typer.run(main)
