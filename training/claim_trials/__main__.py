"""`python -m training.claim_trials [OPTIONS]` prints the rows of the tables in docs/claims.md."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.screen import data_console
from training.claim_trials.marks import marked_captions, tally
from training.claim_trials.parsed import parsed
from training.claim_trials.photos import captions_on_boxes, read_coco, read_photos
from training.claim_trials.refcoco import expressions
from training.claim_trials.rows import Row, markdown
from training.claim_trials.scene_pairs import scene_pairs

_FILE = {"exists": True, "dir_okay": False}

ScenesOption = Annotated[
    list[Path] | None, typer.Option(exists=True, file_okay=False, help="Folder of scenes. May be repeated.")
]
RefcocoOption = Annotated[
    list[Path] | None, typer.Option(**_FILE, help="JSON list of RefCOCO expressions. May be repeated.")
]
PhotosOption = Annotated[
    Path | None, typer.Option(**_FILE, help="photos.jsonl: width, height, captions and objects of each photo.")
]
CocoCaptionsOption = Annotated[Path | None, typer.Option(**_FILE, help="COCO's captions_*.json.")]
CocoInstancesOption = Annotated[Path | None, typer.Option(**_FILE, help="COCO's instances_*.json.")]
MarksOption = Annotated[
    Path | None, typer.Option(**_FILE, help="TSV of the captions that were marked by hand: prints how they are read.")
]
ExamplesOption = Annotated[bool, typer.Option("--examples", help="Print contradicted statements.")]

MARKS = Path(__file__).parents[2] / "tests/transforms/claims/coco_marks.jsonl"


def main(
    scenes: ScenesOption = None,
    refcoco: RefcocoOption = None,
    photos: PhotosOption = None,
    coco_captions: CocoCaptionsOption = None,
    coco_instances: CocoInstancesOption = None,
    marked: MarksOption = None,
    examples: ExamplesOption = False,
) -> None:
    """Hold what data sets state about their own boxes against them."""
    rows: list[Row] = []
    if scenes:
        rows += scene_pairs(list(map(str, scenes)))
    if refcoco:
        rows += expressions(list(map(str, refcoco)))
    if photos:
        rows += captions_on_boxes(list(read_photos(photos)))
    if (coco_captions is None) != (coco_instances is None):
        raise typer.BadParameter("--coco-captions and --coco-instances: give both")
    if coco_captions and coco_instances:
        rows += captions_on_boxes(list(read_coco(coco_captions, coco_instances)))
    console = data_console()
    if rows:
        console.print(markdown(rows, by_predicate=True), soft_wrap=True, markup=False, highlight=False)
    for row in rows if examples else ():
        for one in row.examples:
            console.print(f"{row.title}: {one}", soft_wrap=True, markup=False, highlight=False)
    if marked:
        _show_marks(marked)


def _show_marks(captions: Path) -> None:
    numbers, texts, stated = zip(*marked_captions(MARKS, captions), strict=True)
    pairs = parsed(texts)
    for number in sorted(set(numbers)):
        chosen = [at for at, one in enumerate(numbers) if one == number]
        kinds = tally([stated[at] for at in chosen], [pairs[at].claims for at in chosen])
        for kind, figures in kinds.items():
            rates = f"precision {figures['precision']:.1%}, recall {figures['recall']:.1%}"
            print(f"set {number}, {len(chosen)} captions, {figures['stated']} {kind}: {rates}")


if __name__ == "__main__":
    typer.run(main)
