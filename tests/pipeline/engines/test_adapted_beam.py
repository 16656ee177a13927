import gc
import importlib
import sys

import pytest
from apache_beam.utils import subprocess_server

from pipeline.engines import adapted_beam, job_server


def test_beam_starts_its_job_server_below_the_program() -> None:
    before = subprocess_server.SubprocessServer
    with adapted_beam.patched():
        server = subprocess_server.SubprocessServer(object, ["java", "-jar", "server.jar"], port=1)
        assert server._cmd == job_server.below_driver(["java", "-jar", "server.jar"])
    assert subprocess_server.SubprocessServer is before


def test_a_module_is_missing_within_the_block_only() -> None:
    sys.modules.pop("wave", None)
    with adapted_beam.without_module("wave"), pytest.raises(ImportError):
        importlib.import_module("wave")
    assert importlib.import_module("wave")
    with adapted_beam.without_module("gc"):  # it is loaded, and stays
        assert importlib.import_module("gc") is gc
    assert sys.modules["gc"] is gc
