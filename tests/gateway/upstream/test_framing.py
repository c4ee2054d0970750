import asyncio

import pytest

from tests.gateway.upstream_server import HELLO, OK, Peer, pooled, run, until
from tokenboard.gateway.upstream import Limits, Pool, Response, ResponseBroken

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def get(pool: Pool) -> Response:
    return await pool.send(b"GET", b"/", [], b"")


async def read_all(response: Response) -> bytes:
    parts = []
    while chunk := await response.read_chunk():
        parts.append(chunk)
    return b"".join(parts)


def answered_by(script: bytes, *, then_close: bool = False, piece: int | None = None) -> "Outcome":
    """Let one upstream answer say `script`, in pieces of so many bytes, and tell what the client makes of it."""
    outcome = Outcome()

    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.hear()
            for start in range(0, len(script), piece or len(script)):
                await peer.say(script[start : start + (piece or len(script))])
                await asyncio.sleep(0)
            if not then_close:
                await peer.hear_the_end()

        async with pooled(handler) as (pool, _):
            try:
                response = await get(pool)
                outcome.status = response.status
                outcome.headers = response.headers
                outcome.body = await read_all(response)
                outcome.complete = response.complete
                assert response.ended_hint
                await response.aclose()
                outcome.kept = pool.idle == 1
            except ResponseBroken as error:
                outcome.broken = str(error).partition(" answer of ")[2].partition(" ")[2]
                outcome.complete = False
            assert pool.idle == pool.slots_taken

    run(main)
    return outcome


class Outcome:
    status = 0
    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012
    body = b""
    complete = False
    kept = False
    broken = ""


@pytest.mark.parametrize("piece", [None, 1, 2, 7])
@pytest.mark.parametrize(
    ("script", "status", "body"),
    [
        (HELLO, 200, b"hello"),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b""),
        (CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
        (CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\nServer-Timing: x\r\n\r\n", 200, b"hello"),
        (CHUNKED + b"0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 429\r\nContent-Length: 1\r\n\r\n!", 429, b"!"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, 200, b"hello"),
        (b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + HELLO, 200, b"hello"),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, b"x"),
    ],
)
def test_a_message_that_ends_by_its_framing_is_complete_and_its_connection_kept(
    script: bytes, status: int, body: bytes, piece: int | None
) -> None:
    outcome = answered_by(script, piece=piece)
    assert ("", status, body, True, True) == (
        outcome.broken,
        outcome.status,
        outcome.body,
        outcome.complete,
        outcome.kept,
    )


@pytest.mark.parametrize(
    ("script", "then_close"),
    [
        (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", False),
        (OK + b"\r\nhello", True),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False),
        (
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            False,
        ),
        (HELLO + b"X", False),
        (HELLO + HELLO, False),
        (HELLO + b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + HELLO, False),
        (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello" + HELLO, False),
        (OK + b"Keep-Alive: timeout=0\r\nContent-Length: 5\r\n\r\nhello", False),
    ],
)
def test_a_whole_message_on_a_connection_that_must_not_be_kept(script: bytes, then_close: bool) -> None:
    outcome = answered_by(script, then_close=then_close)
    assert ("", b"hello", True, False) == (outcome.broken, outcome.body, outcome.complete, outcome.kept)


@pytest.mark.parametrize("piece", [None, 1])
@pytest.mark.parametrize(
    "script",
    [
        OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        OK + b"Content-Length: 5, 5\r\n\r\nhello",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 0x5\r\n\r\nhello",
        OK + b"Content-Length: 99999999999999999999\r\n\r\nhello",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: xchunked\r\n\r\nhello",
        OK + b"Transfer-Encoding: gzip\r\n\r\nhello",
        CHUNKED + b"zz\r\nhello\r\n",
        CHUNKED + b"ffffffffffffffffff\r\nhello\r\n",
        CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n",
        CHUNKED + b"5\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        OK + b"X: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
        OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_a_malformed_or_ambiguous_message_is_refused(script: bytes, piece: int | None) -> None:
    outcome = answered_by(script, piece=piece)
    assert outcome.broken.startswith("is not valid HTTP/1.1: ")
    assert not outcome.complete


@pytest.mark.parametrize(
    "script",
    [b"H", b"HTTP/1.1 2", OK, OK + b"Content-Length: 6\r\n\r\nhello", CHUNKED + b"5\r\nhello\r\n0\r\n"],
)
def test_a_close_before_the_end_of_the_message_is_an_error(script: bytes) -> None:
    outcome = answered_by(script, then_close=True)
    assert ("ended before its end", False) == (outcome.broken, outcome.complete)


def test_headers_are_kept_raw_and_in_order() -> None:
    outcome = answered_by(OK + b"X-B: 1\r\nx-a:  2 \r\nX-B: \xff\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n")
    assert [
        (b"X-B", b"1"),
        (b"x-a", b"2"),
        (b"X-B", b"\xff"),
        (b"X-Empty", b""),
        (b"Content-Length", b"0"),
    ] == [(name, value.rstrip()) for name, value in outcome.headers]


def test_fields_of_a_1xx_head_and_of_a_trailer_are_not_headers_of_the_answer() -> None:
    script = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CHUNKED + b"0\r\nX-Trailer: 1\r\n\r\n"
    assert [(b"Transfer-Encoding", b"chunked")] == answered_by(script, piece=5).headers


SMALL = Limits(max_connections=1, max_idle=1, idle_keepalive_s=30.0, max_header_bytes=300, max_headers=5)


@pytest.mark.parametrize("piece", [1, 50])
@pytest.mark.parametrize(
    "script",
    [
        OK + b"X: " + b"a" * 400 + b"\r\nContent-Length: 0\r\n\r\n",
        OK + b"X" * 400,
        OK + b"A: b\r\n" * 6 + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 40,
        CHUNKED + b"1\r\na\r\n0\r\n" + b"X-Trailer: 12345678901234567890\r\n" * 30,
        CHUNKED + b"1;" + b"x" * 2000,
    ],
)
def test_heads_forerunners_chunk_extensions_and_trailers_are_bounded(script: bytes, piece: int) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.hear()
            for start in range(0, len(script), piece):
                await peer.say(script[start : start + piece])
                await asyncio.sleep(0)
            await peer.hear_the_end()

        async with pooled(handler, limits=SMALL) as (pool, there):
            with pytest.raises(ResponseBroken):
                await read_all(await get(pool))
            await until(lambda: there.open == 0)

    run(main)


def test_each_piece_is_given_when_it_arrives_and_the_last_is_marked() -> None:
    async def main() -> None:
        go = asyncio.Event()
        seen: list[tuple[bytes, bool]] = []

        async def handler(peer: Peer) -> None:
            await peer.hear()
            await peer.say(CHUNKED)
            for piece in (b"1\r\na\r\n", b"1\r\nb\r\n1\r\nc\r\n", b"1\r\nd\r\n0\r\n\r\n"):
                await go.wait()
                go.clear()
                await peer.say(piece)
            await peer.hear_the_end()

        async with pooled(handler) as (pool, _):
            response = await get(pool)
            hints = [response.ended_hint]
            while not response.ended_hint:
                go.set()
                seen.append((await response.read_chunk(), response.ended_hint))
            assert [False] == hints
            assert [(b"a", False), (b"bc", False), (b"d", True)] == seen
            assert [b"", b""] == [await response.read_chunk(), await response.read_chunk()]

    run(main)


def test_bytes_before_a_fault_are_given_before_it_is_raised_again_and_again() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 9\r\n\r\nhello")

        async with pooled(handler) as (pool, there):
            response = await get(pool)
            await until(lambda: there.open == 0)
            assert b"hello" == await response.read_chunk()
            for _ in range(2):
                with pytest.raises(ResponseBroken) as caught:
                    await response.read_chunk()
                assert (True, False) == (caught.value.sent, caught.value.before_response)
            assert not response.complete

    run(main)


def test_a_reader_that_is_slow_makes_the_upstream_wait() -> None:
    async def main() -> None:
        total = 32 * 1024 * 1024
        limits = Limits(max_connections=1, max_idle=1, idle_keepalive_s=30.0, high_water=65_536)
        written = 0

        async def handler(peer: Peer) -> None:
            nonlocal written
            await peer.hear()
            await peer.say(OK + b"Content-Length: %d\r\n\r\n" % total)
            while written < total:
                await peer.say(b"x" * 65_536)
                written += 65_536
            await peer.hear_the_end()

        async with pooled(handler, limits=limits) as (pool, _):
            response = await get(pool)
            before = -1
            while written != before:  # until the upstream can write no more
                before = written
                await asyncio.sleep(0.02)
            assert written < total
            largest = read = 0
            while not response.ended_hint:
                chunk = await response.read_chunk()
                largest = max(largest, len(chunk))
                read += len(chunk)
            assert (total, True) == (read, response.complete)
            assert largest <= 65_536 + 262_144
            assert 1 == pool.idle

    run(main)
