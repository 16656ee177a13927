import gc
import importlib
import sys
from contextlib import nullcontext

import apache_beam as beam
import pytest
from apache_beam.utils import subprocess_server

from pipeline.engines import adapted_beam, job_server
from pipeline.engines.beam_options import parse_beam_options
from pipeline.engines.run_pipeline import run
from pipeline.engines.worker import COLLECT_AFTER
from pipeline.faults import EnvironmentFault
from tests import once


def test_beam_starts_its_job_server_below_the_program() -> None:
    before = subprocess_server.SubprocessServer
    with adapted_beam.patched():
        server = subprocess_server.SubprocessServer(object, ["java", "-jar", "server.jar"], port=1)
        assert server._cmd == job_server.below_driver(["java", "-jar", "server.jar"])
    assert subprocess_server.SubprocessServer is before


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_imported_is_frozen_while_a_pipeline_runs_and_no_longer(fails: bool) -> None:
    during = []

    def build(pipeline: beam.Pipeline) -> object:
        during.append((gc.get_freeze_count(), gc.get_threshold()))
        if fails:
            raise EnvironmentFault("no")
        return pipeline | beam.Create([1])

    before = gc.get_threshold()
    with once.thawed():
        with pytest.raises(EnvironmentFault) if fails else nullcontext():
            run(build, parse_beam_options([]))
        ((frozen, threshold),) = during
        assert frozen > 10_000
        assert threshold == (COLLECT_AFTER, *before[1:])
        assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)


def test_a_module_is_missing_within_the_block_only() -> None:
    sys.modules.pop("wave", None)
    with adapted_beam.without_module("wave"), pytest.raises(ImportError):
        importlib.import_module("wave")
    assert importlib.import_module("wave")
    with adapted_beam.without_module("gc"):  # it is loaded, and stays
        assert importlib.import_module("gc") is gc
    assert sys.modules["gc"] is gc
