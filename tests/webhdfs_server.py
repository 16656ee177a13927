"""A WebHDFS server on loopback, as far as fsspec's client uses it. Its files are in a local folder.

It follows Hadoop 3's WebHDFS REST API: data go through a second address that a redirect names, a rename to a name that
is taken is answered with `false`, and errors are RemoteExceptions.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class WebHdfsServer:
    """root: the local folder. refusing: whether it forbids everything. broken: whether its data nodes fail."""

    def __init__(self, root: Path) -> None:
        self.root, self.refusing, self.broken = root, False, False
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.place = f"webhdfs://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, path: Path, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Status and body: bytes, a JSON value, or the query of the address where the data go."""
        operation = query["op"]
        if self.refusing:
            return 403, _fault("AccessControlException", "Permission denied: user=nobody, access=WRITE")
        if operation in ("CREATE", "APPEND", "OPEN"):
            if "data" not in query:
                if operation != "CREATE" and not path.is_file():
                    return 404, _fault("FileNotFoundException", f"File does not exist: {path}")
                return 307, {**query, "data": "1"}
            if self.broken:
                return 500, _fault("IOException", "no live nodes contain the block")
            if operation == "OPEN":
                start = int(query.get("offset", 0))
                return 200, path.read_bytes()[start : start + int(query.get("length", 1 << 40))]
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab" if operation == "APPEND" else "wb") as file:
                file.write(body)
            return 201, b""
        if operation == "MKDIRS":
            path.mkdir(parents=True, exist_ok=True)
            return 200, {"boolean": True}
        if operation == "DELETE":
            found = path.is_file()
            path.unlink(missing_ok=True)
            return 200, {"boolean": found}
        if operation == "RENAME":
            target = self.root / query["destination"].lstrip("/")
            renamed = path.exists() and target.parent.is_dir() and not target.exists()
            if renamed:
                os.rename(path, target)
            return 200, {"boolean": renamed}
        if not path.exists():
            return 404, _fault("FileNotFoundException", f"File does not exist: {path}")
        if operation == "GETFILESTATUS":
            return 200, {"FileStatus": _status(path, "")}
        inside = [_status(path, "")] if path.is_file() else [_status(each, each.name) for each in path.iterdir()]
        return 200, {"FileStatuses": {"FileStatus": inside}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = server.root / unquote(parts.path).removeprefix("/webhdfs/v1").lstrip("/")
                status, answer = server.answer(self.command, path, query, body)
                self.send_response(status)
                if status == 307:
                    words = "&".join(f"{key}={value}" for key, value in answer.items())
                    self.send_header("Location", f"http://{self.headers['Host']}{parts.path}?{words}")
                    answer = b""
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = _serve

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def _fault(kind: str, message: str) -> dict[str, Any]:
    return {"RemoteException": {"exception": kind, "javaClassName": f"java.io.{kind}", "message": message}}


def _status(path: Path, name: str) -> dict[str, Any]:
    status = path.stat()
    kind = "DIRECTORY" if path.is_dir() else "FILE"
    time = int(status.st_mtime * 1000)
    return {"pathSuffix": name, "type": kind, "length": status.st_size * path.is_file(), "modificationTime": time}


@contextmanager
def serving(root: Path) -> Iterator[WebHdfsServer]:
    """A server of a local folder."""
    server = WebHdfsServer(root)
    try:
        yield server
    finally:
        server.stop()
