"""A server of Google Cloud Storage on loopback, gcp-storage-emulator, which `make stores` installs.

Its content is in memory. The emulator lacks conditional uploads and the removal of unfinished ones; they are done here.
It has no pages of listings.
"""

import asyncio
import io
import json
import socket
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.wsgi import get_input_stream

from tests.store_server import BUCKET, CODES, StoreServer, forwarding_to


class GcsServer(StoreServer):
    """A bucket."""

    scheme = "gs"
    put_method = "POST"

    def __init__(self) -> None:
        from gcp_storage_emulator.server import create_server

        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        self._emulator = create_server("127.0.0.1", port, in_memory=True, default_bucket=BUCKET)
        self._emulator.start()
        self._base = f"http://127.0.0.1:{port}"
        self._forward = forwarding_to(port)
        self._lock = threading.Lock()
        self._unfinished: list[str] = []
        super().__init__(self._upload_or_forward)

    def _upload_or_forward(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        query = parse_qs(environ["QUERY_STRING"])
        if not environ["PATH_INFO"].startswith("/upload/") or "uploadType" not in query:
            return self._forward(environ, start)
        if environ["REQUEST_METHOD"] == "DELETE":
            self._unfinished.remove(query["name"][0])
            start("499 Client Closed Request", [("Content-Length", "0")])
            return []
        key = query["name"][0] if "name" in query else self._name_in_body(environ)
        begins = query["uploadType"] == ["resumable"] and "upload_id" not in query
        completes = not begins and environ.get("HTTP_CONTENT_RANGE", "")[-1:] != "*"
        with self._lock:
            if completes and self.conditional and "ifGenerationMatch" in query and key in self._items():
                start("412 Precondition Failed", [("Content-Length", "0")])
                return []
            answer = self._forward(environ, start)
        if begins:
            self._unfinished.append(key)
        elif completes and "upload_id" in query:
            self._unfinished.remove(key)
        return answer

    def _name_in_body(self, environ: WSGIEnvironment) -> str:
        body = get_input_stream(environ).read()
        environ["wsgi.input"] = io.BytesIO(body)
        head = body.split(b"\n\n", 1)[1].split(b"\n--", 1)[0]
        return str(json.loads(head)["name"])

    def _lists(self, environ: WSGIEnvironment) -> bool:
        return bool(environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith("/o"))

    def _refusal(self, status: int) -> tuple[list[tuple[str, str]], bytes]:
        body = {"error": {"code": status, "message": CODES[status]}}
        return [("Content-Type", "application/json")], json.dumps(body).encode()

    def _ask(self, method: str, path: str, data: bytes | None = None, kind: str = "application/octet-stream") -> bytes:
        request = urllib.request.Request(f"{self._base}{path}", data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())

    def _items(self) -> dict[str, Any]:
        items = json.loads(self._ask("GET", f"/storage/v1/b/{BUCKET}/o"))["items"]
        return {item["name"]: item for item in items}

    def put(self, key: str, data: bytes = b"") -> str:
        head = b"--x\nContent-Type: application/json\n\n" + json.dumps({"name": key}).encode()
        body = head + b"\n--x\nContent-Type: application/octet-stream\n\n" + data + b"\n--x--"
        self._ask(
            "POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart", body, "multipart/related; boundary=x"
        )
        return self.uri(key)

    def delete(self, key: str) -> None:
        self._ask("DELETE", f"/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}")

    def changed(self, key: str) -> float:
        return datetime.fromisoformat(self._items()[key]["updated"]).timestamp()

    def objects(self) -> dict[str, bytes]:
        path = f"/download/storage/v1/b/{BUCKET}/o"
        return {key: self._ask("GET", f"{path}/{quote(key, safe='')}?alt=media") for key in self._items()}

    def unfinished_uploads(self) -> list[str]:
        return list(self._unfinished)

    def stop(self) -> None:
        super().stop()
        self._emulator.stop()


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """A server with an empty bucket, which this process and its children use for `gs://`."""
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # as `remote` does, which may come later
    import fsspec
    import gcsfs.retry

    fsspec.get_filesystem_class("gs").clear_instance_cache()  # the client of another server
    # It waits 31 seconds before it gives up.
    monkeypatch.setattr(gcsfs.retry, "asyncio", SimpleNamespace(sleep=lambda _: asyncio.sleep(0.01)))
    server = GcsServer()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    server.requests.clear()
    try:
        yield server
    finally:
        server.stop()
