"""Two local workers on two cores, compared with one worker on one core and with one worker with two threads."""

from pathlib import Path

from benchmarks import inputs, tiny
from benchmarks.figures import Figure
from benchmarks.grounding import ground_in_subprocess, make_config

PART = "Workers"


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Measures tiny on photos and the embedded detector on scenes."""
    pictures = inputs.photos(photos, 40)
    large = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    return [
        *_figures("tiny", large, inputs.four_by_three(photos, 16), 2, work),
        *_figures("small", "scene-grounder", inputs.scenes(6144), 64, work),
    ]


def _figures(name: str, model: str, pictures: list[inputs.Photo], chunk_pairs: int, work: Path) -> list[Figure]:
    folder = work / "workers" / name
    tars = inputs.write_tars(pictures, folder / "in", pairs_per_tar=len(pictures) // 4)

    def rate(cores: int, workers: int) -> float:
        config = make_config({"model": model, "threads": cores // workers, "batch": 4}, chunk_pairs)
        return ground_in_subprocess(config, tars, folder / f"{cores}-{workers}", cores, workers)

    one, two, threads = rate(1, 1), rate(2, 2), rate(2, 1)
    processes_label, threads_label = (
        "two workers on two cores over one on one core",
        "two workers over one of two threads, two cores",
    )
    return [
        Figure(PART, f"{processes_label}, {name}", f"{two / one:.2f} times", "1.8", f"{two:.3g} and {one:.3g} pairs/s"),
        Figure(
            PART, f"{threads_label}, {name}", f"{two / threads:.2f} times", "", f"{two:.3g} and {threads:.3g} pairs/s"
        ),
    ]
