"""The client of a running server: what it sends, over which way, and what it makes of answers of every kind."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tokenboard.app.running_server import RunningServer, ServerFault


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Run a server that answers everything so; yield its URL and what was asked, with the nudge's token."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((f"{self.command} {self.path}", self.headers["x-tokenboard-nudge"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def test_a_nudge_carries_the_token_and_goes_over_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    with answering(200, b"{}") as (url, asked):
        told = RunningServer(1, url, "token", None).nudge()

    assert (None, [("POST /internal/nudge", "token")]) == (told, asked)


def test_a_nudge_that_is_refused_or_not_answered_is_known_to_have_failed() -> None:
    refusal = b'{"error": {"code": 503, "message": "the disk is full"}}'
    with answering(503, refusal) as (url, _):
        assert f"{url} refuses: the disk is full" == RunningServer(1, url, "token", None).nudge()

    away = RunningServer(1, "http://127.0.0.1:9", "token", None).nudge()
    assert "http://127.0.0.1:9 does not answer; it finds the change by itself within a second" == away


def test_a_server_is_asked_whether_it_is_ready_and_its_no_is_read_too() -> None:
    with answering(503, b'{"status": "not ready"}') as (url, asked):
        answer = RunningServer(1, url, "token", None).readiness()

    assert ({"status": "not ready"}, [("GET /readyz", None)]) == (answer, asked)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[" * 100_000])
def test_an_answer_that_is_no_readiness_is_none(body: bytes) -> None:
    with answering(200, body) as (url, _):
        assert RunningServer(1, url, "token", None).readiness() is None


def test_a_task_reports_month_by_month_and_its_end_is_no_report() -> None:
    lines = b'{"month": 202601}\n{"month": 202602}\n{"done": true}\n{"month": 202603}\n'
    with answering(200, lines) as (url, asked):
        reports = list(RunningServer(1, url, "token", None).run_task("audit"))

    assert [{"month": 202601}, {"month": 202602}] == reports
    assert [("POST /internal/audit", "token")] == asked


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b'{"month": 202601}\n', "broke off before it was done"),
        (200, b'{"error": "the disk is full", "hint": "make room"}\n', "the disk is full"),
        (200, b"<html>", "does not answer"),
        (403, b'{"error": {"message": "not from here"}}', "refuses: not from here"),
        (500, b"", "refuses: it gave no reason"),
    ],
)
def test_a_task_that_is_refused_fails_or_breaks_off_is_a_fault_that_says_so(
    status: int, body: bytes, message: str
) -> None:
    with answering(status, body) as (url, _), pytest.raises(ServerFault, match=message) as caught:
        list(RunningServer(1, url, "token", None).run_task("rebuild"))
    assert caught.value.hint


def test_counters_that_are_none_are_a_fault() -> None:
    for status, body in ((404, b"{}"), (200, b"[]"), (200, b"<")):
        with answering(status, body) as (url, _), pytest.raises(ServerFault, match="does not answer"):
            RunningServer(1, url, "token", None).counters()
