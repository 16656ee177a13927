"""Object stores on loopback that list their requests and fail as real ones do."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wsgi import get_input_stream

BUCKET = "grit"

Fault = Callable[[str, str], int | float | None]
"""Method and path of a request -> the status to answer with (an int), the seconds to wait first (a float), 0 to cut the
connection, or None."""

CODES = {
    **{403: "AccessDenied", 409: "ConditionalRequestConflict", 412: "PreconditionFailed", 429: "TooManyRequests"},
    **{500: "InternalError", 501: "NotImplemented", 503: "SlowDown"},
}


def failing(*answers: int | float, method: str = "", suffix: str = "") -> Fault:
    """Gives these answers to the first requests with this method whose path ends with the suffix."""
    left = list(answers)

    def fault(asked: str, path: str) -> int | float | None:
        if asked.startswith(method) and path.endswith(suffix) and left:
            return left.pop(0)
        return None

    return fault


class _Quiet(WSGIRequestHandler):
    def log(self, kind: str, message: str, *args: Any) -> None:
        pass

    def make_environ(self) -> WSGIEnvironment:
        # WSGI loses headers with an underscore in their names, as Azure's metadata have them.
        return {**super().make_environ(), "headers": dict(self.headers.items())}


class StoreServer:
    """A server in front of `app`.

    scheme: of the URIs. requests: "GET /bucket/key" or "GET /bucket?list" of each one. faults: asked in turn about each
    request. put_method: of requests that write small objects. conditional: whether the store knows conditional puts.
    generation: how many tests have had the server.
    """

    scheme: ClassVar[str]
    put_method: ClassVar[str] = "PUT"

    def __init__(self, app: WSGIApplication) -> None:
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.conditional = True
        self.generation = 0
        self._app = app
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path, generation = environ["REQUEST_METHOD"], environ["PATH_INFO"], self.generation
        self.requests.append(f"{method} {path}{'?list' if self._lists(environ) else ''}")
        for fault in self.faults:
            answer = fault(method, path)
            if isinstance(answer, float):
                time.sleep(answer)
                if self.generation != generation:  # a test has ended; the next one must not see what it wrote
                    return []
            elif answer:
                headers, body = self._refusal(answer)
                start(f"{answer} {CODES[answer]}", headers)
                return [] if method == "HEAD" else [body]
            elif answer == 0:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                return []
        return self._app(environ, start)

    def _lists(self, environ: WSGIEnvironment) -> bool:
        raise NotImplementedError

    def _refusal(self, status: int) -> tuple[list[tuple[str, str]], bytes]:
        """Headers and body of an answer with this status."""
        body = f"<Error><Code>{CODES[status]}</Code><Message>{CODES[status]}</Message></Error>"
        return [("Content-Type", "application/xml"), ("x-ms-error-code", CODES[status])], body.encode()

    def uri(self, key: str) -> str:
        """The URI of an object."""
        return f"{self.scheme}://{BUCKET}/{key}"

    def put(self, key: str, data: bytes = b"") -> str:
        """Stores an object in the bucket and returns its URI. The client is not gritmill's."""
        raise NotImplementedError

    def delete(self, key: str) -> None:
        """Removes an object."""
        raise NotImplementedError

    def changed(self, key: str) -> float:
        """When an object was written, in seconds since 1970."""
        raise NotImplementedError

    def objects(self) -> dict[str, bytes]:
        """All objects by key."""
        raise NotImplementedError

    def unfinished_uploads(self) -> list[str]:
        """Keys of uploads in parts that are neither completed nor removed."""
        raise NotImplementedError

    def stop(self) -> None:
        self._server.shutdown()


_OF_CONNECTIONS = ("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding")


def forwarding_to(port: int) -> WSGIApplication:
    """An application that asks another server on this machine."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        method = environ["REQUEST_METHOD"]
        body = get_input_stream(environ).read() if method in ("PUT", "POST") else None
        connection.request(method, environ["RAW_URI"], body, {**environ["headers"], "Connection": "close"})
        answer = connection.getresponse()
        data = answer.read()
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OF_CONNECTIONS]
        length = answer.getheader("Content-Length") if method == "HEAD" else str(len(data))
        connection.close()
        start(f"{answer.status} {answer.reason}", [*headers, ("Content-Length", length or "0")])
        return [data]

    return app
