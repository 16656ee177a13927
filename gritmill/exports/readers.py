"""The libraries that `make interop` runs on exports, at the versions that `interop/requirements/` pins.

Data cards name these versions. A test compares them with the pins, and `make interop` with what it runs.
"""

VERSIONS = {
    "datasets": "5.2.0",
    "datumaro": "1.13.12",
    "pycocotools": "2.0.11",
    "supervision": "0.31.2",
    "transformers": "5.23.0",
    "webdataset": "1.0.2",
}


def ran(*libraries: str) -> str:
    """The sentence of a data card about libraries."""
    named = [f"{library} {VERSIONS[library]}" for library in libraries]
    listed = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
    return f"`make interop` in gritmill's repository runs {listed} on such files."
