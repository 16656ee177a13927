from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from pipeline.engines import addresses
from pipeline.engines.flink_rest import NoAnswer, ask, cancel_flink_job
from tests.flink_server import closed_port, flink_server


def test_every_live_job_of_the_name_is_cancelled_and_no_other():
    jobs = {
        "a1": ("gritmill-1", "RUNNING"),
        "a2": ("gritmill-1", "RESTARTING"),
        "a3": ("gritmill-1", "FINISHED"),
        "b1": ("gritmill-2", "RUNNING"),
    }
    with flink_server(jobs=jobs) as cluster:
        assert cancel_flink_job(cluster.address, "gritmill-1") == 2
        assert cancel_flink_job(f"http://{cluster.address}/", "gritmill-1") == 0
        assert {jid: state for jid, (_, state) in cluster.jobs.items()} == {
            "a1": "CANCELED",
            "a2": "CANCELED",
            "a3": "FINISHED",
            "b1": "RUNNING",
        }


def test_a_job_that_ends_between_the_two_requests_is_no_error():
    with flink_server(jobs={"a1": ("gritmill-1", "RUNNING")}) as cluster:
        answer = cluster.answer

        def ended_since(method, path):
            if method == "PATCH":
                cluster.jobs["a1"] = ("gritmill-1", "FINISHED")
            return answer(method, path)

        cluster.answer = ended_since
        assert cancel_flink_job(cluster.address, "gritmill-1") == 0


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    with closed_port() as proxy, flink_server() as cluster:
        monkeypatch.setenv("http_proxy", f"http://{proxy}")
        assert ask(cluster.address, "/overview")["flink-version"] == "1.19.3"


def test_nobody_at_the_address():
    with closed_port() as address, pytest.raises(NoAnswer, match=r"^Connection refused$"):
        cancel_flink_job(address, "gritmill-1")


def test_an_answer_that_comes_byte_by_byte_is_none(monkeypatch):
    monkeypatch.setattr(addresses, "TIMEOUT_SECONDS", 0.2)
    ended = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            while not ended.wait(0.02):
                self.wfile.write(b" ")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with pytest.raises(NoAnswer, match=r"^no answer within five seconds$"):
            ask(f"127.0.0.1:{server.server_port}", "/overview")
        ended.set()
        server.shutdown()


@pytest.mark.parametrize("scheme", ["file", "FILE", "ftp", "data"])
def test_only_http_is_asked(scheme, tmp_path):
    (tmp_path / "overview").write_text('{"flink-version": "1.19.3"}')
    with pytest.raises(NoAnswer, match=f"^unknown url type: {scheme.lower()}$"):
        ask(f"{scheme}://{tmp_path}", "/overview")


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe"])
def test_another_server_at_the_address(body):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with pytest.raises(NoAnswer, match="no REST interface of Flink"):
            ask(f"127.0.0.1:{server.server_port}", "/overview")
        server.shutdown()
