"""Calls of the Python API in processes of their own, which begin at once because everything is imported already."""

import hashlib
import importlib
import json
import multiprocessing
import os
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import gritmill
import pipeline
import transforms
from pipeline.faults import RunFault
from pipeline.pack.manifest import how_to_repack
from stress.commands import digests

_CONTEXT = multiprocessing.get_context("fork")
_SECONDS = 300.0


@dataclass(frozen=True)
class Answer:
    """How a call ended. told: it raised a fault that a user sees as one line. value: its result, or that line."""

    told: bool
    value: str

    @property
    def broken(self) -> bool:
        """Whether the call ended with anything but a result or one clear line."""
        return self.told and (self.value.startswith("UNEXPECTED") or "\n" in self.value)


def import_all() -> None:
    """Imports every module of gritmill, so that no call has to. Those of a store whose client is not installed are left
    out: no call needs them."""
    packages = {one.__name__: one for one in (gritmill, pipeline, transforms)}
    for name, package in packages.items():
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except ModuleNotFoundError as error:
                    if not error.name or error.name.partition(".")[0] in packages:
                        raise


class Running:
    """A call in its own process. delay: seconds before it begins."""

    def __init__(self, call: Callable[[], str], delay: float = 0.0) -> None:
        self._receiver, sender = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=_answer, args=(call, sender, delay))
        self._process.start()
        sender.close()

    def wait(self) -> Answer:
        """Waits for the end of the call."""
        try:
            if not self._receiver.poll(_SECONDS):
                self._process.kill()
                return Answer(True, f"UNEXPECTED: no end within {_SECONDS:.0f} seconds")
            answer: Answer = self._receiver.recv()
        except EOFError:
            self._process.join()
            return Answer(True, f"UNEXPECTED: the process ended with {self._process.exitcode}")
        self._process.join()
        return answer


def _answer(call: Callable[[], str], sender: Connection, delay: float) -> None:
    time.sleep(delay)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)  # Beam's complaints; a fault comes back as an answer
    try:
        answer = Answer(False, call())
    except RunFault as error:
        answer = Answer(True, str(error))
    except BaseException as error:
        answer = Answer(True, f"UNEXPECTED {type(error).__name__}: {error}")
    sender.send(answer)
    sender.close()
    os._exit(0)  # Beam's threads are not waited for


def read(run: Path) -> str:
    """Reads all samples. Returns a digest of them."""
    total = hashlib.sha256()
    for one in gritmill.read(run):
        total.update(json.dumps([one.key, one.record, one.caption, one.grounded, one.texts]).encode() + one.jpeg)
    return total.hexdigest()


def export(run: Path, out: Path, to: str = "odvg") -> str:
    """Exports a run. Returns a digest of the files."""
    gritmill.export(run, to, out)
    return digest_of(digests(out))


def validate(run: Path) -> str:
    """Checks a run. Returns an empty text if there are no faults.

    Raises:
      RunFault: there are faults; the message has them.
    """
    faults = [f"{one.shard}: {one.text}" for one in gritmill.validate(run) if one.text]
    if faults:
        raise RunFault(f"{', '.join(faults)}; {how_to_repack(run)}")
    return ""


def view(run: Path, out: Path) -> str:
    """Writes the page of a run. Returns a digest of its files."""
    gritmill.view(run, out)
    return digest_of(digests(out))


def digest_of(value: Any) -> str:
    """A digest of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
