import asyncio
import socket
import time

import pytest

from tests.gateway.upstream_server import HELLO, LIMITS, OK, PATIENT, Peer, pooled, run, until
from tokenboard.gateway.upstream import (
    ConnectFailed,
    ConnectTimeout,
    FirstByteTimeout,
    IdleTimeout,
    Limits,
    Origin,
    Pool,
    PoolExhausted,
    Response,
    ResponseBroken,
    Timeouts,
    UpstreamError,
)

BRISK = Timeouts(connect_s=5.0, first_byte_s=0.04, idle_s=0.04)


async def get(pool: Pool) -> Response:
    return await pool.send(b"GET", b"/", [], b"")


def test_every_error_is_an_upstream_error_with_a_hint_of_its_own() -> None:
    errors: list[type[UpstreamError]] = [
        ConnectFailed,
        ConnectTimeout,
        FirstByteTimeout,
        IdleTimeout,
        PoolExhausted,
        ResponseBroken,
    ]
    assert all(issubclass(error, UpstreamError) for error in errors)
    assert len(errors) + 1 == len({UpstreamError.hint, *(error.hint for error in errors)})


def test_a_refused_connection_and_an_unknown_name_are_connect_failures() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        for origin in (Origin("http", "127.0.0.1", port), Origin("http", "no-such-host.invalid", 80)):
            pool = Pool(origin, limits=LIMITS, timeouts=PATIENT)
            with pytest.raises(ConnectFailed) as caught:
                await get(pool)
            assert str(origin) in str(caught.value)
            assert (False, True, 0) == (caught.value.sent, caught.value.before_response, pool.slots_taken)

    run(main)


def test_a_connection_that_is_not_accepted_in_time_is_a_connect_timeout() -> None:
    async def main() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            timeouts = Timeouts(connect_s=0.03, first_byte_s=1.0, idle_s=1.0)
            pool = Pool(Origin("http", "127.0.0.1", full.getsockname()[1]), limits=LIMITS, timeouts=timeouts)
            with pytest.raises(ConnectTimeout) as caught:
                await get(pool)
            assert (False, True, 0) == (caught.value.sent, caught.value.before_response, pool.slots_taken)
            for filler in fillers:
                filler.close()

    run(main)


def test_no_answer_in_time_is_a_first_byte_timeout_before_any_response() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.hear()
            await peer.hear_the_end()

        async with pooled(handler, timeouts=BRISK) as (pool, there):
            before = time.monotonic()
            with pytest.raises(FirstByteTimeout) as caught:
                await get(pool)
            assert 0.035 <= time.monotonic() - before
            assert (True, True) == (caught.value.sent, caught.value.before_response)
            assert 0 == pool.slots_taken
            await until(lambda: there.open == 0)

    run(main)


@pytest.mark.parametrize("drip", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_head_that_drips_in_does_not_put_the_timeout_off(drip: bytes) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.hear()
            await peer.say(drip)
            while True:
                await asyncio.sleep(0.005)
                await peer.say(b"a" if drip.endswith(b": ") else drip)

        async with pooled(handler, timeouts=BRISK) as (pool, _):
            with pytest.raises(FirstByteTimeout) as caught:
                await get(pool)
            assert (True, False) == (caught.value.sent, caught.value.before_response)

    run(main)


@pytest.mark.parametrize("drip", [b"", b"x"])
def test_a_body_that_stalls_is_an_idle_timeout_whatever_the_framing_says_meanwhile(drip: bytes) -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;")
            while drip:
                await asyncio.sleep(0.005)
                await peer.say(drip)
            await peer.hear_the_end()

        async with pooled(handler, timeouts=BRISK) as (pool, there):
            response = await get(pool)
            assert b"hello" == await response.read_chunk()
            with pytest.raises(IdleTimeout) as caught:
                await response.read_chunk()
            assert (True, False, False) == (caught.value.sent, caught.value.before_response, response.complete)
            await until(lambda: there.open == 0 == pool.slots_taken)

    run(main)


def test_a_body_that_drips_is_read_to_its_end_however_long_it_takes() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 12\r\n\r\n")
            for _ in range(12):
                await asyncio.sleep(0.01)
                await peer.say(b"x")
            await peer.hear_the_end()

        async with pooled(handler, timeouts=BRISK) as (pool, _):
            response = await get(pool)
            body = b""
            while not response.ended_hint:
                body += await response.read_chunk()
            assert b"x" * 12 == body

    run(main)


def test_the_idle_clock_stands_still_while_nobody_reads() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"Content-Length: 6\r\n\r\nhello")
            await asyncio.sleep(0.03)
            await asyncio.sleep(0.03)
            await asyncio.sleep(0.03)
            await peer.say(b"!")
            await peer.hear_the_end()

        async with pooled(handler, timeouts=BRISK) as (pool, _):
            response = await get(pool)
            await until(lambda: response.complete)
            assert b"hello!" == await response.read_chunk()

    run(main)


def test_a_loop_that_was_held_up_reads_its_sockets_before_it_calls_anyone_late() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            while True:
                await peer.hear()
                await peer.say(HELLO)
                time.sleep(0.1)  # noqa: ASYNC251 - the answer is in the socket, and the loop held up beyond the timeout

        async with pooled(handler, timeouts=BRISK) as (pool, _):
            for _ in range(3):
                assert b"hello" == await (await get(pool)).read_chunk()

    run(main)


def test_a_reset_in_mid_answer_is_a_broken_response() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer(OK + b"\r\nhello")
            await go.wait()
            peer.reset()

        go = asyncio.Event()
        async with pooled(handler) as (pool, _):
            go.clear()
            response = await get(pool)
            assert b"hello" == await response.read_chunk()
            go.set()
            with pytest.raises(ResponseBroken, match="cut off"):
                await response.read_chunk()
            assert not response.complete

    run(main)


def test_an_answer_that_comes_before_the_request_is_written_is_given_and_the_connection_closed() -> None:
    async def main() -> None:
        refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"

        async def handler(peer: Peer) -> None:
            await peer.reader.readuntil(b"\r\n\r\n")
            await peer.say(refusal)
            await asyncio.sleep(0.05)
            await peer.hear_the_end()

        async with pooled(handler) as (pool, there):
            response = await pool.send(b"POST", b"/", [], bytes(64 * 1024 * 1024))
            assert (413, b"big", True) == (response.status, await response.read_chunk(), response.complete)
            assert 0 == pool.slots_taken
            await until(lambda: there.open == 0)

    run(main)


def test_a_large_request_may_take_longer_to_write_than_the_first_byte_timeout() -> None:
    async def main() -> None:
        size, first_byte_s = 16 * 1024 * 1024, 0.3

        async def handler(peer: Peer) -> None:
            await peer.reader.readuntil(b"\r\n\r\n")
            left = size
            began = time.monotonic()
            while left:
                left -= len(await peer.reader.read(400_000))
                if left > 10 * 1024 * 1024:  # the rest lies in the kernel's buffers: written, as far as one can see
                    await asyncio.sleep(0.04)
            assert time.monotonic() - began > first_byte_s
            await peer.say(HELLO)
            await peer.hear_the_end()

        timeouts = Timeouts(connect_s=10.0, first_byte_s=first_byte_s, idle_s=10.0)
        async with pooled(handler, timeouts=timeouts) as (pool, _):
            response = await pool.send(b"POST", b"/", [], bytes(size))
            assert 200 == response.status

    run(main)


def test_a_large_request_that_nobody_reads_is_a_first_byte_timeout() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await go.wait()

        go = asyncio.Event()
        async with pooled(handler, timeouts=BRISK) as (pool, _):
            go.clear()
            with pytest.raises(FirstByteTimeout) as caught:
                await pool.send(b"POST", b"/", [], bytes(32 * 1024 * 1024))
            assert caught.value.before_response
            assert 0 == pool.slots_taken
            go.set()

    run(main)


def test_the_socket_does_not_wait_for_more_before_it_sends() -> None:
    async def main() -> None:
        async def handler(peer: Peer) -> None:
            await peer.answer()
            await peer.hear_the_end()

        async with pooled(handler) as (pool, _):
            await get(pool)
            await until(lambda: pool.idle == 1)
            transport = next(iter(pool._idle))._transport
            assert transport is not None
            sock = transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(main)


def test_ipv6_addresses_are_reached_and_named_in_brackets() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")

    async def main() -> None:
        heard = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await Peer(reader, writer).answer())
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "::1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            pool = Pool(Origin("http", "::1", port), limits=Limits(1, 1, 9.0), timeouts=PATIENT)
            assert 200 == (await get(pool)).status
            assert (b"Host", b"[::1]:%d" % port) == heard[0].headers[0]
            await pool.aclose()

    run(main)
