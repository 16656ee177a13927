"""gritmill turns image-caption pairs into grounded WebDataset shards.

import gritmill
gritmill.ground("grit", inputs=["pairs/*.tar"], output="out")
gritmill.pack("grit", output="out")
for sample in gritmill.read("out"):
    print(sample.grounded)

options, api             the options of functions and commands; the Python API
looking, reading         what would be read from sources; the samples of a finished run
shard_processes          how many processes work on the shards of a run
main, cli/               the entry point; the commands
worker                   the entry point of `gritmill-worker`
streams, interrupts      the standard streams and SIGTERM on the command line
demo                     `gritmill demo`
exports/, validation/    a finished run in other tools' formats; the check of a finished run
auditing/                faults of grounded data of any origin
clicks/                  a person's answers about boxes of a run, and what they say of a threshold
evaluation/, pages/      measures against true boxes; HTML pages
truth_sheet              what is known about the truth of a run without true boxes, in words
plain_pickle             published pickles, read without running code
"""

import importlib
import importlib.machinery
import importlib.util
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Beam's RunInference warns on the root logger about optional packages that neither it nor gritmill needs.
_NOISE = ("apitools not found", "Resource module is not available")
logging.getLogger().addFilter(lambda record: not str(record.msg).startswith(_NOISE))

_HOME = Path(__file__).resolve().parent.parent


def _ensure_own_package(name: str) -> None:
    """Makes sure that `transforms` and `pipeline` are our packages, even if the script's folder has such modules.

    Python searches the script's folder before installed packages, so a transforms.py there would hide our package.
    """
    loaded = sys.modules.get(name)
    if loaded is None:
        spec = importlib.machinery.PathFinder.find_spec(name, [str(_HOME)])
        if spec is None or spec.loader is None:
            raise ImportError(f"gritmill: its package {name} is missing in {_HOME}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    elif str(_HOME / name) not in list(getattr(loaded, "__path__", [])):
        origin = getattr(loaded, "__file__", "?")
        raise ImportError(f"gritmill: another module called {name} is loaded already ({origin}); import gritmill first")


for _name in ("transforms", "pipeline"):
    _ensure_own_package(_name)

if TYPE_CHECKING:
    from gritmill.api import decode, encode, ground, pack, run
    from gritmill.auditing.audit import audit
    from gritmill.evaluation.calibrate import calibrate
    from gritmill.evaluation.evaluate import evaluate
    from gritmill.exports.export import export
    from gritmill.exports.format import ExportCounts, ExportFolder, Format, LineFormat
    from gritmill.exports.options import ExportOptions
    from gritmill.looking import look
    from gritmill.pages.viewer.view import view
    from gritmill.reading import Sample, read
    from gritmill.validation.validate import validate
    from pipeline.configuration import Configuration
    from pipeline.faults import CallError, EnvironmentFault, RunFault, SourceFault
    from pipeline.sources.base import RangeSpec
    from pipeline.stages.base import Stage
    from transforms.detectors.base import Detector, Found, Head, Request
    from transforms.detectors.family import Family, FamilySettings
    from transforms.records import Box, Drop, FailureStage, Fault, ImageRef, Pair, Reason
    from transforms.settings import Recorded
    from transforms.text.dialects.scales import binned, rounded
    from transforms.text.dialects.tagged import Tagged
    from transforms.text.grounded_caption import CannotCarry, Carries, Dialect, GroundedCaption, Span

__version__ = "0.2.0.dev0"

_NAMES = {
    "gritmill.api": ("decode", "encode", "ground", "pack", "run"),
    "gritmill.auditing.audit": ("audit",),
    "gritmill.evaluation.calibrate": ("calibrate",),
    "gritmill.evaluation.evaluate": ("evaluate",),
    "gritmill.exports.export": ("export",),
    "gritmill.exports.format": ("ExportCounts", "ExportFolder", "Format", "LineFormat"),
    "gritmill.exports.options": ("ExportOptions",),
    "gritmill.looking": ("look",),
    "gritmill.pages.viewer.view": ("view",),
    "gritmill.reading": ("Sample", "read"),
    "gritmill.validation.validate": ("validate",),
    "pipeline.configuration": ("Configuration",),
    "pipeline.faults": ("CallError", "EnvironmentFault", "RunFault", "SourceFault"),
    "pipeline.sources.base": ("RangeSpec",),
    "pipeline.stages.base": ("Stage",),
    "transforms.detectors.base": ("Detector", "Found", "Head", "Request"),
    "transforms.detectors.family": ("Family", "FamilySettings"),
    "transforms.records": ("Box", "Drop", "FailureStage", "Fault", "ImageRef", "Pair", "Reason"),
    "transforms.settings": ("Recorded",),
    "transforms.text.dialects.scales": ("binned", "rounded"),
    "transforms.text.dialects.tagged": ("Tagged",),
    "transforms.text.grounded_caption": ("CannotCarry", "Carries", "Dialect", "GroundedCaption", "Span"),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}
"""The module of each public name. Each is imported on first use, because Beam, torch and spaCy take seconds."""

__all__ = sorted(_MODULE_OF)


if not TYPE_CHECKING:  # a type checker must know the names above only

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'gritmill' has no attribute {name!r}")
        module = importlib.import_module(_MODULE_OF[name])
        value = getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
