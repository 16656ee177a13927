"""An S3 server on loopback, moto's, that lists its requests and fails as real ones do. Its content is in memory."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import boto3
import pytest
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from s3fs import S3FileSystem
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "grit"

Fault = Callable[[str, str], int | float | None]
"""Method and path of a request -> the status to answer with (an int), the seconds to wait first (a float), 0 to cut the
connection, or None."""

_CODES = {403: "AccessDenied", 429: "TooManyRequests", 500: "InternalError", 503: "SlowDown"}


class _Quiet(WSGIRequestHandler):
    def log(self, kind: str, message: str, *args: Any) -> None:
        pass


class S3Server:
    """requests: "GET /bucket/key" or "GET /bucket?list" of each one. faults: asked in turn about each request.
    conditional: whether the store knows conditional puts."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.conditional = True
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        listing = "?list" if "list-type" in environ["QUERY_STRING"] else ""
        self.requests.append(f"{method} {path}{listing}")
        for fault in self.faults:
            answer = fault(method, path)
            if isinstance(answer, float):
                time.sleep(answer)
            elif answer:
                start(f"{answer} {_CODES[answer]}", [("Content-Type", "application/xml")])
                return [f"<Error><Code>{_CODES[answer]}</Code><Message>{_CODES[answer]}</Message></Error>".encode()]
            elif answer == 0:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                return []
        if not self.conditional:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        return self._app(environ, start)  # type: ignore[no-any-return]

    def client(self) -> Any:
        """A client that is not gritmill's."""
        return boto3.client("s3", endpoint_url=self.url)

    def put(self, key: str, data: bytes = b"") -> str:
        """Stores an object in the bucket and returns its URI."""
        self.client().put_object(Bucket=BUCKET, Key=key, Body=data)
        return f"s3://{BUCKET}/{key}"

    def objects(self) -> dict[str, bytes]:
        """All objects by key."""
        client, found = self.client(), {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for item in page.get("Contents", []):
                found[item["Key"]] = client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        return found

    def unfinished_uploads(self) -> list[str]:
        """Keys of uploads in parts that are neither completed nor removed."""
        uploads = self.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [upload["Key"] for upload in uploads]

    def stop(self) -> None:
        self._server.shutdown()


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server with an empty bucket, which this process and its children use for `s3://`."""
    get_backend("s3").reset()
    S3FileSystem.clear_instance_cache()  # the client of another server
    server = S3Server()
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    server.client().create_bucket(Bucket=BUCKET)
    server.requests.clear()
    try:
        yield server
    finally:
        server.stop()


def failing(*answers: int | float, method: str = "", suffix: str = "") -> Fault:
    """Gives these answers to the first requests with this method whose path ends with the suffix."""
    left = list(answers)

    def fault(asked: str, path: str) -> int | float | None:
        if asked.startswith(method) and path.endswith(suffix) and left:
            return left.pop(0)
        return None

    return fault
