"""Addresses that Beam's options name: whether somebody answers there, and whether a host is this machine."""

import re
import socket
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from pipeline.faults import CallError

TIMEOUT_SECONDS = 5.0


def open_address(flag: str, address: str, who: str) -> None:
    """Opens a connection, and closes it.

    Args:
      flag: names the address in an error. who: is expected there.
      address: HOST:PORT, with or without a scheme. There may be several, separated by commas: one must answer.

    Raises:
      CallError: nobody answers within five seconds, or the address has no port.
    """
    why = ""
    for one in address.split(","):
        port = port_of(one)
        if port is None:
            raise CallError(f"{flag}={address}: no port; write HOST:PORT")
        try:
            with socket.create_connection((host_of(one), port), timeout=TIMEOUT_SECONDS):
                return
        except OSError as error:
            why = error.strerror or str(error)
    raise CallError(f"{flag}={address}: nobody answers there ({why}); start {who}, or correct the address")


def host_of(address: str) -> str:
    """The host of an address; empty if it has none."""
    return _split(address).hostname or ""


def port_of(address: str) -> int | None:
    """The port of an address; None if it has none."""
    parts = _split(address)
    with suppress(ValueError):
        return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return None


def _split(address: str) -> SplitResult:
    address = re.sub(r"^k8s://(?=\w+://)", "", address)  # Spark's name of a Kubernetes cluster
    return urlsplit(address if "://" in address else f"//{address}")


def is_here(host: str) -> bool:
    """Whether a host is this machine: only its own addresses can be bound."""
    with suppress(OSError, UnicodeError):
        for family, kind, _, _, address in socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM):
            with suppress(OSError), socket.socket(family, kind) as bound:
                bound.bind(address)
                return bool(host)
    return False
