"""What is the board's, relayed to a server behind a Unix socket: our own one, or one that says what it is told."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import Caller, Reply, nobody, run
from tests.gateway.upstream_server import HELLO, OK, Handler, Peer, until
from tokenboard.gateway.board import BoardRelay, FarBoard
from tokenboard.gateway.upstream import Origin
from tokenboard.observability import Counters
from tokenboard.server import HttpServer

App = Callable[[Any, Any, Any], Awaitable[None]]
MAX_BODY = 100_000


@dataclass
class Site:
    """A gateway that has nothing of its own, in front of a board's socket."""

    port: int
    path: Path
    counters: Counters
    callers: list[Caller] = field(default_factory=list)

    async def call(self, data: bytes) -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 26))
        self.callers.append(caller)
        await caller.say(data)
        return caller

    async def ask(self, head: bytes = b"GET / HTTP/1.1\r\nHost: b\r\n", body: bytes = b"") -> Reply:
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        caller = await self.call(head + length + b"\r\n" + body)
        return await caller.reply(head.partition(b" ")[0].decode())


@contextlib.asynccontextmanager
async def site(
    folder: Path, *, answer_within_s: float = 10.0, send_timeout_s: float = 10.0, max_held: int = MAX_BODY
) -> AsyncIterator[Site]:
    counters = Counters()
    path = folder / "board.sock"
    relay = BoardRelay(
        path,
        max_body=MAX_BODY,
        counters=counters,
        max_held=max_held,
        answer_within_s=answer_within_s,
        send_timeout_s=send_timeout_s,
    )
    server = HttpServer(nobody, direct=relay)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.start(listener)
    made = Site(listener.getsockname()[1], path, counters)
    try:
        yield made
        await until(lambda: not server.running)
        assert relay._pool.idle == relay._pool.slots_taken
    finally:
        for caller in made.callers:
            caller.leave()
        await until(lambda: not server.connections)
        await server.stop(0)
        await relay.aclose()


def bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


@contextlib.asynccontextmanager
async def board(path: Path, app: App) -> AsyncIterator[HttpServer]:
    """Run our own server on the socket, with this application."""
    server = HttpServer(app)
    listener = bound(path)
    listener.listen()
    await server.start(listener)
    try:
        yield server
    finally:
        await server.stop(0)


@contextlib.asynccontextmanager
async def scripted(path: Path, handler: Handler) -> AsyncIterator[None]:
    """Run a server on the socket that says exactly what it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await handler(Peer(reader, writer))
        writer.close()

    async with await asyncio.start_unix_server(serve, sock=bound(path)):
        yield


def saying(status: int, headers: list[tuple[bytes, bytes]], *pieces: bytes) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what was asked."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    told = {
        "method": scope["method"],
        "target": f"{scope['raw_path'].decode()}?{scope['query_string'].decode()}",
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": len(body),
    }
    await saying(200, [(b"content-type", b"application/json")], json.dumps(told).encode())(scope, receive, send)


async def peer_told(peer: Peer) -> None:
    """Answer with the header that names the client, as it came over the wire."""
    while True:
        heard = await peer.hear()
        told = b",".join(value for name, value in heard.headers if name == b"x-tokenboard-peer")
        await peer.say(OK + b"Content-Length: %d\r\n\r\n%b" % (len(told), told))


def test_a_request_arrives_as_it_was_made_without_what_is_about_its_connection(tmp_path: Path) -> None:
    async def main() -> None:
        async with site(tmp_path) as there, board(there.path, echo):
            head = (
                b"PATCH /api/v1/admin/apps/7%20?x=%2F&y HTTP/1.1\r\nHost: board.example:8443\r\nCookie: a=1\r\n"
                b"Authorization: Bearer k\r\nX-Two: 1\r\nX-Two: 2\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\n"
                b"TE: trailers\r\nKeep-Alive: timeout=9\r\nExpect: 100-continue\r\nX-Forwarded-For: 192.0.2.1\r\n"
            )
            caller = await there.call(head + b"Content-Length: 5\r\n\r\n")
            assert b"HTTP/1.1 100 Continue\r\n\r\n" == await caller.reader.readexactly(25)
            await caller.say(b"hello")
            told = json.loads((await caller.reply()).body)
            assert ("PATCH", "/api/v1/admin/apps/7%20?x=%2F&y", 5) == (told["method"], told["target"], told["body"])
            headers = [(name, value) for name, value in told["headers"] if name != "x-tokenboard-peer"]
            assert [
                ("host", "board.example:8443"),
                ("cookie", "a=1"),
                ("authorization", "Bearer k"),
                ("x-two", "1"),
                ("x-two", "2"),
                ("x-forwarded-for", "192.0.2.1"),
                ("content-length", "5"),
            ] == headers

    run(main)


def test_the_clients_address_goes_along_and_nobody_can_claim_another(tmp_path: Path) -> None:
    async def main() -> None:
        async with site(tmp_path) as there, scripted(there.path, peer_told):
            caller = await there.call(b"GET / HTTP/1.1\r\nHost: b\r\nX-Tokenboard-Peer: 192.0.2.1:9\r\n\r\n")
            host, port = caller.writer.get_extra_info("sockname")
            assert f"{host}:{port}".encode() == (await caller.reply()).body

    run(main)


def test_the_boards_headers_pass_untouched_but_for_those_about_its_connection(tmp_path: Path) -> None:
    async def main() -> None:
        passing = [
            (b"set-cookie", b"a=1; HttpOnly"),
            (b"set-cookie", b"b=2"),
            (b"access-control-allow-origin", b"*"),
            (b"etag", b'"x"'),
            (b"content-encoding", b"gzip"),
            (b"server-timing", b"db;dur=1"),
            (b"location", b"/elsewhere"),
            (b"content-security-policy", b"default-src 'self'"),
            (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (b"content-length", b"3"),
        ]

        async def handler(peer: Peer) -> None:
            head = b"".join(name + b": " + value + b"\r\n" for name, value in passing)
            await peer.answer(OK + b"Keep-Alive: timeout=5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n" + head + b"\r\nabc")
            await peer.hear_the_end()

        async with site(tmp_path) as there, scripted(there.path, handler):
            reply = await there.ask()
            assert (200, b"abc") == (reply.status, reply.body)
            assert [(name.decode(), value.decode()) for name, value in passing] == reply.headers

    run(main)


@pytest.mark.parametrize(
    ("method", "status", "length", "told"),
    [(b"HEAD", 200, b"5", "5"), (b"GET", 204, None, None), (b"GET", 304, None, None), (b"HEAD", 404, b"9", "9")],
)
def test_answers_without_a_body_are_whole_and_the_connections_go_on(
    tmp_path: Path, method: bytes, status: int, length: bytes | None, told: str | None
) -> None:
    async def main() -> None:
        headers = [(b"content-length", length)] if length is not None else []
        async with site(tmp_path) as there, board(there.path, saying(status, headers)) as server:
            request = method + b" / HTTP/1.1\r\nHost: b\r\n\r\n"
            caller = await there.call(request)
            for _ in range(3):
                reply = await caller.reply(method.decode())
                assert (status, b"", told) == (reply.status, reply.body, reply.header("content-length"))
                await caller.say(request)
            await caller.reply(method.decode())
            assert 1 == len(server.connections)

    run(main)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "error"),
    [(b"/api/v1/usage", {"code": 413}), (b"/api/v1/messages/x", {"type": "request_too_large"})],
)
def test_a_body_has_a_limit_which_is_told_in_the_callers_dialect(
    tmp_path: Path, path: bytes, error: dict[str, Any], chunked: bool
) -> None:
    async def main() -> None:
        async with site(tmp_path) as there, board(there.path, echo):
            head = b"POST " + path + b" HTTP/1.1\r\nHost: b\r\n"
            assert MAX_BODY == json.loads((await there.ask(head, bytes(MAX_BODY))).body)["body"]
            large = bytes(MAX_BODY + 1)
            if chunked:
                data = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(large), large)
                reply = await (await there.call(head + data)).reply()
            else:
                reply = await there.ask(head, large)
            told = json.loads(reply.body)["error"]
            assert 413 == reply.status
            assert error.items() <= told.items()
            assert "The body is larger than 100,000 bytes, the limit of this address." == told["message"]

    run(main)


def test_large_bodies_have_so_much_memory_together_and_small_ones_are_taken_all_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        head = b"POST /api/v1/usage HTTP/1.1\r\nHost: b\r\n"
        async with site(tmp_path, max_held=30_000) as there, board(there.path, echo):
            slow = await there.call(head + b"Content-Length: 90001\r\n\r\n" + bytes(90_000))
            refused = await there.ask(head, bytes(90_000))
            while refused.status != 503:  # until all of the slow one has arrived
                refused = await there.ask(head, bytes(90_000))
            assert (2, True) == (int(refused.header("retry-after") or 0), b"Too many large bodies" in refused.body)
            assert 200 == (await there.ask(head, bytes(60_000))).status
            await slow.say(b"x")
            assert 200 == (await slow.reply()).status
            assert 200 == (await there.ask(head, bytes(90_000))).status

    run(main)


def test_an_answer_is_passed_on_piece_by_piece_as_it_is_made(tmp_path: Path) -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for piece in (b"one", b"two"):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await go.wait()
            await send({"type": "http.response.body", "body": b""})

        go.clear()
        async with site(tmp_path) as there, board(there.path, app):
            caller = await there.call(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
            await caller.head()
            assert b"one" == await caller.chunk()
            go.set()
            assert [b"two", b""] == [await caller.chunk(), await caller.chunk()]

    run(main)


def test_the_board_waits_for_a_client_that_does_not_read_and_a_stalled_one_is_cut(tmp_path: Path) -> None:
    async def main() -> None:
        made = 0

        async def app(scope: Any, receive: Any, send: Any) -> None:
            nonlocal made
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1_000):
                await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
                made += 1
            await send({"type": "http.response.body", "body": b""})

        made = 0
        async with site(tmp_path, send_timeout_s=0.2) as there, board(there.path, app) as server:
            caller = await there.call(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
            caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
            stalled_at = 0

            def stalled() -> bool:
                nonlocal stalled_at
                if there.counters.read().get("clients_stalled") == 1:
                    return True
                stalled_at = made  # afterwards the application is told nothing, and makes the rest at once
                return False

            await until(stalled)
            assert 0 < stalled_at < 1_000
            await until(lambda: not server.running)

    run(main)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize(
    ("path", "error"),
    [(b"/", {"code": 503}), (b"/v1/messages/batches", {"type": "overloaded_error"})],
)
def test_while_there_is_no_board_its_answers_are_503_and_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: bytes, path: bytes, error: dict[str, Any]
) -> None:
    async def main() -> None:
        caplog.clear()
        async with site(tmp_path) as there:
            for _ in range(5):
                reply = await there.ask(method + b" " + path + b" HTTP/1.1\r\nHost: b\r\n")
                assert (503, "2") == (reply.status, reply.header("retry-after"))
                assert error.items() <= json.loads(reply.body)["error"].items()
            assert 5 == there.counters.read()["board_unreached"]
        assert ["the board gave no answer"] == [
            record.message for record in caplog.records if record.levelno >= logging.WARNING
        ]

    run(main)


class Breaking:
    """Breaks off so many requests after it was told them, or says so much of an answer to them; answers the others."""

    def __init__(self, times: int, said: bytes = b"", *, hangs: bool = False) -> None:
        self.times = times
        self.said = said
        self.hangs = hangs
        self.heard = 0

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.hear()
            self.heard += 1
            if self.heard <= self.times:
                await peer.say(self.said)
                if self.hangs:
                    await peer.hear_the_end()
                return
            await peer.say(HELLO)


@pytest.mark.parametrize(
    ("said", "hangs"),
    [(b"", False), (OK, False), (OK + b"Content-Length: 5\r\n\r\n", False), (b"", True), (OK, True)],
)
def test_what_only_reads_is_asked_once_more_and_anything_else_is_not(tmp_path: Path, said: bytes, hangs: bool) -> None:
    async def main() -> None:
        for method, times, status, heard in [(b"GET", 1, 200, 2), (b"GET", 2, 503, 2), (b"DELETE", 1, 503, 1)]:
            breaking = Breaking(times, said, hangs=hangs)
            async with site(tmp_path, answer_within_s=0.1 if hangs else 10.0) as there, scripted(there.path, breaking):
                reply = await there.ask(method + b" / HTTP/1.1\r\nHost: b\r\n")
                assert (status, heard) == (reply.status, breaking.heard)
                assert int(status == 503) == there.counters.read().get("board_unreached", 0)

    run(main)


def test_an_answer_that_breaks_off_in_the_middle_is_cut(tmp_path: Path) -> None:
    async def main() -> None:
        async with site(tmp_path) as there:
            broken = Breaking(1, OK + b"Content-Length: 9\r\n\r\nhello")
            async with scripted(there.path, broken):
                reply = await there.ask()
                assert (200, b"hello", False, 1) == (reply.status, reply.body, reply.whole, broken.heard)

    run(main)


def test_a_board_that_was_started_anew_is_asked_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with site(tmp_path) as there:
            for turn in range(3):
                async with board(there.path, saying(200, [], b"turn %d" % turn)):
                    assert b"turn %d" % turn == (await there.ask()).body
                assert 503 == (await there.ask()).status

    run(main)


def test_a_client_that_leaves_lets_go_of_the_board(tmp_path: Path) -> None:
    async def main() -> None:
        left = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.hear()
            heard.set()
            await peer.hear_the_end()
            left.set()

        heard = asyncio.Event()
        left.clear()
        async with site(tmp_path) as there, scripted(there.path, handler):
            caller = await there.call(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\n\r\nx")
            await asyncio.wait_for(heard.wait(), 5)
            caller.leave()
            await asyncio.wait_for(left.wait(), 5)

    run(main)


def test_a_board_on_another_machine_is_asked_under_its_own_name_and_for_nothing_internal() -> None:
    async def main() -> None:
        far = socket.create_server(("127.0.0.1", 0))
        port = far.getsockname()[1]
        server = HttpServer(echo)
        await server.start(far)
        relay = BoardRelay(
            FarBoard(Origin("http", "127.0.0.1", port), b"/board"), max_body=MAX_BODY, counters=Counters()
        )
        near = HttpServer(nobody, direct=relay)
        listener = socket.create_server(("127.0.0.1", 0))
        await near.start(listener)
        there = Site(listener.getsockname()[1], Path(), Counters())
        try:
            reply = await there.ask(b"GET /rankings?x=1 HTTP/1.1\r\nHost: paris.example\r\nAuthorization: Bearer k\r\n")
            told = json.loads(reply.body)
            assert "/board/rankings?x=1" == told["target"]
            assert {"authorization": "Bearer k", "host": f"127.0.0.1:{port}"} == dict(told["headers"])
            for path in (b"/internal", b"/internal/v1/shipments", b"/%69nternal/nudge"):
                assert 404 == (await there.ask(b"POST " + path + b" HTTP/1.1\r\nHost: b\r\n")).status
        finally:
            for caller in there.callers:
                caller.leave()
            await near.stop(0)
            await relay.aclose()
            await server.stop(0)

    run(main)
