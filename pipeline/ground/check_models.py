"""Whether a worker of an engine has the models of the run."""

from pipeline import files
from pipeline.engines.submission import Submission
from pipeline.faults import EnvironmentFault
from pipeline.layout import DETECTIONS
from pipeline.model_identity.compare import differing_model
from pipeline.plan.plan import read_plan


def check_models(run: Submission) -> None:
    """Raises EnvironmentFault if a `ground` would run other models here than the plan names. Other steps run none."""
    if run.step != "ground":
        return
    plan = read_plan(files.join(run.lease.folder, DETECTIONS))
    if plan and (problem := differing_model(plan.configuration, plan.model_identities)):
        raise EnvironmentFault(f"{problem}; install the driver's models on the workers")
