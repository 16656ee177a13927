"""Addresses that Beam's options name: whether somebody answers there, and whether a host is this machine."""

import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, as_completed
from contextlib import suppress
from functools import partial
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from pipeline.faults import CallError

TIMEOUT_SECONDS = 5.0
NO_ANSWER = "no answer within five seconds"

_T = TypeVar("_T")


def open_address(flag: str, address: str, who: str) -> None:
    """Opens a connection, and closes it.

    Args:
      flag: names the address in an error. who: is expected there.
      address: HOST:PORT, with or without a scheme. There may be several, separated by commas: one must answer.

    Raises:
      CallError: nobody answers within five seconds in all, or the address has no port.
    """
    calls = []
    for one in address.split(","):
        port = port_of(one)
        if port is None:
            raise CallError(f"{flag}={address}: no port; write HOST:PORT")
        calls.append(partial(_open, host_of(one), port))
    why = NO_ANSWER
    with suppress(TimeoutError):
        for opened in as_completed([_started(call) for call in calls], TIMEOUT_SECONDS):
            if (error := opened.exception()) is None:
                return
            why = getattr(error, "strerror", None) or str(error)
    raise CallError(f"{flag}={address}: nobody answers there ({why}); start {who}, or correct the address")


def _open(host: str, port: int) -> None:
    """Tries all addresses of a host, so that none of them uses up the time of the others."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for position, (family, kind, protocol, _, address) in enumerate(found, 1):
        with socket.socket(family, kind, protocol) as opened:
            opened.settimeout(TIMEOUT_SECONDS / len(found))
            try:
                opened.connect(address)
                return
            except OSError:
                if position == len(found):
                    raise


def in_time(call: Callable[[], _T]) -> _T:
    """What a call returns or raises. Raises TimeoutError after five seconds: a socket's timeout bounds neither the look
    in the DNS nor an answer that comes byte by byte."""
    return _started(call).result(TIMEOUT_SECONDS)


def _started(call: Callable[[], _T]) -> "Future[_T]":
    """A call in a thread that no end of the program waits for."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="address").start()
    return future


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
        found = in_time(lambda: socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM))
        for family, kind, _, _, address in found:
            with suppress(OSError), socket.socket(family, kind) as bound:
                bound.bind(address)
                return bool(host)
    return False
