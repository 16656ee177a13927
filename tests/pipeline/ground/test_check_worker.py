"""What a worker of an engine refuses before a job begins."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.submission import Submission
from pipeline.faults import EnvironmentFault
from pipeline.files.lease import Lease
from pipeline.ground.check_worker import check_worker
from pipeline.layout import DETECTIONS
from pipeline.plan.plan import write_plan
from tests.pipeline.builders import plan, samples, stored, tar
from transforms.detectors.grounding_dino import precision


def planned(folder: Path, **sections: Any) -> Lease:
    """The lease of a run folder with a plan that names no model by its content."""
    stored(folder / "a.tar", tar(samples(1)))
    write_plan(str(folder / DETECTIONS), replace(plan([folder / "a.tar"], **sections), model_identities={}))
    return Lease(str(folder), 1, "1f")


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"detector": {"model": "no_such_code:make"}}, "detector.model: no_such_code:make cannot be loaded"),
        ({"stages": {"factories": ["no_such_code:make"]}}, "stages.factories: no_such_code:make cannot be loaded"),
    ],
)
def test_user_code_that_is_not_on_the_worker(tmp_path: Path, sections: dict[str, object], line: str) -> None:
    lease = planned(tmp_path, **sections)
    with pytest.raises(EnvironmentFault, match=f"^{line}: No module named 'no_such_code'; install it on .* PYTHONPATH"):
        check_worker(Submission("ground", lease))
    check_worker(Submission("pack", lease))


def test_a_processor_without_the_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    lease = planned(tmp_path, detector={"model": "scene-grounder", "device": "cpu", "precision": "bfloat16"})
    with pytest.raises(EnvironmentFault, match=r"^detector\.precision: bfloat16: this processor lacks "):
        check_worker(Submission("ground", lease))
    check_worker(Submission("pack", lease))
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    check_worker(Submission("ground", lease))


def test_user_code_that_is_there_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code_that_ends.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(tmp_path)
    check_worker(Submission("ground", planned(tmp_path, detector={"model": "code_that_ends:make"})))
