"""Two local workers on two cores against one that is pinned to one core."""

from pathlib import Path

from benchmarks import inputs, tiny
from benchmarks.figures import Figure
from benchmarks.grounding import ground_apart, settings

PART = "Workers"


def measure(work: Path, photos: Path | None) -> list[Figure]:
    """Tiny on photos and the embedded detector on scenes, `detector.threads` 1 in all."""
    pictures = inputs.photos(photos, 40)
    large = str(tiny.make(work / "tiny", (caption for picture in pictures for caption in picture.captions)))
    return [
        _figure("tiny", large, inputs.alike(photos, 16), 2, work),
        _figure("small", "scene-grounder", inputs.scenes(6144), 64, work),
    ]


def _figure(name: str, model: str, pictures: list[inputs.Photo], a_chunk: int, work: Path) -> Figure:
    folder = work / "workers" / name
    tars = inputs.write_tars(pictures, folder / "in", a_tar=len(pictures) // 4)
    config = settings({"model": model, "threads": 1, "batch": 4}, a_chunk)
    one = ground_apart(config, tars, folder / "one", cores=1, workers=1)
    two = ground_apart(config, tars, folder / "two", cores=2, workers=2)
    detail = f"{two:.3g} and {one:.3g} pairs/s"
    return Figure(
        PART, f"two workers on two cores over one on one core, {name}", f"{two / one:.2f} times", "1.8", detail
    )
