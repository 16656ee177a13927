"""Placement of the work: checks the detector's device, and chooses its threads and the local workers of `pack`."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.engines.beam_options import is_local, local_worker_count
from pipeline.faults import CallError
from transforms.detectors.load import check_precision, find_family
from transforms.detectors.settings import DetectorSettings
from transforms.devices import available_cores
from transforms.garbage import importing

_PAIRS_PER_WORKER = 10_000
"""The start of a worker takes two to three seconds. In this time, a worker packs some 2,000 pairs."""

_MAX_WORKERS = 8
"""A worker needs some 200 MB, plus 64 MB of images, and writes 200 MB/s or more. Few disks are fast enough for many
workers."""


def check_device(settings: DetectorSettings, beam_options: PipelineOptions) -> None:
    """Raises CallError if the detector runs on this machine, and its device is missing here or lacks its precision."""
    if not is_local(beam_options) or not find_family(settings).placed:
        return
    with importing():
        import torch

    number = int(settings.device.partition(":")[2] or 0)
    if settings.device.startswith("cuda") and number >= torch.cuda.device_count():
        raise CallError(f"detector.device: {settings.device}: there are {torch.cuda.device_count()} CUDA devices here")
    if settings.device == "mps" and not torch.backends.mps.is_available():
        raise CallError("detector.device: mps: there is no MPS device here")
    try:
        check_precision(settings)
    except ValueError as error:
        raise CallError(str(error)) from error


def local_threads(beam_options: PipelineOptions) -> int:
    """CPU threads of a model in a local worker: cores divided by workers. 0 if workers are on other machines."""
    if not is_local(beam_options):
        return 0
    return max(1, available_cores() // local_worker_count(beam_options))


def pack_beam_options(arguments: Sequence[str], pairs: int) -> tuple[str, ...]:
    """Beam's options to pack a number of pairs. If the user gives none: one local process per 10,000 pairs, but at most
    one per core, and at most eight."""
    workers = min(available_cores(), pairs // _PAIRS_PER_WORKER, _MAX_WORKERS)
    if arguments or workers < 2:
        return tuple(arguments)
    return f"--direct_num_workers={workers}", "--direct_running_mode=multi_processing"
