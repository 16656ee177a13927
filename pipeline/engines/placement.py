"""Where things run: whether this machine has the detector's device, its threads here, and the local workers of pack."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.engines import run_pipeline
from pipeline.faults import CallError
from transforms.detectors.load import find_family
from transforms.detectors.settings import DetectorSettings
from transforms.devices import available_cores

_PAIRS_PER_WORKER = 10_000
"""A worker's start, two to three seconds, is the work of some 2,000 pairs."""

_MAX_WORKERS = 8
"""Each holds some 200 MB and 64 MB of images, and writes 200 MB a second and more: few disks have use for many."""


def check_device(settings: DetectorSettings, beam_options: PipelineOptions) -> None:
    """Refuses a device that this machine lacks, if the detector is to run on this machine."""
    if not run_pipeline.is_local(beam_options) or not find_family(settings).placed:
        return
    import torch

    number = int(settings.device.partition(":")[2] or 0)
    if settings.device.startswith("cuda") and number >= torch.cuda.device_count():
        raise CallError(f"detector.device: {settings.device}: there are {torch.cuda.device_count()} CUDA devices here")
    if settings.device == "mps" and not torch.backends.mps.is_available():
        raise CallError("detector.device: mps: there is none here")
    if settings.precision != "float32" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise CallError(f"detector.precision: {settings.precision} needs a GPU, and there is none here")


def local_threads(beam_options: PipelineOptions) -> int:
    """CPU threads of a model in a local worker: cores over workers; 0 where workers are elsewhere."""
    if not run_pipeline.is_local(beam_options):
        return 0
    return max(1, available_cores() // run_pipeline.local_worker_count(beam_options))


def pack_beam_options(arguments: Sequence[str], pairs: int) -> tuple[str, ...]:
    """Beam's options for a pack of so many pairs: those given, or else a local process for every 10,000 of them, as far
    as there are cores, and eight at most."""
    workers = min(available_cores(), pairs // _PAIRS_PER_WORKER, _MAX_WORKERS)
    if arguments or workers < 2:
        return tuple(arguments)
    return f"--direct_num_workers={workers}", "--direct_running_mode=multi_processing"
