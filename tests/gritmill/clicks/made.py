"""Clicks of a made-up run."""

from gritmill.clicks.clicks_file import AskedBox, ByScore, Clicks, RunFingerprints, RunThreshold


def made(answers, score=lambda place: place, threshold=0.3, most=1.0):
    """Clicks with these answers. score: of a box by its place, 0..1 evenly. most: no box of the run has a
    higher score."""
    thresholds = tuple(at / 100 for at in range(5, 101))
    boxes = tuple(
        AskedBox(
            uid=f"{number:016x}",
            key=f"pair {number}",
            start=0,
            end=5,
            box=(0.0, 0.25, 0.5, 1.0),
            score=score((number + 0.5) / len(answers)),
            answer=answer,
        )
        for number, answer in enumerate(answers)
    )
    of_run = tuple(max(round(1000 * (most - one)) + 10, 0) for one in thresholds)
    return Clicks.sealed(
        run="out",
        fingerprints=RunFingerprints(ground="0" * 32, pack="1" * 32),
        detector="scene-grounder",
        seed="0",
        threshold=RunThreshold(score=threshold, source="measured"),
        thresholds=ByScore(score=thresholds, boxes=of_run),
        boxes=boxes,
    )


def write(folder, clicks):
    path = folder / "clicks.json"
    path.write_text(clicks.model_dump_json())
    return path
