"""Whether a worker of an engine has the models and the user code of the run."""

from pipeline import files
from pipeline.engines.submission import Submission
from pipeline.faults import EnvironmentFault
from pipeline.layout import DETECTIONS
from pipeline.model_identity.compare import differing_model
from pipeline.plan.plan import read_plan
from transforms.detectors.load import check_precision
from transforms.detectors.plugin import is_factory
from transforms.plugins import check_module


def check_worker(run: Submission) -> None:
    """Raises EnvironmentFault if a `ground` would run other models here than the plan names, if the module of a custom
    detector or stage is missing, or if the device here lacks the detector's precision. Other steps run no models."""
    plan = read_plan(files.join(run.lease.folder, DETECTIONS)) if run.step == "ground" else None
    if plan is None:
        return
    if problem := differing_model(plan.configuration, plan.model_identities):
        raise EnvironmentFault(f"{problem}; install the driver's models on the workers")
    detector = plan.configuration.detector
    try:
        if is_factory(detector.model):
            check_module(detector.model, "detector.model")
        check_precision(detector)
        for name in plan.configuration.stages.factories:
            check_module(name, "stages.factories")
    except (OSError, ValueError) as error:
        raise EnvironmentFault(str(error)) from error
