"""How busy a real `ground` keeps the GPU with N decoding threads, and the script beside it.

Busy is the time between the start and the end of each forward, as CUDA events count it on the GPU, over the wall time.
Pauses within a forward, where the GPU waits for the next kernel, count as busy.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks import inputs, tiny
from benchmarks.figures import Figure
from benchmarks.gpu_forward import DEVICE, USUAL_BATCH, cut, device_name, failed, start_clock
from transforms import bundled
from transforms.detectors import batches
from transforms.detectors.base import Request
from transforms.detectors.grounding_dino.model import GroundingDino
from transforms.detectors.settings import DetectorSettings
from transforms.images import measure as size_of
from transforms.wording import counted

_ON_GPU = DEVICE == "cuda"
_THREADS = (1, 2, 4, 8, 16) if _ON_GPU else (1, 2)
_PRECISIONS = ("float32", "bfloat16") if _ON_GPU else ("float32",)
_BATCHES = 12 if _ON_GPU else 3
_DIFFERENT = 64
"""Different pictures: to draw one takes 30 ms."""

_CHUNK = 4 * USUAL_BATCH


def detect(work: Path, model: str, ends: float) -> Iterator[Figure]:
    """Measures the detector with N decoding threads, without Beam, parser and files. ends: as for `eager`."""
    part = f"The detector with decoding threads on {device_name()}, {model}"
    requests = [_request(picture) for picture in _pictures(USUAL_BATCH * _BATCHES)]
    path = _checkpoint(work, model)
    for precision in _PRECISIONS:
        try:
            detector = GroundingDino.load(_settings(path, precision))
        except Exception as error:
            yield failed(part, precision, error)
            continue
        busy = detector.model = Busy(detector.model)
        for threads in _THREADS:
            what = f"{counted(threads, 'decoding thread')}, batch {USUAL_BATCH}, {precision}"
            if time.monotonic() > ends:
                yield cut(part, what)
                return
            try:
                with decoding_threads(threads):
                    detector.detect(requests[: 2 * USUAL_BATCH])  # a warm-up
                    busy.clear()
                    started = time.perf_counter()
                    found = detector.detect(requests)
                    wall = time.perf_counter() - started
                if error := next((one.error for one in found if one.error), None):
                    raise RuntimeError(error.detail)
            except Exception as error:
                yield failed(part, what, error)
                continue
            yield busy.figure(part, what, len(requests), wall)


def ground(work: Path, model: str, ends: float) -> Iterator[Figure]:
    """Measures `gritmill.ground` in one process with N decoding threads: Beam, parser, reading and commits included.

    The first chunk does not count: it loads the models.
    """
    import gritmill
    from benchmarks.grounding import make_config, read_timings

    part = f"ground in one process on {device_name()}, {model}"
    tars = inputs.write_tars(_pictures(_CHUNK * 4), work / "gpu-in")
    path = _checkpoint(work, model)
    for precision in _PRECISIONS:
        for threads in _THREADS[1::2]:
            what = f"{counted(threads, 'decoding thread')}, batch {USUAL_BATCH}, {precision}"
            if time.monotonic() > ends:
                yield cut(part, what)
                continue
            detector: dict[str, Any] = {"model": path, "device": DEVICE, "batch": USUAL_BATCH, "precision": precision}
            if not _ON_GPU:
                detector["threads"] = 1  # with other programs on the cores, threads wait for each other
            output = work / f"gpu-out-{precision}-{threads}"
            try:
                with decoding_threads(threads), watched() as busy:
                    gritmill.ground(make_config(detector, _CHUNK), inputs=[tars], output=str(output))
                notes = sorted(read_timings(output), key=lambda note: note["committed"])
                first, later = notes[0]["committed"], notes[1:]
                busy.keep_after(first)
                pairs, wall = sum(note["pairs"] for note in later), later[-1]["committed"] - first
            except Exception as error:
                yield failed(part, what, error)
                continue
            yield busy.figure(part, what, pairs, wall)


def script(work: Path, model: str, ends: float) -> Iterator[Figure]:
    """Measures the script that a good engineer would write: stock model, batch 1, one joint prompt per pair."""
    from benchmarks.rivals import Script  # needs webdataset

    part = f"ground in one process on {device_name()}, {model}"
    if time.monotonic() > ends:
        yield cut(part, "the script")
        return
    tars = inputs.write_tars(_pictures(_CHUNK), work / "gpu-script")
    written = Script(_checkpoint(work, model), DEVICE)
    paths = [*Path(tars).parent.glob("*.tar")]
    written(paths, _CHUNK - 2)  # a warm-up
    busy = written.model = Busy(written.model)
    started = time.perf_counter()
    written(paths, 0)
    yield busy.figure(part, "the script, float32", _CHUNK, time.perf_counter() - started)


class Busy:
    """Takes the place of a model and counts the seconds of its forwards on the device."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._forwards: list[tuple[float, Callable[[], float]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, **given: Any) -> Any:
        """Runs the model."""
        started, stop = time.time(), start_clock()
        result = self._model(**given)
        self._forwards.append((started, stop()))
        return result

    def clear(self) -> None:
        """Forgets all forwards so far."""
        self._forwards.clear()

    def keep_after(self, moment: float) -> None:
        """Forgets the forwards that started before a Unix time."""
        self._forwards = [forward for forward in self._forwards if forward[0] >= moment]

    def figure(self, part: str, what: str, images: int, wall: float) -> Figure:
        """The share of `wall` seconds in which the device ran forwards, and the images per second."""
        seconds = sum(forward() for _, forward in self._forwards)
        alone = f"{images / seconds:.4g}" if seconds else "no"
        detail = f"{images / wall:.4g} images/s, {alone} within the forwards; {images} images in {wall:.1f} s"
        return Figure(part, f"share of time that the device is busy: {what}", f"{seconds / wall:.0%}", "", detail)


@contextmanager
def watched() -> Iterator[Busy]:
    """Watches the model of the detectors that are loaded in this process while the block runs."""
    busy = Busy(None)
    load = GroundingDino.load.__func__  # type: ignore[attr-defined]

    def watched_load(kind: type[GroundingDino], settings: Any) -> GroundingDino:
        detector: GroundingDino = load(kind, settings)
        busy._model, detector.model = detector.model, busy
        return detector

    with mock.patch.object(GroundingDino, "load", classmethod(watched_load)):
        yield busy


@contextmanager
def decoding_threads(number: int) -> Iterator[None]:
    """Lets a detector decode images in so many threads while the block runs, on any number of cores."""
    with (
        mock.patch.object(batches, "_LOADERS", number),
        mock.patch.object(batches, "available_cores", return_value=number),
    ):
        yield


def _pictures(number: int) -> list[inputs.Photo]:
    """Generated photos of 640 x 480 pixels; in the small form, bundled scenes."""
    if not _ON_GPU:
        return inputs.scenes(number)
    different = inputs.photos(None, min(number, _DIFFERENT))
    return [different[i % len(different)] for i in range(number)]


def _request(picture: inputs.Photo) -> Request:
    words = picture.captions[0].lower().rstrip(".").split(" near ")
    return Request(bytes(picture.data), *size_of(picture.data), tuple(dict.fromkeys(words))[:3])


def _settings(path: str, precision: str) -> DetectorSettings:
    return DetectorSettings.model_validate(
        {"model": path, "device": DEVICE, "batch": USUAL_BATCH, "precision": precision}
    )


def _checkpoint(work: Path, model: str) -> str:
    if model == "small":
        return bundled.model_path("scene-grounder")
    torch.manual_seed(0)
    return str(tiny.make(work / model, (caption for picture in _pictures(_DIFFERENT) for caption in picture.captions)))
