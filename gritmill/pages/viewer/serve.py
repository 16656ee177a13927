"""Serves the folder of the page on localhost, for this machine only."""

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline import files
from pipeline.faults import CallError

HOST = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    """Serves the files of one folder, without listings.

    Rejects requests for other host names: a page on another site could make its own name point to this machine.
    """

    def send_head(self) -> Any:
        name = self.headers.get("Host", "").partition(":")[0].lower()  # browsers omit port 80
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
        """Logs nothing, so that the address stays visible in the terminal."""


def server(folder: str, port: int = 0) -> ThreadingHTTPServer:
    """Creates a server of a local folder on 127.0.0.1. Port 0 means any free port. `serve_forever` runs it.

    Raises:
      CallError: the folder is not on this machine, or the port is not available.
    """
    if not files.is_local(folder):
        raise CallError(f"--serve: {folder} is not on this machine; use a local folder")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=folder))
    except OSError as error:
        raise CallError(f"--port: {port}: {error.strerror}") from error


def address(running: ThreadingHTTPServer) -> str:
    """The URL of the page."""
    return f"http://{HOST}:{running.server_address[1]}/"
