"""gritmill: image-caption pairs in, grounded WebDataset shards out.

import gritmill
gritmill.ground("grit", inputs=["pairs/*.tar"], output="out")
gritmill.pack("grit", output="out")
for sample in gritmill.read("out"):
    print(sample.grounded)
"""

import importlib.machinery
import importlib.util
import logging
import sys
from pathlib import Path

# Beam's RunInference warns on the root logger of optional packages that neither it nor we need here.
_NOISE = ("apitools not found", "Resource module is not available")
logging.getLogger().addFilter(lambda record: not str(record.msg).startswith(_NOISE))

_HOME = Path(__file__).resolve().parent.parent


def _claim(name: str) -> None:
    """Makes sure that `transforms` and `pipeline` are ours, also in a folder where somebody else's lie.

    A script's own folder comes before everything installed, so that its transforms.py would hide our package.
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
        where = getattr(loaded, "__file__", "?")
        raise ImportError(f"gritmill: another module called {name} is loaded already ({where}); import gritmill first")


for _name in ("transforms", "pipeline"):
    _claim(_name)

from gritmill.api import decode, encode, ground, pack, run  # noqa: E402
from gritmill.exports.export import export  # noqa: E402
from gritmill.exports.format import Options as ExportOptions  # noqa: E402
from gritmill.reading import Sample, read  # noqa: E402
from gritmill.validate import validate  # noqa: E402
from pipeline.configuration import Configuration  # noqa: E402
from pipeline.faults import CallError, EnvironmentFault, RunFault  # noqa: E402
from transforms.detector import Detector, Found, Request  # noqa: E402
from transforms.grounded_text import GroundedCaption, Span  # noqa: E402
from transforms.records import Box  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "Box",
    "CallError",
    "Configuration",
    "Detector",
    "EnvironmentFault",
    "ExportOptions",
    "Found",
    "GroundedCaption",
    "Request",
    "RunFault",
    "Sample",
    "Span",
    "decode",
    "encode",
    "export",
    "ground",
    "pack",
    "read",
    "run",
    "validate",
]
