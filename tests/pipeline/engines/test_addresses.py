import socket
import threading

import pytest

from pipeline.engines import addresses
from pipeline.engines.addresses import host_of, is_here, open_address, port_of
from pipeline.faults import CallError
from tests.flink_server import closed_port, flink_server


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("flink:8081", "flink", 8081),
        ("http://flink:8081/", "flink", 8081),
        ("https://flink.example.org/session", "flink.example.org", 443),
        ("spark://master:7077", "master", 7077),
        ("k8s://https://10.0.0.1:6443", "10.0.0.1", 6443),
        ("[::1]:8081", "::1", 8081),
        ("flink", "flink", None),
        ("flink:80810", "flink", None),
        ("", "", None),
    ],
)
def test_host_and_port(address, host, port):
    assert (host_of(address), port_of(address)) == (host, port)


def test_one_of_several_addresses_must_answer():
    with closed_port() as closed, flink_server() as cluster:
        open_address("--x", f"spark://{closed},{cluster.address}", "Spark's master")
        with pytest.raises(CallError) as refused:
            open_address("--x", closed, "Spark's master")
    cure = "start Spark's master, or correct the address"
    assert str(refused.value) == f"--x={closed}: nobody answers there (Connection refused); {cure}"


def test_an_unknown_host_and_a_missing_port():
    with pytest.raises(CallError, match=r"^--x=nowhere\.invalid:1: nobody answers there \("):
        open_address("--x", "nowhere.invalid:1", "Flink")
    with pytest.raises(CallError, match=r"^--x=flink: no port; write HOST:PORT$"):
        open_address("--x", "flink", "Flink")


def test_a_name_server_that_does_not_answer_costs_no_more_than_the_time_limit(monkeypatch):
    ended = threading.Event()
    found = socket.getaddrinfo
    slow = {"slow.example": lambda: ended.wait(60)}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: slow.get(host, int)() or found(host, *a, **k))
    with closed_port() as closed, flink_server() as cluster:
        open_address("--x", f"slow.example:1,{cluster.address}", "Spark's master")  # the other one answers meanwhile
        monkeypatch.setattr(addresses, "TIMEOUT_SECONDS", 0.05)
        for address in ("slow.example:1", f"{closed},slow.example:1"):
            with pytest.raises(CallError, match=rf"^--x={address}: nobody answers there \("):
                open_address("--x", address, "Spark's master")
    assert not is_here("slow.example")
    ended.set()


def test_all_addresses_of_a_host_are_tried(monkeypatch):
    with closed_port() as closed, flink_server() as cluster:
        found = [
            socket.getaddrinfo(host_of(one), port_of(one), type=socket.SOCK_STREAM)[0]
            for one in (closed, cluster.address)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        open_address("--x", "flink.example:1", "Flink")


def test_whether_a_host_is_this_machine():
    assert is_here("localhost")
    assert is_here("127.0.0.1")
    assert is_here(socket.gethostname())
    assert not is_here("192.0.2.1")  # of a network that exists in documentation only
    assert not is_here("nowhere.invalid")
    assert not is_here("")
