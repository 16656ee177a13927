"""Java for Flink and Spark."""

import os
import shutil
import subprocess
from pathlib import Path

from cluster.engine import Missing

_VERSION = "17"

_BASE = "lang lang.invoke lang.reflect io net nio text time util util.concurrent util.concurrent.atomic"
_OPENED = [
    *(f"java.{name}" for name in (*_BASE.split(), "util.concurrent.locks")),
    *(f"sun.{name}" for name in ("nio.ch", "nio.cs", "security.action", "util.calendar")),
]

FLAGS = [
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
]
"""What the shell scripts of Flink and Spark give to Java 17: access to packages of its own."""


def java() -> str:
    """The path of Java. Raises Missing if there is none, or another version than 17."""
    home = os.environ.get("JAVA_HOME")
    path = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    problem = "there is no java"
    if path and Path(path).exists():
        told = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
        version = told.partition('"')[2].partition('"')[0]
        if version.partition(".")[0] == _VERSION:
            return path
        problem = f"{path} has version {version or 'unknown'}"
    raise Missing(f"Java {_VERSION} is missing ({problem}); on Debian: apt-get install openjdk-17-jre-headless")
