"""A loopback server with the pictures, and lists of their URLs in each format that img2dataset reads."""

import csv
import gzip
import io
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from interop.written import Given
from pipeline.configuration import validate
from pipeline.faults import CallError
from pipeline.plan.find_sources import find_sources
from pipeline.plan.plan_sources import plan_sources


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the expected 404 are no news."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves the files of a folder. Gives the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def write_lists(folder: Path, url: str, pairs: list[Given]) -> None:
    """Writes `urls.parquet` and others to a folder. One URL of them answers 404, and one has no picture.

    CSV and TSV have no caption with a line end: img2dataset splits lines there. `advised.txt` is the command with
    which gritmill refuses `urls.parquet`.
    """
    folder.mkdir()
    rows = [
        {"url": f"{url}/{pair.picture}", "caption": pair.caption, "id": pair.id, "score": pair.score} for pair in pairs
    ]
    rows.insert(3, {"url": f"{url}/missing.jpg", "caption": "a missing picture", "id": "missing", "score": 2.5})
    rows.append({"url": f"{url}/pairs.json", "caption": "no picture", "id": "no picture", "score": 3.5})
    pq.write_table(pa.Table.from_pylist(rows), folder / "urls.parquet")
    (folder / "urls.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "urls.json").write_text(json.dumps(rows))
    (folder / "urls.csv").write_text(_delimited(rows, ","))
    (folder / "urls.tsv").write_text(tabs := _delimited(rows, "\t"))
    (folder / "urls.tsv.gz").write_bytes(gzip.compress(tabs.encode()))
    (folder / "advised.txt").write_text(_advised(folder / "urls.parquet"))


def _delimited(rows: list[dict[str, Any]], delimiter: str) -> str:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if "\n" not in row["caption"])
    return sink.getvalue()


def _advised(path: Path) -> str:
    try:
        plan_sources(find_sources([str(path)]), validate({}))
    except CallError as error:
        words = shlex.split(str(error).partition("for example: ")[2])
        return shlex.join(words)
    raise AssertionError(f"{path}: gritmill does not refuse a table of URLs")
