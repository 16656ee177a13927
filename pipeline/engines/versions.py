"""What must be equal in the driver and in every worker: the versions of gritmill, Beam and Python."""

import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Versions:
    """Versions of an installation. python: major and minor, because byte code differs between minor versions."""

    gritmill: str
    beam: str
    python: str

    def difference(self, other: "Versions") -> str:
        """What differs: "gritmill 0.2.0 here, 0.1.0 in the driver". `other` is the driver's. Empty if all are equal."""
        here, there = asdict(self), asdict(other)
        names = {"gritmill": "gritmill", "beam": "Beam", "python": "Python"}
        return "; ".join(
            f"{names[name]} {here[name]} here, {there[name]} in the driver"
            for name in here
            if here[name] != there[name]
        )


def installed() -> Versions:
    """The versions of this installation. Reads the metadata of the packages, and imports none of them."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Versions(version("gritmill"), version("apache-beam"), python)
