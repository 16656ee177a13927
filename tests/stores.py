"""Object stores on loopback by kind: moto for S3, gcp-storage-emulator for Google Cloud Storage, Azurite for Azure. The
last two are slow, and skipped where `make stores` has not installed them."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

from tests import azure_server
from tests.store_server import StoreServer

KINDS = ("s3", "gcs", "azure")
OTHERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:]]

_MODULES = {"s3": [], "gcs": ["gcsfs", "gcp_storage_emulator"], "azure": ["adlfs"]}


@contextmanager
def serving(kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreServer]:
    """An empty store, which this process and its children use for its scheme."""
    from pipeline.files import remote

    missing = [module for module in _MODULES[kind] if find_spec(module) is None]
    if kind == "azure" and not azure_server.program():
        missing.append("azurite")
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed; run make stores")
    with importlib.import_module(f"tests.{kind}_server").serving(monkeypatch) as server:
        yield server
    remote._CREATE_ONLY.clear()
