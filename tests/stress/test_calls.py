"""What the trials prepare: all modules are imported, also where the client of a store is not installed."""

import pkgutil
import sys

import pytest

from stress import calls


def test_modules_of_stores_whose_client_is_missing_are_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "azure", None)
    monkeypatch.delitem(sys.modules, "pipeline.files.azure", raising=False)
    calls.import_all()
    assert "pipeline.files.azure" not in sys.modules
    assert {"pipeline.files.publish", "gritmill.validation.validate", "transforms.selection.judge"} <= set(sys.modules)


@pytest.mark.parametrize("missing", ["pipeline.files.lost", "pipeline.files"])
def test_a_missing_module_of_ours_is_no_missing_client(monkeypatch, missing):
    def walk(path, prefix):
        yield pkgutil.ModuleInfo(None, missing + ".module", False)

    monkeypatch.setattr(calls.pkgutil, "walk_packages", walk)
    with pytest.raises(ModuleNotFoundError):
        calls.import_all()
