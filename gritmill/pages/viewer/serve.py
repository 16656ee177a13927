"""The page on localhost: one folder, to this machine alone."""

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline import files
from pipeline.faults import CallError

HOST = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder; no listings, and nothing for a page elsewhere that has a name point at this machine."""

    def send_head(self) -> Any:
        name = self.headers.get("Host", "").partition(":")[0].lower()  # browsers leave port 80 out
        if name not in (HOST, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal shows the address, and keeps showing it."""


def server(folder: str, port: int = 0) -> ThreadingHTTPServer:
    """A server of a local folder on 127.0.0.1; port 0 is any free one. `serve_forever` runs it.

    Raises:
      CallError: the folder is not on this machine, or the port cannot be had.
    """
    if not files.is_local(folder):
        raise CallError(f"--serve: {folder} is not on this machine")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=folder))
    except OSError as error:
        raise CallError(f"--port: {port}: {error.strerror}") from error


def address(running: ThreadingHTTPServer) -> str:
    """Where the page is."""
    return f"http://{HOST}:{running.server_address[1]}/"
