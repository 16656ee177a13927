"""The values of `detector.precision` that this family supports on a CPU."""

from transforms.detectors.family import refuse_on_cpu
from transforms.detectors.grounding_dino.settings import GroundingDinoSettings
from transforms.devices import has_bfloat16


def check_cpu(settings: GroundingDinoSettings) -> None:
    """Raises ValueError if this CPU, or the kind of forward on it, does not support half precision."""
    if settings.precision != "bfloat16":
        refuse_on_cpu(settings)
    if settings.forward != "fast":
        # The class's own forward gave boxes of 1e32, because of grid_sample on non-contiguous bfloat16 tensors.
        raise ValueError("detector.precision: bfloat16 on a CPU needs detector.forward: fast")
    if not has_bfloat16():
        raise ValueError(
            "detector.precision: bfloat16: this processor lacks AVX512_BF16 and AMX_BF16; set it to float32"
        )
