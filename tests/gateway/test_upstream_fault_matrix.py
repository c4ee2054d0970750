"""What the client gets, and what is recorded, for each way in which an upstream can fail.

Every case runs with a pool of one connection, and is followed by a request that must be served: no slot may be lost.
"""

import asyncio
import contextlib
import enum
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import REPORTED, Reply, Stores, gateway, outcome, relaying, run
from tests.gateway.stage import (
    ANSWER,
    CHAT,
    DONE,
    FIRST,
    JSON_HEAD,
    SECOND,
    STREAM,
    STREAM_HEAD,
    USED,
    chunk,
    gzipped,
    http,
)
from tests.gateway.upstream_server import Peer
from tokenboard.gateway import Timeouts, UpstreamSpec

PATIENT = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0)
HASTY = Timeouts(connect_s=10.0, first_byte_s=0.3, idle_s=0.3)

Act = bytes | Callable[[Peer], Awaitable[None]]
Outcome = tuple[int, bool, str, int | None, int | None]


class Ending(enum.Enum):
    OWN = "the upstream's own words, ended properly"
    SHAPE = "an answer of ours in the error shape"
    EVENT = "the upstream's own words, then an error event, ended properly"
    CUT = "the upstream's own words, cut off"


async def reset(peer: Peer) -> None:
    await asyncio.sleep(0.02)  # what was said must be on its way before the reset overtakes it
    peer.reset()
    raise ConnectionResetError


async def close(peer: Peer) -> None:
    raise ConnectionAbortedError


async def hang(peer: Peer) -> None:
    await peer.hear_the_end()
    raise ConnectionAbortedError


async def pause(peer: Peer) -> None:
    await asyncio.sleep(0.04)


def drip(data: bytes) -> Act:
    async def act(peer: Peer) -> None:
        for at in range(len(data)):
            await peer.say(data[at : at + 1])
            await asyncio.sleep(0.0005)

    return act


def flood(data: bytes) -> Act:
    async def act(peer: Peer) -> None:
        while True:
            await peer.say(data)

    return act


@dataclass(frozen=True)
class Case:
    """One fault. ``relayed`` is what the client gets of the upstream's own body."""

    name: str
    acts: tuple[Act, ...]
    ending: Ending
    status: int
    event: Outcome
    relayed: bytes = b""
    asked: str = "document"
    timeouts: Timeouts = PATIENT


def failed(status: int) -> Outcome:
    return (status, True, "unknown", None, None)


def ours(name: str, status: int, *acts: Act, timeouts: Timeouts = PATIENT) -> Iterator[Case]:
    """Return a fault before anything could be relayed: the same for documents and for streams."""
    for asked in ("document", "stream"):
        yield Case(f"{name}, {asked}", acts, Ending.SHAPE, status, failed(status), b"", asked, timeouts)


UNKNOWN: Outcome = (200, False, "unknown", None, None)
ESTIMATED: Outcome = (200, False, "estimated", None, 1)
PARTIAL: Outcome = (200, False, "partial", 7, 3)
WHOLE: Outcome = (200, False, "reported", 7, 3)
HEADERS = b"".join(b"X-%d: 1\r\n" % number for number in range(10_000))
ERROR = b'{"error": {"message": "their own", "type": "server_error"}}'
PAGE = b"<html>Bad gateway</html>"
NO_USAGE = b'{"choices": [{"message": {"content": "one"}}]}'
PADDED = ANSWER[:-1] + b" " * 300_000
STREAMED = STREAM_HEAD + chunk(FIRST) + chunk(SECOND) + chunk(USED) + chunk(DONE) + chunk(b"")

CASES = [
    # before a head
    *ours("reset before the head", 502, reset),
    *ours("closed before the head", 502, close),
    *ours("silent before the head", 504, hang, timeouts=HASTY),
    *ours("reset within the head", 502, b"HTTP/1.1 200 OK\r\nContent-", reset),
    *ours("closed within the head", 502, b"HTTP/1.1 200 OK\r\nContent-", close),
    *ours("silent within the head", 504, b"HTTP/1.1 200 OK\r\nContent-", hang, timeouts=HASTY),
    *ours("a head in drips that never ends", 504, b"HTTP/1.1 200 OK\r\n", drip(b"X-A: b\r\n"), hang, timeouts=HASTY),
    # heads that cannot be trusted
    *ours("not HTTP", 502, b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    *ours("random bytes", 502, bytes(range(256)) * 8),
    *ours("HTTP/2", 502, b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)),
    *ours("HTTP/0.9", 502, b"<html></html>\r\n", close),
    *ours("a header over 64 KiB", 502, OK := b"HTTP/1.1 200 OK\r\n", b"X-Large: " + b"x" * 70_000 + b"\r\n\r\n", hang),
    *ours("a header without an end", 502, OK + b"X-Endless: ", flood(b"x" * 10_000)),
    *ours("10,000 headers", 502, OK + HEADERS + b"Content-Length: 2\r\n\r\n{}", hang),
    *ours("a flood of 1xx", 502, flood(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)),
    *ours("1xx and no more", 504, b"HTTP/1.1 100 Continue\r\n\r\n" * 3, hang, timeouts=HASTY),
    *ours("switching protocols", 502, b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", hang),
    *ours("two Content-Lengths", 502, OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", hang),
    *ours("Content-Length and chunked", 502, JSON_HEAD[:-2] + b"Content-Length: 5\r\n\r\n0\r\n\r\n", hang),
    *ours("a coding nobody undoes", 502, OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", hang),
    *ours("a status beyond HTTP", 502, b"HTTP/1.1 777 X\r\nContent-Length: 0\r\n\r\n", hang),
    # a head, and no body
    *ours("reset after the head", 502, STREAM_HEAD, reset),
    *ours("closed after the head", 502, JSON_HEAD, close),
    *ours("silent after the head", 504, STREAM_HEAD, hang, timeouts=HASTY),
    *ours("a chunk that is none", 502, JSON_HEAD + b"oops\r\n", hang),
    # documents
    Case("closed in the one piece", (http(b"{", length=9), close), Ending.SHAPE, 502, failed(502)),
    Case("silent in the one piece", (http(b"{", length=9), hang), Ending.SHAPE, 504, failed(504), timeouts=HASTY),
    Case(
        "closed after the usage",
        (JSON_HEAD + chunk(PADDED), pause, chunk(b" "), pause, close),
        Ending.CUT,
        200,
        PARTIAL,
        PADDED + b" ",
    ),
    Case(
        "reset before the usage",
        (JSON_HEAD + chunk(b'{"a":'), pause, chunk(b'"one'), pause, reset),
        Ending.CUT,
        200,
        failed(200),
        b'{"a":"one',
    ),
    Case(
        "silent before the usage",
        (JSON_HEAD + chunk(b'{"a":'), pause, chunk(b'"one'), hang),
        Ending.CUT,
        200,
        failed(200),
        b'{"a":"one',
        timeouts=HASTY,
    ),
    Case("a byte at a time", (drip(http(ANSWER)),), Ending.OWN, 200, WHOLE, ANSWER, timeouts=HASTY),
    Case("chunks of a byte", (JSON_HEAD, *(chunk(ANSWER[i : i + 1]) for i in range(len(ANSWER))), chunk(b"")),
         Ending.OWN, 200, WHOLE, ANSWER),
    Case("Content-Length too long", (http(ANSWER, length=len(ANSWER) + 1), close), Ending.CUT, 200, WHOLE, ANSWER),
    Case("Content-Length too short", (http(ANSWER, length=30), hang), Ending.OWN, 200, UNKNOWN, ANSWER[:30]),
    Case("Content-Length short of the end", (http(ANSWER, length=len(ANSWER) - 1), hang), Ending.OWN, 200, WHOLE,
         ANSWER[:-1]),
    Case("no length, ended by the close", (OK + b"\r\n" + ANSWER, close), Ending.OWN, 200, WHOLE, ANSWER),
    Case("an answer behind the answer", (http(ANSWER) + http(b'{"forged": 1}'), hang), Ending.OWN, 200, WHOLE, ANSWER),
    Case("1xx, then an answer", (b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + http(ANSWER),), Ending.OWN, 200, WHOLE, ANSWER),
    Case("429 with a body", (http(ERROR, status=429, headers=["Retry-After: 7"]),), Ending.OWN, 429, failed(429),
         ERROR),
    Case("500 with a body", (http(ERROR, status=500),), Ending.OWN, 500, failed(500), ERROR),
    Case("502 with a page", (http(PAGE, "text/html", status=502),), Ending.OWN, 502, failed(502), PAGE),
    Case("500 that breaks off", (http(ERROR, status=500, length=999), close), Ending.CUT, 500, failed(500), ERROR),
    Case("503 without a body", (http(b"", status=503),), Ending.OWN, 503, failed(503)),
    Case("invalid JSON", (http(b'{"choices": [,'),), Ending.OWN, 200, UNKNOWN, b'{"choices": [,'),
    Case("JSON that is no object", (http(b"[[[[1]]]]"),), Ending.OWN, 200, UNKNOWN, b"[[[[1]]]]"),
    Case("usage missing", (http(NO_USAGE),), Ending.OWN, 200, UNKNOWN, NO_USAGE),
    Case("usage that is no usage", (http(bad := b'{"usage": {"prompt_tokens": "many"}}'),), Ending.OWN, 200,
         UNKNOWN, bad),
    Case("an empty body", (http(b""),), Ending.OWN, 200, UNKNOWN),
    Case("no gzip in spite of its name", (http(ANSWER, headers=["Content-Encoding: gzip"]),), Ending.OWN, 200, WHOLE,
         ANSWER),
    Case("gzip cut short", (http(part := gzipped(ANSWER)[:40], headers=["Content-Encoding: gzip"]),), Ending.OWN, 200,
         UNKNOWN, part),
    # streams
    Case("closed between events", (STREAM_HEAD + chunk(FIRST), close), Ending.EVENT, 502, ESTIMATED, FIRST, "stream"),
    Case("reset between events", (STREAM_HEAD + chunk(FIRST), reset), Ending.EVENT, 502, ESTIMATED, FIRST, "stream"),
    Case("silent between events", (STREAM_HEAD + chunk(FIRST), hang), Ending.EVENT, 504, ESTIMATED, FIRST, "stream",
         HASTY),
    Case("silent after the usage", (STREAM_HEAD + chunk(FIRST + USED), hang), Ending.EVENT, 504, PARTIAL, FIRST + USED,
         "stream", HASTY),
    Case("silent within an event", (STREAM_HEAD + chunk(FIRST + SECOND[:9]), hang), Ending.CUT, 200, ESTIMATED,
         FIRST + SECOND[:9], "stream", HASTY),
    Case("a spoiled chunk", (STREAM_HEAD + chunk(FIRST), pause, b"oops\r\n", hang), Ending.EVENT, 502, ESTIMATED, FIRST,
         "stream"),
    Case("closed after [DONE]", (STREAM_HEAD + chunk(FIRST + USED + DONE), close), Ending.OWN, 200, WHOLE,
         FIRST + USED + DONE, "stream"),
    Case("silent after [DONE]", (STREAM_HEAD + chunk(FIRST + USED + DONE), hang), Ending.OWN, 200, WHOLE,
         FIRST + USED + DONE, "stream", HASTY),
    Case("a byte at a time, streamed", (drip(STREAMED),), Ending.OWN, 200, WHOLE, FIRST + SECOND + USED + DONE,
         "stream",
         HASTY),
    Case("a stream without usage", (STREAM_HEAD + chunk(FIRST + DONE) + chunk(b""),), Ending.OWN, 200, UNKNOWN,
         FIRST + DONE, "stream"),
    Case("a stream without [DONE]", (STREAM_HEAD + chunk(FIRST + USED) + chunk(b""),), Ending.OWN, 200, WHOLE,
         FIRST + USED, "stream"),
    Case("a stream of nonsense", (STREAM_HEAD + chunk(b"\xff\xfe nonsense\n\n") + chunk(b""),), Ending.OWN, 200,
         UNKNOWN,
         b"\xff\xfe nonsense\n\n", "stream"),
    Case("events that are no JSON", (STREAM_HEAD + chunk(b"data: {oops\n\n" + USED + DONE) + chunk(b""),),
         Ending.OWN, 200,
         WHOLE, b"data: {oops\n\n" + USED + DONE, "stream"),
    Case("an error event first", (STREAM_HEAD + chunk(said := b"data: " + ERROR + b"\n\n") + chunk(b""),),
         Ending.OWN, 200,
         failed(200), said, "stream"),
    Case("500 to a stream", (http(ERROR, status=500),), Ending.OWN, 500, failed(500), ERROR, "stream"),
    Case("429 to a stream", (http(ERROR, status=429),), Ending.OWN, 429, failed(429), ERROR, "stream"),
    Case("a document in place of a stream", (http(ANSWER),), Ending.OWN, 200, WHOLE, ANSWER, "stream"),
]  # fmt: skip


class Failing:
    """Plays a case for the first request, and serves every further one."""

    def __init__(self, case: Case) -> None:
        self._acts: list[Act] | None = list(case.acts)

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.hear()
            acts, self._acts = self._acts, None
            for act in acts or [http(ANSWER)]:
                if isinstance(act, bytes):
                    await peer.say(act)
                else:
                    await act(peer)


def look_at(reply: Reply, case: Case) -> None:
    if case.ending is Ending.SHAPE:
        assert (case.status, True) == (reply.error()["code"], reply.whole)
        assert "127.0.0.1" not in reply.error()["message"]
        assert "application/json" == reply.header("content-type")
    elif case.ending is Ending.EVENT:
        assert (200, True) == (reply.status, reply.whole)
        assert reply.body.startswith(case.relayed)
        (error,) = reply.body.removeprefix(case.relayed).strip().split(b"\n")
        assert case.status == json.loads(error.removeprefix(b"data: "))["error"]["code"]
        assert reply.body.endswith(b"\n\n")
    else:
        assert (case.status, case.ending is Ending.OWN) == (reply.status, reply.whole)
        assert case.relayed == reply.body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_is_told_as_documented_recorded_once_and_costs_no_slot(
    stores: Stores, tmp_path: Path, case: Case
) -> None:
    async def main() -> None:
        spec = {"max_connections": 1}
        async with relaying(stores, tmp_path, Failing(case), timeouts=case.timeouts, spec=spec) as rig:
            reply = await rig.ask(STREAM if case.asked == "stream" else CHAT)
            look_at(reply, case)
            recorded = await rig.event()
            assert case.event == outcome(recorded)
            assert ("up", case.asked == "stream") == (recorded.provider, recorded.streamed)
            assert recorded.id == reply.header("x-generation-id")
            assert ANSWER == (await rig.ask(CHAT)).body
            assert [case.event, REPORTED] == [outcome(event) for event in rig.events()]

    run(main)


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """Give a port that listens but takes no more connections: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("body", [CHAT, STREAM])
def test_an_upstream_that_accepts_nothing_is_504_and_after_a_while_at_once(
    stores: Stores, tmp_path: Path, body: dict[str, Any]
) -> None:
    async def main() -> None:
        with deaf_port() as port:
            timeouts = Timeouts(connect_s=0.2, first_byte_s=10.0, idle_s=10.0)
            spec = UpstreamSpec("up", f"http://127.0.0.1:{port}/v1", timeouts=timeouts, max_connections=1)
            async with gateway(stores, tmp_path, [spec]) as rig:
                loop = asyncio.get_running_loop()
                took = []
                for _ in range(4):
                    began = loop.time()
                    assert 504 == (await rig.ask(body)).error()["code"]
                    took.append(loop.time() - began)
                assert [True, True, True, False] == [seconds >= 0.2 for seconds in took]
                assert [failed(504)] * 4 == [outcome(event) for event in rig.events()]

    run(main)
