"""An Azure server on loopback, Azurite, which `make stores` installs. Its content is in memory."""

import atexit
import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from wsgiref.types import WSGIEnvironment

import pytest

from tests.store_server import BUCKET, StoreServer, forwarding_to

_ACCOUNT, _KEY = "gritmill", base64.b64encode(b"no secret").decode()
_LOCAL = Path(__file__).parents[1] / ".stores" / "node_modules" / ".bin"


def program() -> str | None:
    """Azurite's program. None if it is not installed."""
    return shutil.which("azurite-blob", path=f"{_LOCAL}{os.pathsep}{os.environ.get('PATH', '')}")


@cache
def _azurite() -> int:
    """Starts Azurite for the rest of this process, and returns its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    words = [
        "--blobPort",
        str(port),
        "--inMemoryPersistence",
        "--silent",
        "--skipApiVersionCheck",
        "--disableTelemetry",
    ]
    environ = {**os.environ, "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{_KEY}"}
    process = subprocess.Popen([str(program()), *words], env=environ, stdout=subprocess.DEVNULL)
    atexit.register(process.terminate)
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return port
        time.sleep(0.1)
    raise RuntimeError("Azurite does not start")


class AzureServer(StoreServer):
    """A container."""

    scheme = "abfs"

    def __init__(self) -> None:
        from azure.storage.blob import BlobServiceClient

        super().__init__(forwarding_to(_azurite()))
        self._client = BlobServiceClient.from_connection_string(self._connection(f"http://127.0.0.1:{_azurite()}"))
        with suppress(Exception):
            self._client.delete_container(BUCKET)
        self._container = self._client.create_container(BUCKET)

    def connection(self) -> str:
        """The connection string of this server."""
        return self._connection(self.url)

    def _connection(self, url: str) -> str:
        account = f"AccountName={_ACCOUNT};AccountKey={_KEY};BlobEndpoint={url}/{_ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;{account}"

    def _lists(self, environ: WSGIEnvironment) -> bool:
        return "comp=list" in environ["QUERY_STRING"].split("&")

    def put(self, key: str, data: bytes = b"") -> str:
        self._container.upload_blob(key, data, overwrite=True)
        return self.uri(key)

    def delete(self, key: str) -> None:
        self._container.delete_blob(key)

    def changed(self, key: str) -> float:
        return float(self._container.get_blob_client(key).get_blob_properties().last_modified.timestamp())

    def objects(self) -> dict[str, bytes]:
        return {name: self._container.download_blob(name).readall() for name in self._container.list_blob_names()}

    def unfinished_uploads(self) -> list[str]:
        """None: a client cannot remove blocks. Azure removes them after a week."""
        return []


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureServer]:
    """A server with an empty container, which this process and its children use for `abfs://`."""
    from adlfs import AzureBlobFileSystem
    from azure.storage.blob._shared.policies_async import ExponentialRetry

    AzureBlobFileSystem.clear_instance_cache()  # the client of another server
    monkeypatch.setattr(ExponentialRetry, "get_backoff_time", lambda *_: 0.01)  # 15 seconds at least
    server = AzureServer()
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection())
    server.requests.clear()
    try:
        yield server
    finally:
        server.stop()
